// SPDX-License-Identifier: MIT
#include "ops/lib/cross_entropy.h"

#include "ops/lib/emit.h"
#include "shaders/cross_entropy.pc.h"

#include <math.h>

bool fum_cross_entropy_check(const struct fum_op_call *call, struct fum_why *why) {
    const struct fum_desc *x = &call->in[FUM_CROSS_ENTROPY_LOGITS];
    const struct fum_desc *label = &call->in[FUM_CROSS_ENTROPY_LABEL];
    bool fits = label->shape.rank == x->shape.rank - 1;
    for (int i = 0; fits && i < label->shape.rank; i++)
        fits = label->shape.dim[i] == x->shape.dim[i];
    if (fum_is_storage(x->dtype) && label->dtype == FUM_I32 && fits &&
        fum_shape_channels(&x->shape) >= 1)
        return true;
    return fum_refuse(why, "logits must be [.., classes], and labels i32 [..]");
}

int64_t fum_cross_entropy_label(const struct fum_op_call *call, const double *labels, int64_t row) {
    const struct fum_shape *x = &call->in[FUM_CROSS_ENTROPY_LOGITS].shape;
    return fum_clamp_i64((int64_t)labels[row], 0, fum_shape_channels(x) - 1);
}

double fum_cross_entropy_log_sum(const double *x, int64_t count) {
    double top = x[0], sum = 0;
    for (int64_t i = 1; i < count; i++) {
        if (x[i] > top) top = x[i];
    }
    for (int64_t i = 0; i < count; i++) sum += exp(x[i] - top);
    return top + log(sum);
}

bool fum_cross_entropy_dispatch(const struct fum_op_call *call, const char *shader, uint64_t items,
                                struct fum_dispatches *list) {
    const struct fum_desc *in = call->in;
    if (!items) return true;
    struct fum_dispatch *d = fum_emit(list, shader, call->out.dtype, items);
    if (!d) return false;
    for (int i = 0; i < call->num_inputs; i++)
        if (!fum_emit_whole(list, d, i, &in[i])) return false;
    if (!fum_emit_whole(list, d, FUM_OUT, &call->out)) return false;
    const struct fum_cross_entropy_push push = {
        .items = (uint32_t)items,
        .classes = (uint32_t)fum_shape_channels(&in[FUM_CROSS_ENTROPY_LOGITS].shape),
        .labels = (uint32_t)fum_shape_channels(&in[FUM_CROSS_ENTROPY_LABEL].shape)};
    FUM_EMIT_PUSH(d, push);
    return true;
}
