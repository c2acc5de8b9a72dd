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
    // Finds the text with this key (UTF-8, freed with fum_free), or NULL. "parameters" are those
    // that a picture was generated with. Returns false when memory is out.
    bool (*find_text)(const struct fum_image_file *file, const char *key, char **text);
    // Finds the block of EXIF whose orientation decode does not heed, and its length, or NULL.
    // NULL: the format has none.
    const uint8_t *(*find_exif)(const struct fum_image_file *file, size_t *bytes);
    const char *missing;
};

// Reads the content of the file that `where` names, into *bytes, which the caller frees.
enum fum_result fum_image_load(struct fum_image_file *file, char **bytes, struct fum_error *err);
// Finds the block of EXIF that decoding a file does not heed, and its length, or NULL.
const uint8_t *fum_image_find_exif(const struct fum_image_file *file, size_t *bytes);
// Checks that a picture of this size may be written or read; file->where begins the error.
enum fum_result fum_image_check_size(const struct fum_image_file *file, long long width,
                                     long long height, struct fum_error *err);

extern const struct fum_image_format fum_image_png, fum_image_jpeg, fum_image_webp, fum_image_bmp;

#endif
