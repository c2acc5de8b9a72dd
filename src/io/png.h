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

// Checks that a picture of this size may be written or read; `where` begins the error.
enum fum_result fum_png_check_size(const char *where, long long width, long long height,
                                   struct fum_error *err);

#endif
