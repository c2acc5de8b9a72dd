// SPDX-License-Identifier: MIT
#include "ops/lib/canny.h"

#include "ops/lib/emit.h"
#include "shaders/canny.pc.h"

bool fum_canny_infer(struct fum_op_call *call, struct fum_why *why) {
    const struct fum_desc *x = &call->in[0];
    if (x->dtype != FUM_F32 || x->shape.rank != 2)
        return fum_refuse(why, "the picture must be f32 [height, width]");
    call->out = *x;
    return true;
}

// Limits a threshold to the numbers of a kernel, which are above all lengths.
static int32_t limit_threshold(double threshold) {
    return (int32_t)FUM_MAX(-1.0, FUM_MIN(threshold, (double)(1 << 30)));
}

bool fum_canny_dispatch(const struct fum_op_call *call, const char *shader, double low, double high,
                        struct fum_dispatches *list) {
    const struct fum_shape *x = &call->in[0].shape;
    if (!fum_shape_count(x)) return true;
    struct fum_dispatch *d = fum_emit(list, shader, FUM_F32, (uint64_t)fum_shape_count(x));
    if (!d || !fum_emit_whole(list, d, 0, &call->in[0]) ||
        !fum_emit_whole(list, d, FUM_OUT, &call->out))
        return false;
    const struct fum_canny_push push = {.height = (uint32_t)x->dim[0],
                                        .width = (uint32_t)x->dim[1],
                                        .low = limit_threshold(low),
                                        .high = limit_threshold(high)};
    FUM_EMIT_PUSH(d, push);
    return true;
}
