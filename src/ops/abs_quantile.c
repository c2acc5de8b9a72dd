// SPDX-License-Identifier: MIT
// A quantile of the magnitudes of each image's elements, interpolated as torch.quantile does: x
// [images, …] gives [images]. Samplers threshold by it (Saharia et al. 2022, "dynamic
// thresholding").
#include "base/alloc.h"
#include "ops/lib/emit.h"
#include "shaders/abs_quantile.pc.h"

#include <math.h>
#include <stdlib.h>

enum { RATIO };
static const struct fum_attr_def attrs[] = {[RATIO] = {"ratio", 1}, {0}};

enum { LANES = 128 };

// Returns the elements of an image.
static int64_t count_elements(const struct fum_shape *x) {
    return x->dim[0] ? fum_shape_count(x) / x->dim[0] : 0;
}

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    const struct fum_desc *x = &call->in[0];
    char text[96];
    if (x->dtype != FUM_F32 || x->shape.rank < 2 || (x->shape.dim[0] && !count_elements(&x->shape)))
        return fum_refuse(why, "the input is %s %s; expected f32 [images, ..] with elements",
                          fum_dtype_name(x->dtype), fum_shape_text(&x->shape, text, sizeof text));
    if (!(call->attr[RATIO] >= 0 && call->attr[RATIO] <= 1))
        return fum_refuse(why, "ratio is %g; expected 0 to 1", call->attr[RATIO]);
    call->out = (struct fum_desc){{1, {x->shape.dim[0]}}, FUM_F32};
    return true;
}

// Where a quantile lies among sorted elements.
struct place {
    int64_t rank;
    double fraction; // of the way to the next element
};

static struct place find_place(const struct fum_op_call *call) {
    double at = call->attr[RATIO] * (double)(count_elements(&call->in[0].shape) - 1);
    return (struct place){(int64_t)floor(at), at - floor(at)};
}

static int compare_numbers(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    int64_t images = call->in[0].shape.dim[0], count = count_elements(&call->in[0].shape);
    const struct place p = find_place(call);
    double *sorted = fum_alloc((size_t)count, sizeof *sorted);
    for (int64_t i = 0; i < images; i++) {
        out[i] = NAN;
        if (!sorted) continue;
        for (int64_t k = 0; k < count; k++) sorted[k] = fabs(in[0][i * count + k]);
        qsort(sorted, (size_t)count, sizeof *sorted, compare_numbers);
        double low = sorted[p.rank], high = sorted[FUM_MIN(p.rank + 1, count - 1)];
        out[i] = p.fraction > 0 ? low + p.fraction * (high - low) : low;
    }
    fum_free(sorted);
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    const struct fum_shape *x = &call->in[0].shape;
    const struct place place = find_place(call);
    if (!x->dim[0]) return true;
    struct fum_dispatch *d =
        fum_emit_groups(list, "abs_quantile", FUM_F32, LANES, (uint64_t)x->dim[0]);
    if (!d || !fum_emit_whole(list, d, 0, &call->in[0])) return false;
    fum_emit_operand(d, FUM_OUT);
    const struct fum_abs_quantile_push push = {.images = (uint32_t)x->dim[0],
                                               .count = (uint32_t)count_elements(x),
                                               .channels = (uint32_t)fum_shape_channels(x),
                                               .row_floats = (uint32_t)fum_shape_row_quads(x) * 4,
                                               .rank = (uint32_t)place.rank,
                                               .fraction = (float)place.fraction};
    FUM_EMIT_PUSH(d, push);
    return true;
}

const struct fum_op fum_op_abs_quantile = {
    .name = "abs_quantile",
    .attrs = attrs,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
};
