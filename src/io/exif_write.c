// SPDX-License-Identifier: MIT
// The block is big-endian. Its directory has one entry, the place of the EXIF directory, whose
// entries are the note and the comment (EXIF 2.3, sections 4.5 and 4.6).
#include "io/exif_text.h"

#include "base/alloc.h"
#include "base/utf8.h"
#include "io/image.h"

#include <string.h>

// Bytes of a directory.
#define DIRECTORY(entries) (2 + 12 * (size_t)(entries) + 4)

enum { FIRST = 8, CODE_BYTES = 8 }; // FIRST: place of the first directory
enum { TAG_EXIF = 0x8769, TAG_NOTE = 0x927c, TAG_COMMENT = 0x9286 };
enum { TYPE_LONG = 4, TYPE_UNDEFINED = 7 };

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

// Writes a directory, which no other follows.
static void put_directory(uint8_t *p, const struct entry *entries, uint32_t count) {
    put16(p, count);
    p += 2;
    for (uint32_t i = 0; i < count; i++, p += 12) {
        put16(p, entries[i].tag);
        put16(p + 2, entries[i].type);
        put32(p + 4, entries[i].count);
        put32(p + 8, entries[i].value);
    }
    put32(p, 0);
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

// Writes a text in UTF-16 with its code. Returns its bytes.
static size_t put_comment(uint8_t *p, const char *text) {
    size_t length = strlen(text), at = CODE_BYTES, used;
    memcpy(p, "UNICODE\0", CODE_BYTES);
    for (size_t i = 0; i < length; i += used)
        at += put_utf16(p + at, fum_utf8_next(text + i, length - i, &used));
    return at;
}

// Writes the name of the maker and the text. Returns the bytes of both.
static size_t put_note(uint8_t *p, const char *text) {
    static const char maker[] = FUM_IMAGE_REQUEST_KEY;
    memcpy(p, maker, sizeof maker);
    memcpy(p + sizeof maker, text, strlen(text));
    return sizeof maker + strlen(text);
}

uint8_t *fum_exif_write(const struct fum_exif_texts *texts, size_t *bytes) {
    uint32_t count = texts->request ? 2 : 1;
    size_t second = FIRST + DIRECTORY(1), comment = second + DIRECTORY(count);
    size_t note_room = texts->request ? strlen(texts->request) + sizeof FUM_IMAGE_REQUEST_KEY : 0;
    // UTF-16 has at most twice the bytes.
    uint8_t *block =
        fum_calloc(comment + CODE_BYTES + 2 * strlen(texts->parameters) + note_room, 1);
    if (!block) return NULL;
    size_t note = comment + put_comment(block + comment, texts->parameters);
    *bytes = note + (texts->request ? put_note(block + note, texts->request) : 0);
    const struct entry entries[] = {
        {TAG_NOTE, TYPE_UNDEFINED, (uint32_t)(*bytes - note), (uint32_t)note},
        {TAG_COMMENT, TYPE_UNDEFINED, (uint32_t)(note - comment), (uint32_t)comment}};
    memcpy(block, "MM\0*", 4);
    put32(block + 4, FIRST);
    put_directory(block + FIRST, &(struct entry){TAG_EXIF, TYPE_LONG, 1, (uint32_t)second}, 1);
    put_directory(block + second, entries + 2 - count, count);
    return block;
}
