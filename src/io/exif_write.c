// SPDX-License-Identifier: MIT
// The block is big-endian: a directory with one entry, the place of the EXIF directory, whose one
// entry is the comment (EXIF 2.3, sections 4.5 and 4.6).
#include "io/exif_text.h"

#include "base/alloc.h"
#include "base/utf8.h"

#include <string.h>

enum {
    FIRST = 8,                   // place of the first directory
    DIRECTORY = 2 + 12 + 4,      // one of one entry
    SECOND = FIRST + DIRECTORY,  // place of the second
    COMMENT = SECOND + DIRECTORY // place of the comment
};
enum { TAG_EXIF = 0x8769, TAG_COMMENT = 0x9286, TYPE_LONG = 4, TYPE_UNDEFINED = 7 };

static void put16(uint8_t *p, uint32_t value) {
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

static void put32(uint8_t *p, uint32_t value) {
    put16(p, value >> 16);
    put16(p + 2, value);
}

struct entry {
    uint32_t tag, type, count, value;
};

// Writes a directory of one entry, which no other follows.
static void put_directory(uint8_t *p, const struct entry *entry) {
    put16(p, 1);
    put16(p + 2, entry->tag);
    put16(p + 4, entry->type);
    put32(p + 6, entry->count);
    put32(p + 10, entry->value);
    put32(p + 14, 0);
}

// Writes a character as UTF-16; returns its bytes.
static size_t put_utf16(uint8_t *p, uint32_t c) {
    if (c < 0x10000) {
        put16(p, c);
        return 2;
    }
    put16(p, 0xd800 + ((c - 0x10000) >> 10));
    put16(p + 2, 0xdc00 + ((c - 0x10000) & 0x3ff));
    return 4;
}

uint8_t *fum_exif_write_comment(const char *text, size_t *bytes) {
    size_t length = strlen(text), used, at = COMMENT;
    uint8_t *block = fum_calloc(COMMENT + 8 + 2 * length, 1); // UTF-16 has at most twice the bytes
    if (!block) return NULL;
    memcpy(block, "MM\0*", 4);
    put32(block + 4, FIRST);
    memcpy(block + at, "UNICODE\0", 8);
    at += 8;
    for (size_t i = 0; i < length; i += used)
        at += put_utf16(block + at, fum_utf8_next(text + i, length - i, &used));
    put_directory(block + FIRST, &(struct entry){TAG_EXIF, TYPE_LONG, 1, SECOND});
    put_directory(block + SECOND,
                  &(struct entry){TAG_COMMENT, TYPE_UNDEFINED, (uint32_t)(at - COMMENT), COMMENT});
    *bytes = at;
    return block;
}
