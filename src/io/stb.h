// SPDX-License-Identifier: MIT
// stb_image and stb_image_write as this project uses them: BMP is read and PNG written, in memory,
// through base/alloc.h.
#ifndef FUM_IO_STB_H
#define FUM_IO_STB_H

#include "base/alloc.h"
#include "io/image.h"

// Decodes the pixels of a BMP. False with *why if it cannot be decoded; the bitmap stays as it was.
bool fum_stb_read_bmp(const uint8_t *bmp, int bytes, struct fum_bitmap *bitmap, const char **why);

// Returns the PNG (freed with fum_free) of a picture whose size fum_image_check_size accepts; NULL
// when memory is out.
uint8_t *fum_stb_write_png(const struct fum_picture *picture, size_t *bytes);

#endif
