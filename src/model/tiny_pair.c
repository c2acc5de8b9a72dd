// SPDX-License-Identifier: MIT
// Opens a small autoencoder whose halves lie in two files side by side, as taesd_encoder and
// taesd_decoder do.
#include "base/error.h"
#include "base/macros.h"
#include "base/text.h"
#include "model/names.h"

#include <string.h>

static const char decoder[] = "decoder", encoder[] = "encoder";

// Returns the path with another word in place of the last `word` of the file's name, in the arena.
// NULL: its name does not have that, or memory is out.
static const char *replace_word(fum_arena *arena, const char *path, const char *word,
                                const char *other) {
    const char *slash = strrchr(path, '/'), *found = NULL;
    for (const char *at = slash ? slash : path; (at = strstr(at, word)); at++) found = at;
    if (!found) return NULL;
    return fum_arena_printf(arena, "%.*s%s%s", (int)(found - path), path, other,
                            found + strlen(word));
}

// Returns the file of the other half, if it is there. *decodes: the first file is the decoder.
static const char *find_other(fum_arena *arena, const char *path, bool *decodes) {
    const char *other = replace_word(arena, path, decoder, encoder);
    *decodes = other != NULL;
    if (!other) other = replace_word(arena, path, encoder, decoder);
    return other && fum_path_may_exist(other) ? other : NULL;
}

enum fum_result fum_tiny_open(fum_loader **loader, fum_arena *arena, const char *path,
                              struct fum_error *err) {
    bool decodes;
    const char *other = find_other(arena, path, &decodes);
    if (!other) return fum_loader_open(loader, path, err);
    const struct fum_loader_part halves[] = {{decodes ? path : other, "decoder."},
                                             {decodes ? other : path, "encoder."}};
    enum fum_result result = fum_loader_open_joined(loader, halves, 2, err);
    if (result || fum_tiny_find_style(*loader)) return result;
    fum_loader_close(loader);
    return fum_loader_open(loader, path, err);
}

// ---- in a folder ----

// Endings of such files, the preferred first.
static const char *const endings[] = {".safetensors", ".pth", ".pt", ".bin"};

// Returns true for the name of a decoder's file with that ending.
static bool is_decoder(const char *name, const char *ending) {
    return name[0] != '.' && strstr(name, decoder) && fum_text_ends_with(name, ending);
}

enum fum_result fum_tiny_find(fum_arena *arena, const char *dir, const char **file,
                              struct fum_error *err) {
    struct fum_path_names names = {0};
    const char *found = NULL;
    *file = NULL;
    enum fum_result result = fum_path_list(arena, dir, &names, err);
    for (size_t e = 0; e < FUM_COUNT(endings) && !result && !found; e++)
        for (size_t i = 0; i < names.count && !result; i++) {
            if (!is_decoder(names.names[i], endings[e])) continue;
            if (found)
                result =
                    fum_error_set(err, FUM_ERR_FORMAT,
                                  "%s: holds the decoders %s and %s: give one of these files", dir,
                                  fum_text_show(found).text, fum_text_show(names.names[i]).text);
            found = names.names[i];
        }
    if (result || !found) return result;
    *file = fum_path_join(arena, dir, found);
    return *file ? FUM_OK : fum_error_set(err, FUM_ERR_NOMEM, "%s: no memory for a path", dir);
}
