// SPDX-License-Identifier: MIT
// Copies of regions, which concat and slice are made of.
#ifndef FUM_OPS_COPY_H
#define FUM_OPS_COPY_H

#include "graph/op.h"

// `runs` runs of `run` consecutive rows each, of which `channels` channels are copied from input
// `operand` to the output. Elements of a quad of the output that lie before dst_channel keep their
// value; those behind the region become undefined. So regions of one row must be written in order
// of their channels.
struct fum_copy {
    int operand;
    struct fum_desc src, dst;
    int64_t runs, run;
    int64_t src_row, src_step, dst_row, dst_step; // the first row; rows from one run to the next
    int64_t src_channel, dst_channel, channels;
};
bool fum_copy_emit(struct fum_dispatches *list, const struct fum_copy *copy);
void fum_copy_reference(const struct fum_copy *copy, const double *src, double *dst);

// Resolves an axis setting to an index of the shape. -1 is the last dimension. Refuses an index
// that the shape does not have.
bool fum_axis(const struct fum_shape *shape, double attr, int *axis, struct fum_why *why);
// Rows of the innermost dimension that one step along the axis covers (1 for the innermost axis
// itself) and how many times the axis repeats.
void fum_axis_rows(const struct fum_shape *shape, int axis, int64_t *outer, int64_t *inner_rows);
// The place of a copy along an axis: where it starts in the source and in the target.
struct fum_axis_place {
    int axis;
    int64_t src, dst;
};
// Returns the copy of as many entries along the axis as the smaller of both has.
struct fum_copy fum_copy_along(const struct fum_desc *src, const struct fum_desc *dst,
                               struct fum_axis_place place);

#endif
