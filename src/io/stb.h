// SPDX-License-Identifier: MIT
// stb_image and stb_image_write as this project uses them: PNG only, in memory, through
// base/alloc.h.
#ifndef FUM_IO_STB_H
#define FUM_IO_STB_H

#include "base/alloc.h"

// A PNG's pixels (freed with fum_free), `channels` of them (0: as it is); NULL with *why when it
// cannot be decoded.
uint8_t *fum_stb_read_png(const uint8_t *png, int bytes, int channels, int *width, int *height,
                          int *found, const char **why);

// A PNG (freed with fum_free) of a picture whose size fum_png_check_size let pass; NULL when memory
// is out.
uint8_t *fum_stb_write_png(const uint8_t *pixels, int width, int height, int channels,
                           size_t *bytes);

#endif
