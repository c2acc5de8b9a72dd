// SPDX-License-Identifier: MIT
#include "io/exif_text.h"

#include "base/alloc.h"
#include "base/utf8.h"
#include "io/image.h"

#include <string.h>

enum {
    ENTRY_BYTES = 12,
    CODE_BYTES = 8, // in front of a comment: which characters it has
    TAG_EXIF = 0x8769,
    TAG_NOTE = 0x927c,
    TAG_COMMENT = 0x9286,
};

struct block {
    const uint8_t *data;
    size_t bytes;
    bool big; // most significant byte first
};

static uint32_t get_number(const struct block *b, size_t at, int size) {
    uint32_t value = 0;
    for (int i = 0; i < size; i++)
        value |= (uint32_t)b->data[at + (size_t)i] << 8 * (b->big ? size - 1 - i : i);
    return value;
}

// Finds the entry of a tag in the directory at `at`. Returns its place; 0: there is none.
static size_t find_entry(const struct block *b, size_t at, uint32_t tag) {
    if (at > b->bytes || b->bytes - at < 2) return 0;
    size_t count = get_number(b, at, 2);
    for (size_t i = 0; i < count; i++) {
        size_t entry = at + 2 + i * ENTRY_BYTES;
        if (b->bytes - entry < ENTRY_BYTES || entry > b->bytes) return 0;
        if (get_number(b, entry, 2) == tag) return entry;
    }
    return 0;
}

// ---- characters ----

// Returns the order of UTF-16 without a mark: the zeros of most texts are in their high bytes.
static bool guess_big(const uint8_t *text, size_t bytes) {
    size_t zeros[2] = {0};
    for (size_t i = 0; i < bytes; i++) zeros[i % 2] += text[i] == 0;
    return zeros[0] >= zeros[1];
}

static uint32_t get_unit(const uint8_t *text, bool big) {
    return big ? (uint32_t)text[0] << 8 | text[1] : (uint32_t)text[1] << 8 | text[0];
}

// Converts UTF-16, with or without a byte order mark.
static char *convert_utf16(const uint8_t *text, size_t bytes) {
    size_t at = 0, n = 0;
    bool big = guess_big(text, bytes);
    char *out = fum_alloc(bytes / 2 * 3 + 1, 1); // a unit is at most three bytes
    if (!out) return NULL;
    if (bytes >= 2 && (get_unit(text, true) == 0xfeff || get_unit(text, true) == 0xfffe)) {
        big = get_unit(text, true) == 0xfeff;
        at = 2;
    }
    for (; at + 2 <= bytes; at += 2) {
        uint32_t c = get_unit(text + at, big);
        if (!c) break;
        uint32_t low = at + 4 <= bytes ? get_unit(text + at + 2, big) : 0;
        if (c >= 0xd800 && c < 0xdc00 && low >= 0xdc00 && low < 0xe000) {
            c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
            at += 2;
        } else if (c >= 0xd800 && c < 0xe000) {
            c = 0xfffd; // half of a pair
        }
        n += fum_utf8_put(out + n, c);
    }
    out[n] = 0;
    return out;
}

// Copies text of one byte a unit. What is no UTF-8 becomes U+FFFD.
static char *copy_text(const uint8_t *text, size_t bytes) {
    const uint8_t *end = memchr(text, 0, bytes);
    size_t length = end ? (size_t)(end - text) : bytes, n = 0, used;
    char *out = fum_alloc(length * 3 + 1, 1);
    for (size_t i = 0; out && i < length; i += used)
        n += fum_utf8_put(out + n, fum_utf8_next((const char *)text + i, length - i, &used));
    if (out) out[n] = 0;
    return out;
}

// ---- values ----

// A value outside of its directory.
struct value {
    const uint8_t *data; // NULL: there is none
    size_t bytes;
};

// Finds the value of a tag in the EXIF directory, at least `least` bytes and one more.
static struct value find_value(const uint8_t *data, size_t bytes, uint32_t tag, size_t least) {
    const struct block b = {data, bytes, data[0] == 'M'};
    size_t exif = find_entry(&b, get_number(&b, 4, 4), TAG_EXIF),
           entry = exif ? find_entry(&b, get_number(&b, exif + 8, 4), tag) : 0;
    if (!entry) return (struct value){0};
    size_t count = get_number(&b, entry + 4, 4), at = get_number(&b, entry + 8, 4);
    if (count <= least || at > bytes || bytes - at < count) return (struct value){0};
    return (struct value){data + at, count};
}

// Stores NULL where the block has no comment. Returns false when memory is out, as find_note does.
static bool find_comment(struct fum_exif_block block, char **text) {
    const struct value v = find_value(block.data, block.bytes, TAG_COMMENT, CODE_BYTES);
    if (!v.data) return true;
    const uint8_t *comment = v.data + CODE_BYTES;
    bool wide = !memcmp(v.data, "UNICODE", CODE_BYTES - 1);
    *text = wide ? convert_utf16(comment, v.bytes - CODE_BYTES)
                 : copy_text(comment, v.bytes - CODE_BYTES);
    return *text != NULL;
}

// Finds the maker's note if this program is the maker.
static bool find_note(struct fum_exif_block block, char **text) {
    static const char maker[] = FUM_IMAGE_REQUEST_KEY;
    const struct value v = find_value(block.data, block.bytes, TAG_NOTE, sizeof maker);
    if (!v.data || memcmp(v.data, maker, sizeof maker)) return true;
    *text = copy_text(v.data + sizeof maker, v.bytes - sizeof maker);
    return *text != NULL;
}

bool fum_exif_find_text(struct fum_exif_block block, const char *key, char **text) {
    *text = NULL;
    if (block.bytes >= 6 && !memcmp(block.data, "Exif\0\0", 6)) {
        block.data += 6;
        block.bytes -= 6;
    }
    if (block.bytes < 8) return true;
    if (memcmp(block.data, "II*\0", 4) && memcmp(block.data, "MM\0*", 4)) return true;
    if (!strcmp(key, "parameters")) return find_comment(block, text);
    return strcmp(key, FUM_IMAGE_REQUEST_KEY) || find_note(block, text);
}
