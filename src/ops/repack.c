// SPDX-License-Identifier: MIT
// A reshape that copies, for the shapes whose padded rows differ.
#include "ops/lib/emit.h"
#include "graph/gradient.h"
#include "ops/lib/shape_attrs.h"
#include "shaders/repack.pc.h"

static const struct fum_attr_def attrs[] = {FUM_SHAPE_ATTR_DEFS, {0}};

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    uint64_t quads = fum_desc_quads(&call->out);
    if (!fum_shape_count(&call->out.shape)) return true;
    struct fum_dispatch *d =
        fum_emit_quads(list, "repack", fum_raw_variant(call->out.dtype), quads);
    if (!d || !fum_emit_whole(list, d, 0, &call->in[0]) ||
        !fum_emit_whole(list, d, FUM_OUT, &call->out))
        return false;
    const struct fum_repack_push push = {
        .quads = (uint32_t)quads,
        .x_channels = (uint32_t)fum_shape_channels(&call->in[0].shape),
        .y_channels = (uint32_t)fum_shape_channels(&call->out.shape)};
    FUM_EMIT_PUSH(d, push);
    return true;
}

static bool gradient(struct fum_gradient *g) {
    g->grad[0] = fum_gradient_reshape(g, g->dout, g->node->in[0]->desc.shape);
    return true;
}

const struct fum_op fum_op_repack = {
    .name = "repack",
    .attrs = attrs,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = fum_reshape_infer,
    .reference = fum_reshape_reference,
    .gradient = gradient,
    .dispatch = dispatch,
};
