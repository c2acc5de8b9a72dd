// SPDX-License-Identifier: MIT
// Groups of emoji from Unicode's list emoji-test.txt.
#ifndef FUM_DATA_EMOJI_GROUPS_H
#define FUM_DATA_EMOJI_GROUPS_H

#include "base/alloc.h"

struct fum_emoji_group {
    const char *file; // code points in hexadecimal digits, without U+FE0F: "0023_20e3"
    const char *group, *subgroup;
};
struct fum_emoji_groups {
    fum_arena *arena;               // holds the texts
    struct fum_emoji_group *groups; // freed with fum_free
    size_t count, capacity;
};
// Reads the list where the system has it; without it there are no groups.
enum fum_result fum_emoji_groups_read(struct fum_emoji_groups *groups, struct fum_error *err);
// Returns the groups of an emoji, or NULL.
const struct fum_emoji_group *fum_emoji_groups_find(const struct fum_emoji_groups *groups,
                                                    const char *file);

// Code points of an emoji, without U+FE0F.
enum { FUM_EMOJI_CODES = 10 };
struct fum_emoji_codes {
    uint32_t codes[FUM_EMOJI_CODES];
    int count;
};
// Returns the hexadecimal digits of code points, joined by "_", in the arena; NULL if memory is
// out.
char *fum_emoji_codes_file(fum_arena *arena, const struct fum_emoji_codes *codes);

#endif
