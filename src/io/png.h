// SPDX-License-Identifier: MIT
// What the reading and the writing of PNG share.
#ifndef FUM_IO_PNG_H
#define FUM_IO_PNG_H

#include <fumarole/core.h>

enum {
    FUM_PNG_SIGNATURE = 8,
    FUM_PNG_IHDR_END = 33, // the header is the first chunk and has 13 bytes of data
};
extern const uint8_t fum_png_signature[FUM_PNG_SIGNATURE];

#endif
