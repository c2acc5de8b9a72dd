// SPDX-License-Identifier: MIT
// Names and keywords of characters from Unicode's Common Locale Data Repository.
#ifndef FUM_DATA_CLDR_H
#define FUM_DATA_CLDR_H

#include "base/alloc.h"

struct fum_cldr_entry {
    const char *text;     // the character or sequence in UTF-8, without U+FE0F
    const char *name;     // NULL: none
    const char *keywords; // separated by " | "; NULL: none
};
struct fum_cldr {
    fum_arena *arena;               // holds the texts
    struct fum_cldr_entry *entries; // freed with fum_free
    size_t count, capacity;
};
// Adds what a file of annotations says (common/annotations/en.xml).
enum fum_result fum_cldr_read(struct fum_cldr *cldr, const char *path, struct fum_error *err);

#endif
