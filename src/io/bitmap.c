// SPDX-License-Identifier: MIT
// Decodes and scales pictures for callers of the library.
#include <fumarole/bitmap.h>

#include "base/error.h"
#include "io/resize.h"

enum fum_result fum_bitmap_decode(struct fum_bitmap *bitmap, const struct fum_bitmap_file *file,
                                  struct fum_error *err) {
    const struct fum_image_file content = {.data = file->data,
                                           .bytes = file->bytes,
                                           .where = file->name ? file->name : "the picture",
                                           .max_pixels = file->max_pixels};
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
