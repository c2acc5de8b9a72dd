// SPDX-License-Identifier: MIT
// Formats that pictures are written in, as records, and the choice of one by a file's name.
#ifndef FUM_IO_IMAGE_WRITER_H
#define FUM_IO_IMAGE_WRITER_H

#include "io/image.h"

struct fum_image_writer {
    const char *name;
    const char *endings[3]; // of files, NULL after the last
    // Makes the file in memory, freed with fum_free. The picture has 1, 3 or 4 channels and a size
    // within the limits. NULL: this build has no writer, and `missing` names the library that it
    // was built without.
    enum fum_result (*encode)(const struct fum_picture *picture, uint8_t **bytes, size_t *count,
                              struct fum_error *err);
    const char *missing;
};

extern const struct fum_image_writer fum_image_jpeg_writer, fum_image_webp_writer;

// Checks that a picture of that name can be written.
enum fum_result fum_image_check_ending(const char *path, struct fum_error *err);
// Writes a picture in the format that the ending of its name stands for: PNG, unless it is one of
// the above. The file appears only when it is complete.
enum fum_result fum_image_write(const char *path, const struct fum_picture *picture,
                                struct fum_error *err);
// Makes that file in memory, freed with fum_free.
enum fum_result fum_image_encode_as(const char *name, const struct fum_picture *picture,
                                    uint8_t **bytes, size_t *count, struct fum_error *err);

#endif
