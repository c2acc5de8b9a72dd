// SPDX-License-Identifier: MIT
#include "data/emoji_groups.h"

#include "base/error.h"
#include "base/file.h"
#include "base/macros.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_BYTES = 16 << 20, SIGN_FOR_PICTURE = 0xfe0f };

static const char *const files[] = {
    "/usr/share/unicode/emoji/emoji-test.txt",
    "/usr/local/share/unicode/emoji/emoji-test.txt",
};

char *fum_emoji_codes_file(fum_arena *arena, const struct fum_emoji_codes *codes) {
    char text[FUM_EMOJI_CODES * 10] = "";
    int n = 0;
    for (int i = 0; i < codes->count; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "%s%04x", i ? "_" : "",
                      (unsigned)codes->codes[i]);
    return fum_arena_strdup(arena, text);
}

// Reads the code points before the ";" of a line; none for a comment.
static struct fum_emoji_codes read_codes(const char *line) {
    struct fum_emoji_codes codes = {.count = 0};
    char *end = NULL;
    for (;; line = end) {
        unsigned long code = strtoul(line, &end, 16);
        if (end == line || codes.count == FUM_EMOJI_CODES || code > 0x10ffff) return codes;
        if (code != SIGN_FOR_PICTURE) codes.codes[codes.count++] = (uint32_t)code;
    }
}

// Returns the text behind "# group: " or the like, or NULL.
static const char *heading(const char *line, const char *what) {
    size_t n = strlen(what);
    return strncmp(line, what, n) ? NULL : line + n;
}

// Reads a line into the groups; `now` has the headings so far. False if memory is out.
static bool read_line(struct fum_emoji_groups *all, const char *line, struct fum_emoji_group *now) {
    const char *group = heading(line, "# group: "), *subgroup = heading(line, "# subgroup: ");
    if (group) return (now->group = fum_arena_strdup(all->arena, group)) != NULL;
    if (subgroup) return (now->subgroup = fum_arena_strdup(all->arena, subgroup)) != NULL;
    struct fum_emoji_codes codes = read_codes(line);
    if (!codes.count) return true;
    now->file = fum_emoji_codes_file(all->arena, &codes);
    if (!now->file || !fum_grow((void **)&all->groups, &all->capacity, all->count, sizeof *now))
        return false;
    all->groups[all->count++] = *now;
    return true;
}

enum fum_result fum_emoji_groups_read(struct fum_emoji_groups *all, struct fum_error *err) {
    struct fum_emoji_group now = {"", "", ""};
    enum fum_result result = FUM_OK;
    char *text = NULL;
    bool good = true;
    for (size_t i = 0; i < FUM_COUNT(files) && !text && !result; i++)
        if (fum_path_may_exist(files[i]))
            result = fum_file_read(files[i], MAX_BYTES, &text, NULL, err);
    for (char *line = text; line && *line && good;) {
        char *end = strchr(line, '\n');
        if (end) *end = 0;
        good = read_line(all, line, &now);
        line = end ? end + 1 : NULL;
    }
    fum_free(text);
    if (!good) result = fum_error_set(err, FUM_ERR_NOMEM, "no memory for the groups of emoji");
    return result;
}

const struct fum_emoji_group *fum_emoji_groups_find(const struct fum_emoji_groups *groups,
                                                    const char *file) {
    for (size_t i = 0; i < groups->count; i++)
        if (!strcmp(groups->groups[i].file, file)) return &groups->groups[i];
    return NULL;
}
