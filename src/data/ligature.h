// SPDX-License-Identifier: MIT
// Ligatures of fonts: the glyph that stands for a sequence of others (OpenType's table GSUB).
#ifndef FUM_DATA_LIGATURE_H
#define FUM_DATA_LIGATURE_H

#include <fumarole/core.h>

// A font's table GSUB.
struct fum_gsub {
    const uint8_t *data;
    size_t bytes;
};
// Returns the glyph for exactly these glyphs, `count` from 2 on, or 0 if the table has none. Damage
// is as if the ligature were missing.
uint16_t fum_gsub_find(const struct fum_gsub *gsub, const uint16_t *glyphs, int count);

#endif
