// SPDX-License-Identifier: MIT
#include "ops/lib/rowwise.h"

#include "ops/lib/emit.h"
#include "shaders/rowwise.pc.h"

bool fum_rowwise_infer(struct fum_op_call *call, int count, struct fum_why *why) {
    int64_t channels = fum_shape_channels(&call->in[0].shape);
    for (int i = 1; i <= count; i++) {
        if (i >= call->num_inputs || !call->has[i]) continue;
        const struct fum_shape *s = &call->in[i].shape;
        if (fum_shape_channels(s) != channels || fum_shape_rows(s) != 1)
            return fum_refuse(why, "input %d must have x's %lld channels and nothing else", i,
                              (long long)channels);
    }
    call->out = call->in[0];
    return true;
}

// Adds the dispatch of rows [first, first + count).
static bool add_rows(const struct fum_op_call *call, const struct fum_rowwise *r,
                     struct fum_dispatches *list, struct fum_rows rows) {
    uint32_t lanes = r->lanes ? r->lanes : fum_lanes(list->info);
    uint64_t count = (uint64_t)rows.count, groups = r->lanes ? count : FUM_DIV_UP(count, lanes);
    struct fum_dispatch *d = fum_emit_groups(list, r->shader, call->out.dtype, lanes, groups);
    if (!d) return false;
    d->texels = r->texels;
    fum_emit_specs(d, r->flags, (size_t)r->num_flags);
    struct fum_rowwise_push push = {.channels = (uint32_t)fum_shape_channels(&rows.desc->shape),
                                    .rows = (uint32_t)rows.count,
                                    .eps = r->eps};
    push.x_skip = fum_emit_rows(list, d, 0, rows);
    for (int i = 1; i <= r->num_params; i++) {
        if (i < call->num_inputs && call->has[i])
            fum_emit_operand(d, i);
        else
            fum_emit_bind(d, d->bind[0]);
    }
    push.y_skip = fum_emit_rows(list, d, FUM_OUT, rows);
    FUM_EMIT_PUSH(d, push);
    return true;
}

bool fum_rowwise_dispatch(const struct fum_op_call *call, const struct fum_rowwise *r,
                          struct fum_dispatches *list) {
    const struct fum_desc *desc = &call->out;
    int64_t rows = fum_shape_rows(&desc->shape);
    if (fum_shape_channels(&desc->shape) == 0) return true;
    int64_t fit = FUM_MIN(fum_rows_per_binding(list->info, desc), INT32_MAX);
    if (fit < 1) return fum_refuse_size(&list->why, list->info, "one row");
    for (int64_t first = 0; first < rows; first += fit) {
        const struct fum_rows window = {desc, first, FUM_MIN(fit, rows - first)};
        if (!add_rows(call, r, list, window)) return false;
    }
    return true;
}
