// SPDX-License-Identifier: MIT
// Reads WebP through libwebp.
#include "base/error.h"
#include "io/exif_text.h"
#include "io/image_config.h"
#include "io/image_format.h"

#include <string.h>

static bool probe(const uint8_t *begin, size_t bytes) {
    return bytes >= 12 && !memcmp(begin, "RIFF", 4) && !memcmp(begin + 8, "WEBP", 4);
}

// Finds the EXIF chunk, which follows the picture.
static const uint8_t *find_exif(const struct fum_image_file *file, size_t *bytes) {
    const uint8_t *data = file->data;
    for (size_t at = 12; at <= file->bytes && file->bytes - at >= 8;) {
        size_t length = (size_t)data[at + 4] | (size_t)data[at + 5] << 8 |
                        (size_t)data[at + 6] << 16 | (size_t)data[at + 7] << 24;
        if (length > file->bytes - at - 8) break;
        *bytes = length;
        if (!memcmp(data + at, "EXIF", 4)) return data + at + 8;
        at += 8 + length + length % 2;
    }
    return NULL;
}

static bool find_text(const struct fum_image_file *file, const char *key, char **text) {
    size_t bytes = 0;
    const uint8_t *exif = find_exif(file, &bytes);
    *text = NULL;
    return !exif || fum_exif_find_text((struct fum_exif_block){exif, bytes}, key, text);
}

#ifdef FUM_HAS_WEBP

#include <webp/decode.h>

static enum fum_result report(VP8StatusCode status, const struct fum_image_file *file,
                              struct fum_error *err) {
    bool memory = status == VP8_STATUS_OUT_OF_MEMORY, cut = status == VP8_STATUS_NOT_ENOUGH_DATA;
    const char *why = cut ? "cut off" : "damaged";
    return fum_error_set(err, memory ? FUM_ERR_NOMEM : FUM_ERR_FORMAT,
                         "%s: cannot decode the WebP: %s", file->where,
                         memory ? "no memory for its pixels" : why);
}

static enum fum_result read_features(const struct fum_image_file *file,
                                     WebPBitstreamFeatures *features, struct fum_error *err) {
    VP8StatusCode status = WebPGetFeatures(file->data, file->bytes, features);
    if (status != VP8_STATUS_OK) return report(status, file, err);
    if (features->has_animation)
        return fum_error_set(err, FUM_ERR_UNSUPPORTED, "%s: the WebP is an animation", file->where);
    return fum_image_check_size(file, features->width, features->height, err);
}

static enum fum_result measure(const struct fum_image_file *file, struct fum_bitmap *size,
                               struct fum_error *err) {
    WebPBitstreamFeatures features;
    enum fum_result result = read_features(file, &features, err);
    if (result) return result;
    *size = (struct fum_bitmap){NULL, features.width, features.height, features.has_alpha ? 4 : 3};
    return FUM_OK;
}

static enum fum_result decode(const struct fum_image_file *file, struct fum_bitmap *bitmap,
                              struct fum_error *err) {
    WebPDecoderConfig config;
    struct fum_bitmap found;
    enum fum_result result = measure(file, &found, err);
    if (result) return result;
    size_t stride = (size_t)found.width * (size_t)found.channels;
    found.pixels = fum_alloc(stride, (size_t)found.height);
    if (!found.pixels || !WebPInitDecoderConfig(&config)) {
        fum_bitmap_free(&found);
        return report(VP8_STATUS_OUT_OF_MEMORY, file, err);
    }
    config.output.colorspace = found.channels == 4 ? MODE_RGBA : MODE_RGB;
    config.output.u.RGBA = (WebPRGBABuffer){
        .rgba = found.pixels, .stride = (int)stride, .size = stride * (size_t)found.height};
    config.output.is_external_memory = 1;
    VP8StatusCode status = WebPDecode(file->data, file->bytes, &config);
    if (status == VP8_STATUS_OK) {
        *bitmap = found;
        return FUM_OK;
    }
    fum_bitmap_free(&found);
    return report(status, file, err);
}

const struct fum_image_format fum_image_webp = {
    .name = "WebP",
    .probe = probe,
    .find_text = find_text,
    .find_exif = find_exif,
    .measure = measure,
    .decode = decode,
};

#else

const struct fum_image_format fum_image_webp = {
    .name = "WebP",
    .probe = probe,
    .find_text = find_text,
    .find_exif = find_exif,
    .missing = "libwebp",
};

#endif
