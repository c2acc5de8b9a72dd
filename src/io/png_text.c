// SPDX-License-Identifier: MIT
#include "io/png_text.h"

#include "base/utf8.h"
#include "io/exif_text.h"
#include "io/png.h"

#include <string.h>
#include <zlib.h>

enum { MAX_TEXT_BYTES = 16 << 20 };

// The data of a chunk.
struct chunk {
    const uint8_t *data;
    size_t bytes;
};

static uint32_t get32(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

// Moves the chunk behind a text that a zero ends. Returns false if none does.
static bool skip_text(struct chunk *c) {
    const uint8_t *end = memchr(c->data, 0, c->bytes);
    if (!end) return false;
    c->bytes -= (size_t)(end - c->data) + 1;
    c->data = end + 1;
    return true;
}

// Decompresses a text. Returns NULL if it is damaged or longer than the limit.
static uint8_t *decompress(const struct chunk *c, size_t *bytes) {
    z_stream z = {.next_in = (uint8_t *)(uintptr_t)c->data, .avail_in = (uInt)c->bytes};
    size_t size = c->bytes * 4 + 1024, used = 0;
    if (size > MAX_TEXT_BYTES) size = MAX_TEXT_BYTES;
    uint8_t *text = fum_alloc(size, 1);
    int status = text && inflateInit(&z) == Z_OK ? Z_OK : Z_MEM_ERROR;
    bool begun = status == Z_OK;
    while (status == Z_OK) {
        z.next_out = text + used;
        z.avail_out = (uInt)(size - used);
        status = inflate(&z, Z_NO_FLUSH);
        used = size - z.avail_out;
        if (status != Z_OK || z.avail_out) continue;
        uint8_t *grown = size < MAX_TEXT_BYTES ? fum_realloc(text, size * 2, 1) : NULL;
        if (!grown) break;
        text = grown;
        size *= 2;
    }
    if (begun) inflateEnd(&z);
    if (status != Z_STREAM_END) {
        fum_free(text);
        return NULL;
    }
    *bytes = used;
    return text;
}

// Converts Latin-1, or copies UTF-8 with U+FFFD for what is damaged, up to the first zero.
static char *convert(const uint8_t *data, size_t bytes, bool utf8) {
    char *text = fum_alloc(bytes * 3 + 1, 1); // a byte becomes at most the three of U+FFFD
    size_t n = 0, used = 1;
    for (size_t at = 0; text && at < bytes && data[at]; at += used) {
        uint32_t c = utf8 ? fum_utf8_next((const char *)data + at, bytes - at, &used) : data[at];
        n += fum_utf8_put(text + n, c);
    }
    if (text) text[n] = 0;
    return text;
}

static char *convert_compressed(const struct chunk *c, bool utf8) {
    size_t bytes = 0;
    uint8_t *data = decompress(c, &bytes);
    char *text = data ? convert(data, bytes, utf8) : NULL;
    fum_free(data);
    return text;
}

// Returns the text of a chunk with this key; NULL: it has another one, or is damaged.
static char *chunk_text(const char *type, struct chunk c, const char *key) {
    size_t key_bytes = strlen(key) + 1;
    bool international = !memcmp(type, "iTXt", 4), compressed = !memcmp(type, "zTXt", 4);
    if (c.bytes < key_bytes || memcmp(c.data, key, key_bytes)) return NULL;
    c.data += key_bytes;
    c.bytes -= key_bytes;
    size_t flags = 2 * (size_t)international + (size_t)compressed;
    if (c.bytes < flags) return NULL;
    if (international) compressed = c.data[0] != 0;
    c.data += flags;
    c.bytes -= flags;
    if (international && !(skip_text(&c) && skip_text(&c))) return NULL; // language, translated key
    return compressed ? convert_compressed(&c, international)
                      : convert(c.data, c.bytes, international);
}

char *fum_png_find_text(const struct fum_image_file *file, const char *key) {
    const uint8_t *png = file->data;
    size_t bytes = file->bytes;
    char *comment = NULL;
    for (size_t at = FUM_PNG_SIGNATURE; at <= bytes && bytes - at >= 12;) {
        size_t length = get32(png + at);
        const char *type = (const char *)png + at + 4;
        if (length > bytes - at - 12) break;
        const struct chunk chunk = {png + at + 8, length};
        bool text =
            !memcmp(type, "tEXt", 4) || !memcmp(type, "zTXt", 4) || !memcmp(type, "iTXt", 4);
        char *found = text ? chunk_text(type, chunk, key) : NULL;
        if (found) {
            fum_free(comment);
            return found;
        }
        if (!memcmp(type, "eXIf", 4) && !comment && !strcmp(key, "parameters"))
            comment = fum_exif_find_text(chunk.data, chunk.bytes, "parameters");
        at += length + 12;
    }
    return comment;
}
