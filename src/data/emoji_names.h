// SPDX-License-Identifier: MIT
// The emoji of a data set with their names, keywords and groups, in the order of their files.
#ifndef FUM_DATA_EMOJI_NAMES_H
#define FUM_DATA_EMOJI_NAMES_H

#include "base/alloc.h"

struct fum_emoji {
    uint32_t code;
    const char *file;             // its code in hexadecimal digits: "1f600"
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
// NULL. Only single characters are listed; skin tones, hair and regional indicators are left out.
enum fum_result fum_emoji_names_read(struct fum_emoji_names *names, const char *cldr,
                                     const char *language, struct fum_error *err);

#endif
