// SPDX-License-Identifier: MIT
// Formats of pictures as records: how a file of one is recognised, measured and decoded.
#ifndef FUM_IO_IMAGE_FORMAT_H
#define FUM_IO_IMAGE_FORMAT_H

#include "io/image.h"

struct fum_image_format {
    const char *name;
    // True if a file that begins with these bytes is of the format.
    bool (*probe)(const uint8_t *begin, size_t bytes);
    // Reads width, height and channels from the header, within the limits of pictures. NULL: this
    // build has no reader, and `missing` says which library it was built without.
    enum fum_result (*measure)(const struct fum_image_file *file, struct fum_bitmap *size,
                               struct fum_error *err);
    // Decodes to as many channels as the picture has.
    enum fum_result (*decode)(const struct fum_image_file *file, struct fum_bitmap *bitmap,
                              struct fum_error *err);
    // Returns the text with this key (UTF-8, freed with fum_free) or NULL. "parameters" are those
    // that a picture was generated with.
    char *(*find_text)(const struct fum_image_file *file, const char *key);
    const char *missing;
};

// Checks that a picture of this size may be written or read; file->where begins the error.
enum fum_result fum_image_check_size(const struct fum_image_file *file, long long width,
                                     long long height, struct fum_error *err);

extern const struct fum_image_format fum_image_png, fum_image_jpeg, fum_image_webp, fum_image_bmp;

#endif
