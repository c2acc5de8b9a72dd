// SPDX-License-Identifier: MIT
// The emoji of a data set with their names, keywords and groups, in the order of their files.
#ifndef FUM_DATA_EMOJI_NAMES_H
#define FUM_DATA_EMOJI_NAMES_H

#include "data/emoji_groups.h"

struct fum_emoji {
    struct fum_emoji_codes codes;
    const char *file;             // its codes in hexadecimal digits: "1f600", "0023_20e3"
    const char *name, *keywords;  // keywords separated by ", "; may be ""
    const char *group, *subgroup; // "" where unknown
    const char *split;            // "train", "held" or "comp"
};
struct fum_emoji_names {
    fum_arena *arena;        // holds the texts
    struct fum_emoji *emoji; // freed with fum_free
    size_t count;
};
// Reads the names in a language from CLDR's folder `common`, or where systems keep it if that is
// NULL. Flags, families and variants by skin tone, gender and direction are left out.
enum fum_result fum_emoji_names_read(struct fum_emoji_names *names, const char *cldr,
                                     const char *language, struct fum_error *err);

#endif
