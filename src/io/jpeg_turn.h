// SPDX-License-Identifier: MIT
// The orientation of a camera's picture: tag 0x0112 of EXIF, from 1 to 8.
#ifndef FUM_IO_JPEG_TURN_H
#define FUM_IO_JPEG_TURN_H

#include "io/image.h"

// Reads the orientation from a block of EXIF, from the byte order on, or with "Exif" and two zeros
// before it. Returns 1, upright, if it holds none.
int fum_jpeg_orientation(const uint8_t *data, size_t bytes);
// Turns and mirrors a picture so that it is upright. From 5 on width and height are exchanged.
enum fum_result fum_jpeg_turn(struct fum_bitmap *bitmap, int orientation, struct fum_error *err);

#endif
