// SPDX-License-Identifier: MIT
// Classifies, lowers and normalises (NFC) code points as the CLIP tokenizer requires. All results
// are those of the reference tokenizer's Unicode data, independent of the installed utf8proc.
#ifndef FUM_TEXT_UNICODE_H
#define FUM_TEXT_UNICODE_H

#include "base/alloc.h"
#include "base/utf8.h"

enum fum_char_class { FUM_CHAR_OTHER, FUM_CHAR_LETTER, FUM_CHAR_NUMBER, FUM_CHAR_SPACE };

// A growing array of code points. Zero is empty. Free `at` with fum_free.
struct fum_code_points {
    uint32_t *at;
    size_t count, capacity;
};
bool fum_code_points_add(struct fum_code_points *points, uint32_t code);

// Appends all of `text`. Returns false when memory is out.
bool fum_utf8_decode(struct fum_code_points *points, const char *text, size_t bytes);

enum fum_char_class fum_char_class(uint32_t code);
// Writes the lower case of one code point without context. Returns 1 or 2, the number of code
// points; only U+0130 gives two.
size_t fum_char_lower(uint32_t code, uint32_t out[2]);
// Appends the NFC of `text` to `out`. Returns false when memory is out.
bool fum_text_nfc(struct fum_code_points *out, const uint32_t *text, size_t count);

#endif
