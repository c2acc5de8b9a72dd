// SPDX-License-Identifier: MIT
// Finds models: given paths, $FUMAROLE_MODELS, the installed share folder beside the program, and
// the source tree that holds the build folder.
#define _POSIX_C_SOURCE 200809L

#include "cli.h"

#include <fumarole/file.h>

#include <stdlib.h>
#include <string.h>

#if defined(__APPLE__)
#include <mach-o/dyld.h>
#elif !defined(_WIN32)
#include <unistd.h>
#endif

enum { PATH_BYTES = 4096, LEVELS_UP = 4 };

// Stores the folder of the running program, with "/" between its parts and none at its end. False
// when the system does not report it.
static bool program_folder(char *path) {
    size_t len = 0;
#if defined(_WIN32)
    len = cli_utf8_program(path, PATH_BYTES);
    for (size_t i = 0; i < len; i++) path[i] = path[i] == '\\' ? '/' : path[i];
#elif defined(__APPLE__)
    uint32_t size = PATH_BYTES - 1;
    if (_NSGetExecutablePath(path, &size) == 0) len = strlen(path);
#else
    ssize_t got = readlink("/proc/self/exe", path, PATH_BYTES - 1);
    len = got > 0 ? (size_t)got : 0;
#endif
    path[len] = 0; // readlink does not
    while (len > 0 && path[len] != '/') len--;
    path[len] = 0;
    return len > 0;
}

static enum fum_file_kind kind_of(const char *path) {
    enum fum_file_kind kind;
    return fum_file_look(path, &kind, NULL) == FUM_OK ? kind : FUM_FILE_NONE;
}

// True if the path is there, or if that cannot be found out: opening it then fails with the reason.
static bool may_exist(const char *path) {
    enum fum_file_kind kind;
    return fum_file_look(path, &kind, NULL) != FUM_OK || kind != FUM_FILE_NONE;
}

char *cli_copy(const char *text) {
    size_t size = strlen(text) + 1;
    char *copy = malloc(size);
    if (copy) memcpy(copy, text, size);
    return copy;
}

bool cli_is_folder(const char *path) {
    return kind_of(path) == FUM_FILE_FOLDER;
}

bool cli_is_special(const char *path) {
    return kind_of(path) == FUM_FILE_OTHER;
}

// Writes "dir/middle/name" into path[PATH_BYTES]; true if it is there.
static bool try_model(char *path, const char *dir, const char *middle, const char *name) {
    int len = snprintf(path, PATH_BYTES, "%s%s/%s", dir, middle, name);
    return len >= 0 && len < PATH_BYTES && kind_of(path) != FUM_FILE_NONE;
}

static bool find_beside_program(char *path, const char *name) {
    char dir[PATH_BYTES], build_file[PATH_BYTES + 16];
    if (!program_folder(dir)) return false;
    for (int level = 0; level < LEVELS_UP; level++) {
        bool found = try_model(path, dir, "/share/fumarole/models", name);
        snprintf(build_file, sizeof build_file, "%s/meson.build", dir);
        if (!found && kind_of(build_file) != FUM_FILE_NONE)
            found = try_model(path, dir, "/models", name);
        char *slash = strrchr(dir, '/');
        if (found || !slash || slash == dir) return found;
        *slash = 0;
    }
    return false;
}

// True if `name` is that of a shipped model or of one in $FUMAROLE_MODELS; its path is then in
// path[PATH_BYTES].
static bool find_shipped(char *path, const char *name) {
    const char *folder = getenv("FUMAROLE_MODELS");
    return (folder && *folder && try_model(path, folder, "", name)) ||
           find_beside_program(path, name);
}

int cli_find_model(const char *name, char **path) {
    char shipped[PATH_BYTES];
    const char *wanted = name ? name : "emoji", *found = NULL;
    bool plain_name = !strpbrk(wanted, "/\\") && strcmp(wanted, "..") != 0 && *wanted;
    *path = NULL;
    if (name && may_exist(name))
        found = name;
    else if (plain_name && find_shipped(shipped, wanted))
        found = shipped;
    if (found) return (*path = cli_copy(found)) ? 0 : cli_fail("%s: out of memory", found);
    if (!name)
        return cli_fail("the shipped model \"emoji\" is neither in $FUMAROLE_MODELS nor beside the "
                        "program; name a "
                        "model with -m");
    return cli_fail("%s: no such file or folder%s", name,
                    plain_name ? ", and no shipped model of that name"
                               : ": give a diffusers folder or a checkpoint");
}
