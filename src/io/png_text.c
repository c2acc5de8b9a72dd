// SPDX-License-Identifier: MIT
#include "io/png_text.h"

#include "base/macros.h"
#include "base/utf8.h"
#include "io/exif_text.h"
#include "io/png.h"

#include <string.h>
#include <zlib.h>

// Limit of the bytes that the compressed texts of a file have together, damaged ones included.
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

// Decompresses a text, and takes its bytes from *left. *text is NULL if it is damaged or longer.
// Returns false when memory is out.
static bool decompress(const struct chunk *c, size_t *left, uint8_t **text, size_t *bytes) {
    *text = NULL;
    if (!*left) return true;
    z_stream z = {.next_in = (uint8_t *)(uintptr_t)c->data, .avail_in = (uInt)c->bytes};
    size_t size = FUM_MIN(c->bytes * 4 + 1024, *left), used = 0;
    int status = inflateInit(&z);
    *text = status == Z_OK ? fum_alloc(size, 1) : NULL;
    if (!*text) status = Z_MEM_ERROR;
    while (status == Z_OK) {
        z.next_out = *text + used;
        z.avail_out = (uInt)(size - used);
        status = inflate(&z, Z_NO_FLUSH);
        used = size - z.avail_out;
        if (status != Z_OK || z.avail_out) continue;
        if (size >= *left) break;
        size = FUM_MIN(size * 2, *left);
        uint8_t *grown = fum_realloc(*text, size, 1);
        if (grown)
            *text = grown;
        else
            status = Z_MEM_ERROR;
    }
    inflateEnd(&z); // which takes a stream that did not begin, too
    *left -= used;
    if (status != Z_STREAM_END) {
        fum_free(*text);
        *text = NULL;
    }
    *bytes = used;
    return status != Z_MEM_ERROR;
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

static bool convert_compressed(const struct chunk *c, bool utf8, size_t *left, char **text) {
    size_t bytes = 0;
    uint8_t *data = NULL;
    bool good = decompress(c, left, &data, &bytes);
    if (data) *text = convert(data, bytes, utf8);
    fum_free(data);
    return good && (!data || *text);
}

// Finds the text of a chunk with this key; NULL: it has another one, or is damaged. Returns false
// when memory is out.
static bool chunk_text(const char *type, struct chunk c, const char *key, size_t *left,
                       char **text) {
    size_t key_bytes = strlen(key) + 1;
    bool international = !memcmp(type, "iTXt", 4), compressed = !memcmp(type, "zTXt", 4);
    if (c.bytes < key_bytes || memcmp(c.data, key, key_bytes)) return true;
    c.data += key_bytes;
    c.bytes -= key_bytes;
    size_t flags = 2 * (size_t)international + (size_t)compressed;
    if (c.bytes < flags) return true;
    if (international) compressed = c.data[0] != 0;
    c.data += flags;
    c.bytes -= flags;
    if (international && !(skip_text(&c) && skip_text(&c))) return true; // language, translated key
    if (compressed) return convert_compressed(&c, international, left, text);
    *text = convert(c.data, c.bytes, international);
    return *text != NULL;
}

static bool is_text(const char *type) {
    return !memcmp(type, "tEXt", 4) || !memcmp(type, "zTXt", 4) || !memcmp(type, "iTXt", 4);
}

bool fum_png_find_text(const struct fum_image_file *file, const char *key, char **text) {
    const uint8_t *png = file->data;
    size_t bytes = file->bytes, left = MAX_TEXT_BYTES;
    char *comment = NULL;
    bool good = true;
    *text = NULL;
    for (size_t at = FUM_PNG_SIGNATURE; good && !*text && at <= bytes && bytes - at >= 12;) {
        size_t length = get32(png + at);
        const char *type = (const char *)png + at + 4;
        if (length > bytes - at - 12) break;
        const uint8_t *data = png + at + 8;
        if (is_text(type))
            good = chunk_text(type, (struct chunk){data, length}, key, &left, text);
        else if (!memcmp(type, "eXIf", 4) && !comment && !strcmp(key, "parameters"))
            good = fum_exif_find_text((struct fum_exif_block){data, length}, key, &comment);
        at += length + 12;
    }
    if (good && !*text)
        *text = comment;
    else
        fum_free(comment);
    return good;
}
