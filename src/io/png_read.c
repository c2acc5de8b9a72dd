// SPDX-License-Identifier: MIT
// Reading PNG: stb_image decodes, after checks that it takes for granted.
#include "base/error.h"
#include "io/image_format.h"
#include "io/png.h"
#include "io/png_text.h"
#include "io/stb.h"

#include <limits.h>
#include <string.h>

static uint32_t get32(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

// Returns the data of the first chunk of a type, or NULL. The length may reach past the end of the
// file.
static const uint8_t *find_chunk(const struct fum_image_file *png, const char *type,
                                 size_t *length) {
    size_t bytes = png->bytes;
    for (size_t at = FUM_PNG_SIGNATURE; bytes - at >= 12;) {
        *length = get32(png->data + at);
        if (!memcmp(png->data + at + 4, type, 4)) return png->data + at + 8;
        if (*length > bytes - at - 12) return NULL;
        at += *length + 12;
    }
    return NULL;
}

// True if the first IDAT chunk is there and holds bytes, which stb_image takes for granted.
static bool has_data(const struct fum_image_file *png) {
    size_t length = 0;
    return find_chunk(png, "IDAT", &length) && length > 0;
}

static const uint8_t *find_exif(const struct fum_image_file *png, size_t *bytes) {
    const uint8_t *exif = find_chunk(png, "eXIf", bytes);
    return exif && *bytes <= png->bytes - (size_t)(exif - png->data) ? exif : NULL;
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
    if (!result && !has_data(png))
        return fum_error_set(err, FUM_ERR_FORMAT, "%s: the PNG holds no picture", png->where);
    if (result || fum_stb_read(png->data, (int)png->bytes, bitmap, &why)) return result;
    bool memory = why && !strcmp(why, "outofmem");
    return fum_error_set(err, memory ? FUM_ERR_NOMEM : FUM_ERR_FORMAT,
                         "%s: cannot decode the PNG: %s", png->where, why ? why : "damaged");
}

const struct fum_image_format fum_image_png = {
    .name = "PNG",
    .probe = probe,
    .measure = measure,
    .decode = decode,
    .find_text = fum_png_find_text,
    .find_exif = find_exif,
};
