// SPDX-License-Identifier: MIT
// Reads pictures that are turned as their EXIF says.
#include "base/error.h"
#include "io/image_format.h"
#include "io/jpeg_turn.h"

enum fum_result fum_image_decode_upright(const struct fum_image_file *file,
                                         struct fum_bitmap *bitmap, struct fum_error *err) {
    size_t bytes = 0;
    enum fum_result result = fum_image_decode(file, 0, bitmap, NULL, err);
    if (result) return result;
    const uint8_t *exif = fum_image_find_exif(file, &bytes);
    if (exif) result = fum_jpeg_turn(bitmap, fum_jpeg_orientation(exif, bytes), err);
    if (result) fum_bitmap_free(bitmap);
    return result;
}

enum fum_result fum_image_read_file(const char *path, int64_t max_pixels, struct fum_bitmap *bitmap,
                                    struct fum_error *err) {
    struct fum_image_file file = {.where = path, .max_pixels = max_pixels, .refuse_inks = true};
    char *bytes = NULL;
    *bitmap = (struct fum_bitmap){0};
    enum fum_result result = fum_image_load(&file, &bytes, err);
    if (!result) result = fum_image_decode_upright(&file, bitmap, err);
    fum_free(bytes);
    return result;
}
