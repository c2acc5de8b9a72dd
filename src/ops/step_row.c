// SPDX-License-Identifier: MIT
// table[counter], without the table's first dimension: how a recorded step reads its row of what
// was computed for all steps. The counter is an i32 [1] on the GPU, held within the table.
#include "ops/lib/emit.h"
#include "shaders/step_row.pc.h"

#include <string.h>

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    const struct fum_shape *table = &call->in[0].shape;
    char text[96];
    if (table->rank < 2 || table->dim[0] < 1 || table->dim[0] > INT32_MAX)
        return fum_refuse(why, "the table is %s; expected [steps, ...] of two to four dimensions",
                          fum_shape_text(table, text, sizeof text));
    if (!fum_is_counter(&call->in[1]))
        return fum_refuse(why, "the counter is %s %s; expected i32 [1]",
                          fum_dtype_name(call->in[1].dtype),
                          fum_shape_text(&call->in[1].shape, text, sizeof text));
    call->out = call->in[0];
    call->out.shape.rank--;
    memmove(call->out.shape.dim, table->dim + 1, sizeof *table->dim * (FUM_MAX_DIMS - 1));
    call->out.shape.dim[FUM_MAX_DIMS - 1] = 0;
    return true;
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    int64_t count = fum_shape_count(&call->out.shape), last = call->in[0].shape.dim[0] - 1,
            row = (int64_t)in[1][0];
    row = fum_clamp_i64(row, 0, last);
    memcpy(out, in[0] + row * count, (size_t)count * sizeof *out);
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    uint64_t quads = fum_desc_quads(&call->out);
    if (!quads) return true;
    struct fum_dispatch *d = fum_emit(list, "step_row", fum_raw_variant(call->out.dtype), quads);
    if (!d || !fum_emit_whole(list, d, 0, &call->in[0])) return false;
    fum_emit_operand(d, 1);
    fum_emit_operand(d, FUM_OUT);
    const struct fum_step_row_push push = {.quads = (uint32_t)quads,
                                           .last = (int32_t)(call->in[0].shape.dim[0] - 1)};
    FUM_EMIT_PUSH(d, push);
    return true;
}

const struct fum_op fum_op_step_row = {
    .name = "step_row",
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
};
