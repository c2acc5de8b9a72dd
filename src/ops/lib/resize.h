// SPDX-License-Identifier: MIT
// What upsample and pixel_shuffle share: images [batch, height, width, channels] grown by a whole
// factor.
#ifndef FUM_OPS_RESIZE_H
#define FUM_OPS_RESIZE_H

#include "graph/op.h"

// Checks the rank and reads the factor from setting 0.
bool fum_resize_infer(struct fum_op_call *call, int64_t *factor, struct fum_why *why);
// Adds the dispatches of a call. shuffle: True if pixels come from channels, else they come from
// the nearest pixel.
bool fum_resize_dispatch(const struct fum_op_call *call, bool shuffle, struct fum_dispatches *list);

#endif
