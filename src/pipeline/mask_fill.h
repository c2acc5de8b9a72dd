// SPDX-License-Identifier: MIT
// Declares how the part of a picture that changes is filled with the colours around it.
#ifndef FUM_PIPELINE_MASK_FILL_H
#define FUM_PIPELINE_MASK_FILL_H

#include "io/image.h"

// Covers what the mask lets change with the picture around it, blurred more and more the farther it
// is, as A1111's "fill" does.
enum fum_result fum_mask_fill(struct fum_bitmap *picture, const struct fum_bitmap *mask,
                              struct fum_error *err);

#endif
