// SPDX-License-Identifier: MIT
// Writing PNG: stb_image_write makes the picture, and the parameters' text chunk goes in after its
// header (PNG specification, 2nd edition).
#include "io/image.h"

#include "base/error.h"
#include "base/utf8.h"
#include "io/image_format.h"
#include "io/png.h"
#include "io/stb.h"

#include <string.h>
#include <zlib.h> // only crc32

static void put32(uint8_t *p, uint32_t value) {
    for (int i = 0; i < 4; i++) p[i] = (uint8_t)(value >> (24 - 8 * i));
}

// Puts length, type and CRC around the `bytes` of data that stand at chunk + 8; returns the chunk's
// whole length.
static size_t close_chunk(uint8_t *chunk, const char *type, size_t bytes) {
    put32(chunk, (uint32_t)bytes);
    memcpy(chunk + 4, type, 4);
    put32(chunk + 8 + bytes, (uint32_t)crc32_z(0, chunk + 4, bytes + 4));
    return bytes + 12;
}

static bool fits_latin1(const char *text) {
    size_t bytes = strlen(text), used;
    for (size_t i = 0; i < bytes; i += used)
        if (fum_utf8_next(text + i, bytes - i, &used) > 0xff) return false;
    return true;
}

// Returns the whole chunk, freed with fum_free; NULL when memory is out.
static uint8_t *text_chunk(const char *key, const char *text, size_t *bytes) {
    bool latin1 = fits_latin1(text);
    size_t at = 8 + strlen(key) + 1;
    // Each byte of the text becomes at most the three of U+FFFD.
    size_t text_bytes = strlen(text), used;
    uint8_t *chunk = fum_calloc(text_bytes * 3 + at + 16, 1);
    if (!chunk) return NULL;
    memcpy(chunk + 8, key, at - 8);
    if (!latin1) at += 4; // zeros: not compressed, method 0, no language, no translated key
    for (size_t i = 0; i < text_bytes; i += used) {
        uint32_t c = fum_utf8_next(text + i, text_bytes - i, &used);
        if (latin1)
            chunk[at++] = (uint8_t)c;
        else
            at += fum_utf8_put((char *)chunk + at, c);
    }
    *bytes = close_chunk(chunk, latin1 ? "tEXt" : "iTXt", at - 8);
    return chunk;
}

const uint8_t fum_png_signature[FUM_PNG_SIGNATURE] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};

// Puts a text chunk behind the header of a PNG. Takes the PNG over; NULL when memory is out.
static uint8_t *insert_text(uint8_t *png, size_t *bytes, const char *key, const char *value) {
    size_t text_bytes = 0;
    uint8_t *text = text_chunk(key, value, &text_bytes);
    uint8_t *out = text ? fum_realloc(png, *bytes + text_bytes, 1) : NULL;
    if (out) {
        uint8_t *at = out + FUM_PNG_IHDR_END;
        memmove(at + text_bytes, at, *bytes - FUM_PNG_IHDR_END);
        memcpy(at, text, text_bytes);
        *bytes += text_bytes;
    } else {
        fum_free(png);
    }
    fum_free(text);
    return out;
}

enum fum_result fum_image_encode_png(const struct fum_picture *picture, uint8_t **png,
                                     size_t *bytes, struct fum_error *err) {
    int channels = picture->channels;
    *png = NULL;
    if (channels != 1 && channels != 3 && channels != 4)
        return fum_error_set(err, FUM_ERR_ARG,
                             "a PNG of %d channels is not possible; give 1, 3 or 4", channels);
    enum fum_result result = fum_image_check_size(&(struct fum_image_file){.where = "PNG"},
                                                  picture->width, picture->height, err);
    if (result) return result;
    *png = fum_stb_write_png(picture, bytes);
    // The last one that is inserted comes first in the file.
    if (*png && picture->request)
        *png = insert_text(*png, bytes, FUM_IMAGE_REQUEST_KEY, picture->request);
    if (*png && picture->parameters)
        *png = insert_text(*png, bytes, "parameters", picture->parameters);
    return *png ? FUM_OK
                : fum_error_set(err, FUM_ERR_NOMEM, "no memory for a PNG of %dx%d", picture->width,
                                picture->height);
}
