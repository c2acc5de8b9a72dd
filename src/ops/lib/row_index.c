// SPDX-License-Identifier: MIT
#include "ops/lib/row_index.h"

#include "ops/lib/emit.h"
#include "shaders/row_index.pc.h"

bool fum_row_index_infer(struct fum_op_call *call, struct fum_why *why) {
    const struct fum_desc *x = &call->in[0];
    if (!fum_is_storage(x->dtype) || x->shape.rank < 2 || fum_shape_channels(&x->shape) < 1)
        return fum_refuse(why, "x must be [.., channels] of f32, f16 or bf16");
    call->out = (struct fum_desc){x->shape, FUM_I32};
    call->out.shape.rank--;
    return true;
}

bool fum_row_index_dispatch(const struct fum_op_call *call, const char *shader,
                            struct fum_dispatches *list) {
    const struct fum_desc *x = &call->in[0];
    uint64_t rows = (uint64_t)fum_shape_count(&call->out.shape);
    if (!rows) return true;
    struct fum_dispatch *d = fum_emit(list, shader, x->dtype, rows);
    if (!d) return false;
    for (int i = 0; i < call->num_inputs; i++)
        if (!fum_emit_whole(list, d, i, &call->in[i])) return false;
    if (!fum_emit_whole(list, d, FUM_OUT, &call->out)) return false;
    const struct fum_row_index_push push = {
        .rows = (uint32_t)rows,
        .channels = (uint32_t)fum_shape_channels(&x->shape),
        .y_channels = (uint32_t)fum_shape_channels(&call->out.shape),
        .table_rows = call->num_inputs > 1 ? (uint32_t)fum_shape_rows(&call->in[1].shape) : 0};
    FUM_EMIT_PUSH(d, push);
    return true;
}
