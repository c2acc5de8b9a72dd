// SPDX-License-Identifier: MIT
// Reading PNG: stb_image decodes, after checks that it takes for granted.
#include "base/error.h"
#include "base/utf8.h"
#include "io/image_format.h"
#include "io/png.h"
#include "io/stb.h"

#include <limits.h>
#include <string.h>

static uint32_t get32(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

// Returns the text of a tEXt or uncompressed iTXt chunk with this key, as UTF-8. NULL: another key,
// or out of memory.
static char *chunk_text(const uint8_t *data, size_t bytes, bool international, const char *key) {
    size_t at = strlen(key) + 1;
    if (bytes < at || memcmp(data, key, at)) return NULL;
    if (international) {
        // compressed ones are not written by anyone we know
        if (bytes - at < 2 || data[at]) return NULL;
        at += 2;
        for (int i = 0; i < 2; i++) { // language tag, translated key
            const uint8_t *end = memchr(data + at, 0, bytes - at);
            if (!end) return NULL;
            at = (size_t)(end - data) + 1;
        }
    }
    char *text = fum_alloc((bytes - at) * 2 + 1, 1); // a Latin-1 byte is at most two of UTF-8
    if (!text) return NULL;
    size_t n = 0;
    for (; at < bytes && data[at]; at++) {
        if (international)
            text[n++] = (char)data[at];
        else
            n += fum_utf8_put(text + n, data[at]);
    }
    text[n] = 0;
    return text;
}

static char *find_parameters(const struct fum_image_file *file) {
    const uint8_t *png = file->data;
    size_t bytes = file->bytes;
    for (size_t at = FUM_PNG_SIGNATURE; bytes - at >= 12;) {
        size_t length = get32(png + at);
        if (length > bytes - at - 12) break;
        bool plain = !memcmp(png + at + 4, "tEXt", 4),
             international = !memcmp(png + at + 4, "iTXt", 4);
        if (plain || international) {
            char *text = chunk_text(png + at + 8, length, international, "parameters");
            if (text) return text;
        }
        at += length + 12;
    }
    return NULL;
}

// True if the first IDAT chunk is there and holds bytes, which stb_image takes for granted.
static bool has_data(const uint8_t *png, size_t bytes) {
    for (size_t at = FUM_PNG_SIGNATURE; bytes - at >= 12;) {
        size_t length = get32(png + at);
        if (!memcmp(png + at + 4, "IDAT", 4)) return length > 0;
        if (length > bytes - at - 12) return false;
        at += length + 12;
    }
    return false;
}

static enum fum_result check_png(const struct fum_image_file *png, struct fum_error *err) {
    const uint8_t *data = png->data;
    if (png->bytes < FUM_PNG_IHDR_END || memcmp(data, fum_png_signature, FUM_PNG_SIGNATURE) ||
        memcmp(data + 12, "IHDR", 4))
        return fum_error_set(err, FUM_ERR_FORMAT, "%s: not a PNG file", png->where);
    return fum_image_check_size(png, get32(data + 16), get32(data + 20), err);
}

static bool probe(const uint8_t *begin, size_t bytes) {
    return bytes >= FUM_PNG_SIGNATURE && !memcmp(begin, fum_png_signature, FUM_PNG_SIGNATURE);
}

static enum fum_result measure(const struct fum_image_file *png, struct fum_bitmap *size,
                               struct fum_error *err) {
    static const int channels[] = {1, 0, 3, 3, 2, 0, 4}; // of the header's types of colour
    enum fum_result result = check_png(png, err);
    if (result) return result;
    uint8_t type = png->data[25];
    if (type >= sizeof channels / sizeof *channels || !channels[type])
        return fum_error_set(err, FUM_ERR_FORMAT, "%s: no PNG has colours of type %d", png->where,
                             type);
    size->width = (int)get32(png->data + 16);
    size->height = (int)get32(png->data + 20);
    size->channels = channels[type];
    return FUM_OK;
}

static enum fum_result decode(const struct fum_image_file *png, struct fum_bitmap *bitmap,
                              struct fum_error *err) {
    const char *why = NULL;
    enum fum_result result = check_png(png, err);
    if (!result && !has_data(png->data, png->bytes))
        return fum_error_set(err, FUM_ERR_FORMAT, "%s: the PNG holds no picture", png->where);
    if (result || fum_stb_read_png(png->data, (int)png->bytes, bitmap, &why)) return result;
    bool memory = why && !strcmp(why, "outofmem");
    return fum_error_set(err, memory ? FUM_ERR_NOMEM : FUM_ERR_FORMAT,
                         "%s: cannot decode the PNG: %s", png->where, why ? why : "damaged");
}

const struct fum_image_format fum_image_png = {
    .name = "PNG",
    .probe = probe,
    .measure = measure,
    .decode = decode,
    .find_parameters = find_parameters,
};
