// SPDX-License-Identifier: MIT
// A shape as settings: rank, d0, d1, d2, d3.
#ifndef FUM_OPS_SHAPE_ATTRS_H
#define FUM_OPS_SHAPE_ATTRS_H

#include "graph/op.h"

enum { FUM_SHAPE_ATTRS = 5 };
#define FUM_SHAPE_ATTR_DEFS                         \
    {"rank", 1}, {"d0", 0}, {"d1", 0}, {"d2", 0}, { \
        "d3", 0                                     \
    }

// Returns dimension i of four, aligned at the last; missing ones are 1.
int64_t fum_dim4(const struct fum_shape *shape, int i);
// Returns true if `from` broadcasts to `to`: each of its dimensions is 1 or the same.
bool fum_shape_broadcasts(const struct fum_shape *from, const struct fum_shape *to);

// Reads them from attr[0..5); false with `why` when they are no shape.
bool fum_shape_from_attrs(const double *attr, struct fum_shape *shape, struct fum_why *why);

// Does the same for an op that keeps its input's elements, and checks their number.
bool fum_reshape_infer(struct fum_op_call *call, struct fum_why *why);
void fum_reshape_reference(const struct fum_op_call *call, const double *const *in, double *out);

#endif
