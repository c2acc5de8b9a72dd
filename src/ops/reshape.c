// SPDX-License-Identifier: MIT
// Gives the same bytes another shape. Rows are padded to quads, so this works when the innermost
// dimension stays or when both are multiples of four. In other cases "repack" makes a copy.
#include "ops/lib/emit.h"
#include "graph/gradient.h"
#include "ops/lib/shape_attrs.h"

static const struct fum_attr_def attrs[] = {FUM_SHAPE_ATTR_DEFS, {0}};

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    char left[96], right[96];
    if (!fum_reshape_infer(call, why)) return false;
    int64_t old = fum_shape_channels(&call->in[0].shape),
            now = fum_shape_channels(&call->out.shape);
    if (old == now || (old % 4 == 0 && now % 4 == 0)) return true;
    return fum_refuse(why,
                      "%s to %s moves elements: the innermost dimension must stay or be a multiple "
                      "of 4 in both; use op repack",
                      fum_shape_text(&call->in[0].shape, left, sizeof left),
                      fum_shape_text(&call->out.shape, right, sizeof right));
}

static bool gradient(struct fum_gradient *g) {
    g->grad[0] = fum_gradient_reshape(g, g->dout, g->node->in[0]->desc.shape);
    return true;
}

const struct fum_op fum_op_reshape = {
    .name = "reshape",
    .attrs = attrs,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .reference = fum_reshape_reference,
    .gradient = gradient,
    .flags = FUM_OP_ALIAS,
};
