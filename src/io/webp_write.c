// SPDX-License-Identifier: MIT
// Writes WebP through libwebp, with the parameters in EXIF.
#include "base/error.h"
#include "io/exif_text.h"
#include "io/image_config.h"
#include "io/image_writer.h"

#ifdef FUM_HAS_WEBP

#include <string.h>

#include <webp/encode.h>

// The container's pieces, each of an even length: "RIFF", its bytes and "WEBP", then a header of
// features (VP8X), the picture, and the EXIF block.
enum { RIFF = 12, CHUNK = 8, FEATURES = 10, HAS_EXIF = 0x08 };

static void put32(uint8_t *p, size_t value) {
    for (int i = 0; i < 4; i++) p[i] = (uint8_t)(value >> 8 * i);
}

static void put24(uint8_t *p, int value) {
    for (int i = 0; i < 3; i++) p[i] = (uint8_t)(value >> 8 * i);
}

// Returns whether the library's file has a header of features, as one with transparency has.
static bool has_features(const uint8_t *webp) {
    return !memcmp(webp + RIFF, "VP8X", 4);
}

// Writes the header of features of an opaque picture.
static void put_features(uint8_t *p, const struct fum_picture *picture) {
    memcpy(p, "VP8X", 4);
    put32(p + 4, FEATURES);
    put24(p + CHUNK + 4, picture->width - 1);
    put24(p + CHUNK + 7, picture->height - 1);
}

// Returns the file of a picture with its texts, freed with fum_free. `webp` is the library's file,
// which has none.
static uint8_t *add_texts(const struct fum_picture *picture, const uint8_t *webp, size_t bytes,
                          size_t *count) {
    const struct fum_exif_texts texts = {picture->parameters, picture->request};
    size_t exif_bytes = 0, added = has_features(webp) ? 0 : CHUNK + FEATURES;
    uint8_t *exif = fum_exif_write(&texts, &exif_bytes);
    *count = added + bytes + CHUNK + exif_bytes + (exif_bytes & 1);
    uint8_t *out = exif ? fum_calloc(*count, 1) : NULL;
    if (out) {
        uint8_t *end = out + added + bytes;
        memcpy(out, webp, RIFF);
        put32(out + 4, *count - CHUNK);
        if (added) put_features(out + RIFF, picture);
        memcpy(out + RIFF + added, webp + RIFF, bytes - RIFF);
        out[RIFF + CHUNK] |= HAS_EXIF;
        memcpy(end, "EXIF", 4);
        put32(end + 4, exif_bytes);
        memcpy(end + CHUNK, exif, exif_bytes);
    }
    fum_free(exif);
    return out;
}

static enum fum_result no_memory(const struct fum_picture *p, struct fum_error *err) {
    return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a WebP of %dx%d", p->width, p->height);
}

// Makes the file with the texts, or a copy without any.
static enum fum_result finish(const struct fum_picture *picture, const uint8_t *webp, size_t bytes,
                              uint8_t **out, size_t *count) {
    if (picture->parameters) {
        *out = add_texts(picture, webp, bytes, count);
    } else {
        *count = bytes;
        *out = fum_alloc(bytes, 1);
        if (*out) memcpy(*out, webp, bytes);
    }
    return *out ? FUM_OK : FUM_ERR_NOMEM;
}

static enum fum_result encode(const struct fum_picture *picture, uint8_t **bytes, size_t *count,
                              struct fum_error *err) {
    struct fum_bitmap rgb = {0};
    const struct fum_bitmap given = {(uint8_t *)(uintptr_t)picture->pixels, picture->width,
                                     picture->height, picture->channels};
    uint8_t *webp = NULL;
    bool alpha = picture->channels == 4;
    if (picture->width > WEBP_MAX_DIMENSION || picture->height > WEBP_MAX_DIMENSION)
        return fum_error_set(err, FUM_ERR_ARG, "a WebP has at most %d pixels a side, not %dx%d",
                             WEBP_MAX_DIMENSION, picture->width, picture->height);
    enum fum_result result = fum_bitmap_convert(&given, alpha ? 4 : 3, &rgb, err);
    if (result) return result;
    int stride = rgb.width * rgb.channels;
    float quality = (float)(picture->quality ? picture->quality : FUM_IMAGE_QUALITY);
    size_t size = (alpha ? WebPEncodeRGBA : WebPEncodeRGB)(rgb.pixels, rgb.width, rgb.height,
                                                           stride, quality, &webp);
    fum_bitmap_free(&rgb);
    if (!size || finish(picture, webp, size, bytes, count)) result = no_memory(picture, err);
    WebPFree(webp);
    return result;
}

const struct fum_image_writer fum_image_webp_writer = {
    .name = "WebP",
    .endings = {".webp"},
    .encode = encode,
};

#else

const struct fum_image_writer fum_image_webp_writer = {
    .name = "WebP",
    .endings = {".webp"},
    .missing = "libwebp",
};

#endif
