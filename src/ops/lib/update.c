// SPDX-License-Identifier: MIT
#include "ops/lib/update.h"

#include <string.h>

bool fum_update_check_factor(const struct fum_op_call *call, int input, struct fum_why *why) {
    if (!call->has[input]) return true;
    if (call->in[input].dtype == FUM_F32 && fum_shape_count(&call->in[input].shape) == 1)
        return true;
    return fum_refuse(why, "the factor must be one number in f32");
}

double fum_update_factor(const struct fum_op_call *call, int input, const double *const *in) {
    return call->has[input] ? in[input][0] : 1;
}

void fum_update_keep(const struct fum_op_call *call, int count, const double *const *in,
                     double *out) {
    int64_t elements = fum_shape_count(&call->out.shape);
    for (int i = 0; i < count; i++)
        memcpy(out + i * elements, in[i], (size_t)elements * sizeof *out);
}

void fum_update_emit_written(struct fum_dispatch *d, int operand, const struct fum_span *span) {
    enum { QUAD_BYTES = 16 };
    fum_emit_bind(d, (struct fum_dispatch_bind){.operand = operand,
                                                .write = true,
                                                .offset = span->first * QUAD_BYTES,
                                                .bytes = span->count * QUAD_BYTES});
}
