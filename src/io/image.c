// SPDX-License-Identifier: MIT
#include "io/image.h"

#include "base/error.h"
#include "base/utf8.h"
#include "io/png.h"
#include "io/stb.h"

#include <limits.h>
#include <string.h>

enum { MAX_FILE_BYTES = 512 << 20 };

void fum_bitmap_free(struct fum_bitmap *bitmap) {
    fum_free(bitmap->pixels);
    *bitmap = (struct fum_bitmap){0};
}

static uint32_t get32(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

enum fum_result fum_image_write_png(const char *path, const struct fum_picture *picture,
                                    struct fum_error *err) {
    uint8_t *png = NULL;
    size_t bytes = 0;
    enum fum_result result = fum_image_encode_png(picture, &png, &bytes, err);
    if (result) {
        fum_error_prefix(err, "cannot write %s", path);
        return result;
    }
    result = fum_file_save(path, png, bytes, err);
    fum_free(png);
    return result;
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

static char *find_parameters(const uint8_t *png, size_t bytes) {
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

static enum fum_result check_png(const struct fum_png *png, struct fum_error *err) {
    const uint8_t *data = png->data;
    if (png->bytes < FUM_PNG_IHDR_END || memcmp(data, fum_png_signature, FUM_PNG_SIGNATURE) ||
        memcmp(data + 12, "IHDR", 4))
        return fum_error_set(err, FUM_ERR_FORMAT, "%s: not a PNG file", png->where);
    if (png->bytes > MAX_FILE_BYTES || png->bytes > INT_MAX)
        return fum_error_set(err, FUM_ERR_FORMAT, "%s: %zu bytes are over the limit for a picture",
                             png->where, png->bytes);
    enum fum_result result =
        fum_png_check_size(png->where, get32(data + 16), get32(data + 20), err);
    if (!result && !has_data(data, png->bytes))
        return fum_error_set(err, FUM_ERR_FORMAT, "%s: the PNG holds no picture", png->where);
    return result;
}

enum fum_result fum_image_decode_png(const struct fum_png *png, int channels,
                                     struct fum_bitmap *bitmap, char **parameters,
                                     struct fum_error *err) {
    const char *why = NULL;
    *bitmap = (struct fum_bitmap){0};
    if (parameters) *parameters = NULL;
    enum fum_result result = check_png(png, err);
    if (result) return result;
    if (!fum_stb_read_png(png->data, (int)png->bytes, channels, bitmap, &why)) {
        bool memory = why && !strcmp(why, "outofmem");
        return fum_error_set(err, memory ? FUM_ERR_NOMEM : FUM_ERR_FORMAT,
                             "%s: cannot decode the PNG: %s", png->where, why ? why : "damaged");
    }
    if (parameters) *parameters = find_parameters(png->data, png->bytes);
    return FUM_OK;
}

enum fum_result fum_image_read(const char *path, int channels, struct fum_bitmap *bitmap,
                               char **parameters, struct fum_error *err) {
    char *bytes = NULL;
    size_t count = 0;
    *bitmap = (struct fum_bitmap){0};
    if (parameters) *parameters = NULL;
    enum fum_result result = fum_file_read(path, MAX_FILE_BYTES, &bytes, &count, err);
    if (result) return result;
    const struct fum_png png = {(const uint8_t *)bytes, count, path};
    result = fum_image_decode_png(&png, channels, bitmap, parameters, err);
    fum_free(bytes);
    return result;
}
