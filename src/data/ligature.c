// SPDX-License-Identifier: MIT
#include "data/ligature.h"

enum {
    LIGATURES = 4, // types of lookups
    EXTENSION = 7,
    MAX_READS = 1 << 20, // in one search; a damaged table could lead around for hours
};

struct search {
    const struct fum_gsub *gsub;
    const uint16_t *glyphs;
    int count;
    int reads; // left
};

// Returns the 16-bit number at an offset; 0 beyond the table and after too many reads.
static uint16_t number_at(struct search *s, size_t at) {
    if (s->reads-- <= 0 || at + 2 > s->gsub->bytes) return 0;
    return (uint16_t)(s->gsub->data[at] << 8 | s->gsub->data[at + 1]);
}

// Returns the place that an offset of 16 bits at `at` leads to, from `base` on.
static size_t follow(struct search *s, size_t base, size_t at) {
    return base + number_at(s, at);
}

// True if entry `index` of a list that announces `count` entries can still be read.
static bool has_entry(const struct search *s, int index, int count) {
    return index < count && s->reads > 0;
}

// Returns the index of a glyph in a coverage table, or -1.
static int find_coverage(struct search *s, size_t at, uint16_t glyph) {
    int format = number_at(s, at), count = number_at(s, at + 2);
    for (int i = 0; format == 1 && has_entry(s, i, count); i++)
        if (number_at(s, at + 4 + 2 * (size_t)i) == glyph) return i;
    for (int i = 0; format == 2 && has_entry(s, i, count); i++) {
        size_t range = at + 4 + 6 * (size_t)i;
        uint16_t first = number_at(s, range), last = number_at(s, range + 2);
        if (glyph >= first && glyph <= last) return number_at(s, range + 4) + glyph - first;
    }
    return -1;
}

// True if a ligature's components are the glyphs after the first.
static bool has_components(struct search *s, size_t at) {
    if (number_at(s, at + 2) != s->count) return false;
    for (int i = 1; i < s->count; i++)
        if (number_at(s, at + 2 + 2 * (size_t)i) != s->glyphs[i]) return false;
    return true;
}

// Searches one subtable of ligatures.
static uint16_t find_in_subtable(struct search *s, size_t at) {
    if (number_at(s, at) != 1) return 0;
    int index = find_coverage(s, follow(s, at, at + 2), s->glyphs[0]);
    if (index < 0 || index >= number_at(s, at + 4)) return 0;
    size_t set = follow(s, at, at + 6 + 2 * (size_t)index);
    int count = number_at(s, set);
    for (int i = 0; has_entry(s, i, count); i++) {
        size_t ligature = follow(s, set, set + 2 + 2 * (size_t)i);
        if (has_components(s, ligature)) return number_at(s, ligature);
    }
    return 0;
}

// Searches a lookup, whose subtables may be extensions with offsets of 32 bits.
static uint16_t find_in_lookup(struct search *s, size_t at) {
    int lookup_type = number_at(s, at), count = number_at(s, at + 4);
    uint16_t found = 0;
    for (int i = 0; has_entry(s, i, count) && !found; i++) {
        size_t subtable = follow(s, at, at + 6 + 2 * (size_t)i);
        int type = lookup_type;
        if (type == EXTENSION) {
            type = number_at(s, subtable + 2);
            subtable += (size_t)number_at(s, subtable + 4) << 16 | number_at(s, subtable + 6);
        }
        if (type == LIGATURES) found = find_in_subtable(s, subtable);
    }
    return found;
}

uint16_t fum_gsub_find(const struct fum_gsub *gsub, const uint16_t *glyphs, int count) {
    enum { LOOKUP_LIST = 8 };
    struct search s = {gsub, glyphs, count, MAX_READS};
    size_t list = number_at(&s, LOOKUP_LIST);
    int lookups = list ? number_at(&s, list) : 0;
    uint16_t found = 0;
    for (int i = 0; has_entry(&s, i, lookups) && !found; i++)
        found = find_in_lookup(&s, follow(&s, list, list + 2 + 2 * (size_t)i));
    return found;
}
