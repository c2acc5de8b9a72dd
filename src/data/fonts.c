// SPDX-License-Identifier: MIT
#include "data/fonts.h"

#include "base/error.h"
#include "base/file.h"
#include "base/macros.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 8 };

static const char *const endings[] = {".ttf", ".otf", ".ttc", ".otc", ".TTF", ".OTF", ".TTC"};

// Folders of fonts on Linux, macOS and Windows; those that begin with a variable of the environment
// are left out where it is not set.
static const struct {
    const char *variable, *below;
} folders[] = {
    {"XDG_DATA_HOME", "/fonts"},
    {"HOME", "/.local/share/fonts"},
    {"HOME", "/.fonts"},
    {"HOME", "/Library/Fonts"},
    {NULL, "/usr/local/share/fonts"},
    {NULL, "/usr/share/fonts"},
    {NULL, "/Library/Fonts"},
    {NULL, "/System/Library/Fonts"},
    {"LOCALAPPDATA", "/Microsoft/Windows/Fonts"},
    {"WINDIR", "/Fonts"},
};

static bool is_font(const char *name) {
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < FUM_COUNT(endings); i++)
        if (!strcmp(dot, endings[i])) return true;
    return false;
}

static enum fum_result no_memory(struct fum_error *err) {
    return fum_error_set(err, FUM_ERR_NOMEM, "no memory for the list of fonts");
}

static bool add_font(struct fum_fonts *fonts, const char *path) {
    if (!fum_grow((void **)&fonts->paths, &fonts->capacity, fonts->count, sizeof *fonts->paths))
        return false;
    fonts->paths[fonts->count++] = path;
    return true;
}

static enum fum_result add_folder(struct fum_fonts *fonts, const char *dir, int depth,
                                  struct fum_error *err) {
    struct fum_path_names list;
    enum fum_result result = fum_path_list(fonts->arena, dir, &list, err);
    for (size_t i = 0; i < list.count && !result; i++) {
        const char *path = fum_path_join(fonts->arena, dir, list.names[i]);
        if (!path) return no_memory(err);
        if (is_font(list.names[i]))
            result = add_font(fonts, path) ? FUM_OK : no_memory(err);
        else if (depth < MAX_DEPTH && list.names[i][0] != '.' && fum_path_is_dir(path))
            result = add_folder(fonts, path, depth + 1, err);
    }
    return result;
}

static enum fum_result add_system(struct fum_fonts *fonts, struct fum_error *err) {
    enum fum_result result = FUM_OK;
    for (size_t i = 0; i < FUM_COUNT(folders) && !result; i++) {
        const char *base = folders[i].variable ? getenv(folders[i].variable) : "";
        if (!base || (folders[i].variable && !*base)) continue;
        const char *dir = fum_arena_printf(fonts->arena, "%s%s", base, folders[i].below);
        if (!dir) return no_memory(err);
        // a folder that may not be read is no reason to go without the others
        if (fum_path_is_dir(dir)) result = add_folder(fonts, dir, 0, err);
        if (result == FUM_ERR_IO) result = FUM_OK;
    }
    return result;
}

enum fum_result fum_fonts_find(struct fum_fonts *fonts, const char *path, struct fum_error *err) {
    enum fum_result result;
    if (!path)
        result = add_system(fonts, err);
    else if (fum_path_is_dir(path))
        result = add_folder(fonts, path, 0, err);
    else if (fum_path_may_exist(path))
        result = add_font(fonts, path) ? FUM_OK : no_memory(err);
    else
        return fum_error_set(err, FUM_ERR_IO, "no font or folder of fonts %s", path);
    if (result || fonts->count) return result;
    if (path) return fum_error_set(err, FUM_ERR_IO, "%s: no fonts (.ttf, .otf, .ttc) in it", path);
    return fum_error_set(err, FUM_ERR_IO,
                         "no fonts on this system; install some (Debian: fonts-dejavu-core, "
                         "fonts-liberation2, fonts-noto-core) or name a folder of fonts");
}
