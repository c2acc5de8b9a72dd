// SPDX-License-Identifier: MIT
#include "base/utf8.h"

#include <string.h>

// Returns the number of continuation bytes after `lead`: 0 for ASCII, -1 for a byte that starts no
// character. Stores the range of the first of them; the others are 80..BF. See table 3-7 of the
// Unicode standard.
static int sequence_of(uint8_t lead, uint8_t *low, uint8_t *high) {
    *low = 0x80, *high = 0xbf;
    if (lead < 0x80) return 0;
    if (lead < 0xc2 || lead > 0xf4) return -1;
    if (lead < 0xe0) return 1;
    if (lead < 0xf0) {
        if (lead == 0xe0) *low = 0xa0;
        if (lead == 0xed) *high = 0x9f;
        return 2;
    }
    if (lead == 0xf0) *low = 0x90;
    if (lead == 0xf4) *high = 0x8f;
    return 3;
}

uint32_t fum_utf8_next(const char *text, size_t bytes, size_t *used) {
    static const uint8_t lead_mask[4] = {0x7f, 0x1f, 0x0f, 0x07};
    uint8_t lead = (uint8_t)text[0], low, high;
    int more = sequence_of(lead, &low, &high);
    *used = 1;
    if (more < 0) return FUM_UTF8_REPLACEMENT;
    uint32_t code = lead & lead_mask[more];
    for (int i = 0; i < more; i++) {
        uint8_t byte = *used < bytes ? (uint8_t)text[*used] : 0;
        if (byte < low || byte > high) return FUM_UTF8_REPLACEMENT;
        code = code << 6 | (byte & 0x3f);
        (*used)++;
        low = 0x80, high = 0xbf;
    }
    return code;
}

size_t fum_utf8_put(char *out, uint32_t code) {
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    size_t bytes = 4;
    if (code < 0x800)
        bytes = 2;
    else if (code < 0x10000)
        bytes = 3;
    static const uint8_t lead[5] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = bytes - 1; i; i--, code >>= 6) out[i] = (char)(0x80 | (code & 0x3f));
    out[0] = (char)(lead[bytes] | code);
    return bytes;
}

size_t fum_utf8_length(const char *text, size_t bytes) {
    size_t used;
    bool bad = fum_utf8_next(text, bytes, &used) == FUM_UTF8_REPLACEMENT &&
               !(used == 3 && (uint8_t)text[0] == 0xef);
    return bad ? 0 : used;
}

size_t fum_utf8_mark(const char *text, size_t bytes) {
    return bytes >= 3 && !memcmp(text, "\xef\xbb\xbf", 3) ? 3 : 0;
}
