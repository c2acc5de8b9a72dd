// SPDX-License-Identifier: MIT
// What both ops of Canny's edges share. A picture is f32 [height, width].
#ifndef FUM_OPS_CANNY_H
#define FUM_OPS_CANNY_H

#include "graph/op.h"

// Marks of pixels: a ridge of the gradient that is weak, and an edge.
enum { FUM_CANNY_WEAK = 1, FUM_CANNY_EDGE = 2 };

bool fum_canny_infer(struct fum_op_call *call, struct fum_why *why);
// Adds a kernel that has an invocation for each pixel. low, high: thresholds of the gradient's
// squared length.
bool fum_canny_dispatch(const struct fum_op_call *call, const char *shader, double low, double high,
                        struct fum_dispatches *list);

#endif
