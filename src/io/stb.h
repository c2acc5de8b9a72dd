// stb_image as this project uses it: PNG only, from memory, through base/alloc.h.
#ifndef FUM_IO_STB_H
#define FUM_IO_STB_H

#include "base/alloc.h"

// A PNG's pixels (freed with fum_free), `channels` of them (0: as it is); NULL with *why when it cannot be
// decoded.
uint8_t *fum_stb_read_png(const uint8_t *png, int bytes, int channels, int *width, int *height, int *found,
                          const char **why);

#endif
