// SPDX-License-Identifier: MIT
// Makes weak marks beside an edge part of it: one step of following edges.
#include "base/macros.h"
#include "ops/lib/canny.h"

// True if the mark at (y, x) or a neighbour of it is an edge.
static bool is_beside(const struct fum_shape *shape, const double *marks, int64_t y, int64_t x) {
    int64_t bottom = FUM_MIN(y + 1, shape->dim[0] - 1), right = FUM_MIN(x + 1, shape->dim[1] - 1);
    for (int64_t r = FUM_MAX(y - 1, 0); r <= bottom; r++)
        for (int64_t c = FUM_MAX(x - 1, 0); c <= right; c++)
            if (marks[r * shape->dim[1] + c] == FUM_CANNY_EDGE) return true;
    return false;
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    const struct fum_shape *shape = &call->in[0].shape;
    for (int64_t i = 0; i < fum_shape_count(shape); i++) {
        bool weak = in[0][i] == FUM_CANNY_WEAK;
        bool edge = weak && is_beside(shape, in[0], i / shape->dim[1], i % shape->dim[1]);
        out[i] = edge ? FUM_CANNY_EDGE : in[0][i];
    }
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    return fum_canny_dispatch(call, "canny_follow", 0, 0, list);
}

const struct fum_op fum_op_canny_follow = {
    .name = "canny_follow",
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = fum_canny_infer,
    .reference = reference,
    .dispatch = dispatch,
};
