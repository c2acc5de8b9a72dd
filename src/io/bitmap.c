// SPDX-License-Identifier: MIT
// Decodes, scales and encodes pictures for callers of the library.
#include <fumarole/bitmap.h>

#include "base/error.h"
#include "base/require.h"
#include "io/image_writer.h"
#include "io/jpeg_turn.h"
#include "io/image_format.h"
#include "io/resize.h"

#include <stdio.h>

static struct fum_image_file content_of(const struct fum_bitmap_file *file) {
    return (struct fum_image_file){.data = file->data,
                                   .bytes = file->bytes,
                                   .where = file->name ? file->name : "the picture",
                                   .max_pixels = file->max_pixels};
}

enum fum_result fum_bitmap_decode(struct fum_bitmap *bitmap, const struct fum_bitmap_file *file,
                                  struct fum_error *err) {
    const struct fum_image_file content = content_of(file);
    struct fum_bitmap decoded = {0};
    *bitmap = (struct fum_bitmap){0};
    enum fum_result result = fum_image_decode_upright(&content, &decoded, err);
    if (result || !file->channels || file->channels == decoded.channels) {
        *bitmap = decoded;
        return result;
    }
    result = fum_bitmap_convert(&decoded, file->channels, bitmap, err);
    fum_bitmap_free(&decoded);
    return result;
}

enum fum_result fum_bitmap_measure(struct fum_bitmap *size, const struct fum_bitmap_file *file,
                                   struct fum_error *err) {
    const struct fum_image_file content = content_of(file);
    size_t bytes = 0;
    enum fum_result result = fum_image_measure(&content, size, err);
    const uint8_t *exif = result ? NULL : fum_image_find_exif(&content, &bytes);
    if (exif && fum_jpeg_orientation(exif, bytes) > 4) { // sides change places
        int width = size->width;
        size->width = size->height;
        size->height = width;
    }
    size->pixels = NULL;
    return result;
}

enum fum_result fum_bitmap_resize(const struct fum_bitmap *from, enum fum_bitmap_filter filter,
                                  struct fum_bitmap *to, struct fum_error *err) {
    int width = to->width, height = to->height;
    *to = (struct fum_bitmap){0};
    if (width < 1 || height < 1 || width > FUM_MAX_SIDE || height > FUM_MAX_SIDE ||
        (int64_t)width * height > FUM_MAX_PIXELS)
        return fum_error_set(err, FUM_ERR_ARG, "a picture cannot be scaled to %dx%d pixels", width,
                             height);
    if (filter == FUM_BITMAP_NEAREST) return fum_bitmap_scale_nearest(from, width, height, to, err);
    return fum_bitmap_scale(from, width, height, to, err);
}

enum fum_result fum_bitmap_encode(const struct fum_bitmap *bitmap,
                                  const struct fum_bitmap_format *format, struct fum_bytes *bytes,
                                  struct fum_error *err) {
    char name[32];
    struct fum_bitmap converted = {0};
    enum fum_result result = FUM_OK;
    *bytes = (struct fum_bytes){0};
    if (fum_require(format->name, "the name of a format", err)) return FUM_ERR_ARG;
    snprintf(name, sizeof name, "picture.%s", format->name);
    if (bitmap->channels == 2) result = fum_bitmap_convert(bitmap, 4, &converted, err);
    if (result) return result;
    const struct fum_bitmap *from = converted.pixels ? &converted : bitmap;
    const struct fum_picture picture = {.pixels = from->pixels,
                                        .width = from->width,
                                        .height = from->height,
                                        .channels = from->channels,
                                        .parameters = format->parameters,
                                        .quality = format->quality};
    result = fum_image_encode_as(name, &picture, &bytes->data, &bytes->count, err);
    fum_bitmap_free(&converted);
    return result;
}
