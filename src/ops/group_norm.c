// SPDX-License-Identifier: MIT
// Group norm with optional activation: Wu and He (2018). x [batch, .., channels], gamma, beta
// [channels]; statistics over a batch's rows and the channels of a group. In one dispatch where a
// workgroup can take all of a group; else scales and shifts per channel in f32 scratch, then
// their application.
#include <math.h>

#include "graph/fuse/fuse.h"
#include "graph/gradient.h"
#include "ops/lib/device_class.h"
#include "ops/lib/group_norm_factors.h"
#include "ops/lib/texels.h"
#include "ops/lib/unary.h"
#include "shaders/group_norm_apply.pc.h"

// Rows that an invocation of the last step handles.
enum { BLOCK = 8 };

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    call->out = fum_group_norm_x(call);
    return fum_group_norm_check(call, why);
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    int64_t batches = call->out.shape.dim[0], c = fum_shape_channels(&call->out.shape);
    int64_t rows = batches ? fum_shape_rows(&call->out.shape) / batches : 0;
    int64_t groups = (int64_t)call->attr[FUM_GROUP_NORM_GROUPS], each = c / groups;
    for (int64_t b = 0; b < batches; b++) {
        for (int64_t g = 0; g < groups; g++) {
            struct fum_moments m = fum_group_norm_moments(call, in, b, g);
            for (int64_t r = 0; r < rows; r++) {
                for (int64_t i = g * each; i < (g + 1) * each; i++) {
                    int64_t at = (b * rows + r) * c + i;
                    double v = fum_group_norm_value(call, in, b * rows + r, i) - m.mean;
                    v = v / sqrt(m.variance + call->attr[FUM_GROUP_NORM_EPS]) * in[1][i] + in[2][i];
                    out[at] = fum_act_reference((enum fum_act)call->attr[FUM_GROUP_NORM_ACT], v);
                }
            }
        }
    }
}

static bool add_apply(const struct fum_op_call *call, const struct fum_group_norm *g,
                      struct fum_dispatch_bind factors, struct fum_dispatches *list) {
    const struct fum_cut cut = {g->cut.whole, g->cut.fit * g->chunk};
    struct fum_part part = {0};
    factors.write = false;
    while (fum_part_next(&part, g->batches, g->rows, cut)) {
        int64_t blocks = FUM_DIV_UP(part.count, BLOCK), first = part.batch * g->rows + part.first,
                count = part.batches * part.count;
        struct fum_dispatch *d =
            fum_emit_reading(list, "group_norm_apply", call->out.dtype,
                             (uint64_t)(part.batches * blocks * g->quads), 3 | 2 << FUM_TEXELS_F32);
        if (!d) return false;
        FUM_EMIT_SPECS(d, BLOCK, (uint32_t)call->attr[FUM_GROUP_NORM_ACT]);
        struct fum_group_norm_apply_push push = {
            .quads = (uint32_t)g->quads,
            .rows = (uint32_t)part.count,
            .blocks = (uint32_t)blocks,
            .batches = (uint32_t)part.batches,
            .first_batch = (uint32_t)part.batch,
        };
        push.x_skip = fum_emit_rows(list, d, 0, (struct fum_rows){&call->in[0], first, count});
        fum_emit_bind(d, factors);
        push.y_skip = fum_emit_rows(list, d, FUM_OUT, (struct fum_rows){&call->out, first, count});
        FUM_EMIT_PUSH(d, push);
    }
    return true;
}

// Groups that a workgroup of the single dispatch takes: as many as begin and end on whole quads; 0:
// none can. On GPUs a workgroup should not take long over its part while others idle.
static int64_t span_of(const struct fum_op_call *call, const struct fum_device_info *info,
                       const struct fum_group_norm *g) {
    int64_t each = g->channels / g->groups, span = 1;
    while (each * span % 4) span *= 2;
    uint64_t bytes = (uint64_t)(g->rows * each * span) * fum_dtype_size(call->in[0].dtype);
    if (g->groups % span || g->cut.whole < 1 || g->batches * g->groups / span < 8) return 0;
    return fum_device_class_of(info)->long_groups || bytes <= 512 << 10 ? span : 0;
}

static bool add_single(const struct fum_op_call *call, const struct fum_group_norm *g, int64_t span,
                       struct fum_dispatches *list) {
    struct fum_part part = {0};
    while (fum_part_next(&part, g->batches, 1, (struct fum_cut){g->cut.whole, 1})) {
        const struct fum_group_norm_spans spans = {"group_norm", "group_norm_texel", part.batches,
                                                   span};
        struct fum_group_norm_push push;
        struct fum_dispatch *d = fum_group_norm_emit(call, g, spans, list, &push);
        if (!d) return false;
        int64_t first = part.batch * g->rows, count = part.batches * g->rows;
        fum_emit_spec(d, (uint32_t)call->attr[FUM_GROUP_NORM_ACT]);
        push.x_skip = fum_emit_rows(list, d, 0, (struct fum_rows){&call->in[0], first, count});
        fum_emit_operand(d, FUM_GROUP_NORM_GAMMA);
        fum_emit_operand(d, FUM_GROUP_NORM_BETA);
        push.y_skip = fum_emit_rows(list, d, FUM_OUT, (struct fum_rows){&call->out, first, count});
        if (call->has[FUM_GROUP_NORM_X1])
            push.x1_skip =
                fum_emit_rows(list, d, FUM_GROUP_NORM_X1,
                              (struct fum_rows){&call->in[FUM_GROUP_NORM_X1], first, count});
        else
            fum_emit_bind(d, d->bind[0]);
        FUM_EMIT_PUSH(d, push);
    }
    return true;
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    struct fum_group_norm g;
    if (fum_shape_count(&call->out.shape) == 0) return true;
    if (!fum_group_norm_plan(call, list->info, &g, &list->why)) return false;
    int64_t span = g.small ? 0 : span_of(call, list->info, &g);
    if (span) return add_single(call, &g, span, list);
    if (call->has[FUM_GROUP_NORM_X1])
        return fum_refuse(&list->why, "a second x needs groups that a workgroup can take");
    list->scratch_bytes = g.stats + g.factors;
    struct fum_dispatch_bind factors = {
        .operand = FUM_SCRATCH, .write = true, .offset = g.stats, .bytes = g.factors};
    return fum_group_norm_factors(call, &g, &factors, list) && add_apply(call, &g, factors, list);
}

// ---- gradient ----

// Adds the norm's gradient. Where an activation follows, as a node of its own, dout is that node's
// gradient, which these kernels then compute as well. It has no reader left and is dropped.
static bool gradient(struct fum_gradient *g) {
    const fum_tensor *node = g->node;
    enum fum_act act = FUM_ACT_NONE;
    fum_tensor *source = fum_unary_gradient_source(g->dout, node, &act);
    if (!source) act = FUM_ACT_NONE;
    fum_tensor *dy = source ? source : g->dout;
    const struct fum_attr groups = {"groups", node->attr[FUM_GROUP_NORM_GROUPS]},
                          follows[] = {{"act", act}, {0}},
                          settings[] = {groups, {"eps", node->attr[FUM_GROUP_NORM_EPS]}, {0}},
                          both_settings[] = {groups, follows[0], {0}};
    fum_tensor *x = node->in[FUM_GROUP_NORM_X], *gamma = node->in[FUM_GROUP_NORM_GAMMA],
               *beta = source ? node->in[FUM_GROUP_NORM_BETA] : NULL;
    if (node->attr[FUM_GROUP_NORM_ACT] != FUM_ACT_NONE || node->in[FUM_GROUP_NORM_X1])
        return fum_refuse(&g->why, "its activation must be a node of its own, and x one tensor");
    const struct fum_inputs in = FUM_INPUTS(x, fum_gradient_fill(g, 1, gamma->desc.shape),
                                            fum_gradient_fill(g, 0, gamma->desc.shape));
    fum_tensor *factors = fum_gradient_add(g, "group_norm_affine", in, settings),
               *sums = fum_gradient_add(g, "group_norm_sums",
                                        FUM_INPUTS(dy, x, factors, source ? gamma : NULL, beta),
                                        follows);
    if (g->needed[FUM_GROUP_NORM_X])
        g->grad[FUM_GROUP_NORM_X] = fum_gradient_add(
            g, "group_norm_gradient", FUM_INPUTS(dy, x, sums, gamma, factors, beta), both_settings);
    // The sums of all batches: the gradient of beta, then that of gamma.
    const struct fum_shape halves = {3, {1, 2, fum_shape_channels(&gamma->desc.shape)}},
                           by_half = {2, {2, halves.dim[2]}};
    fum_tensor *both = fum_gradient_reshape(g, fum_gradient_sum_to(g, sums, halves), by_half);
    for (int i = 0; i < 2; i++) {
        int input = i == 0 ? FUM_GROUP_NORM_BETA : FUM_GROUP_NORM_GAMMA;
        if (g->needed[input])
            g->grad[input] = fum_gradient_reshape(g, fum_gradient_part(g, both, i, 1),
                                                  node->in[input]->desc.shape);
    }
    return true;
}

// True if a single dispatch does it, whose kernel alone reads two inputs.
static bool reads_joined(const struct fum_device_info *info, const struct fum_op_call *call) {
    struct fum_group_norm g;
    return fum_shape_count(&call->out.shape) && fum_group_norm_plan(call, info, &g, NULL) &&
           !g.chunked && span_of(call, info, &g) > 0;
}

extern const struct fum_op fum_op_group_norm_affine;

static const struct fum_epilogue epilogue = {.act_attr = "act"};
static const struct fum_input_read reads = {.second_input = FUM_GROUP_NORM_X1,
                                            .reads_joined = reads_joined};
static const struct fum_op_fusion fusion = {
    .norm_scales = &fum_op_group_norm_affine, .epilogue = &epilogue, .reads = &reads};

const struct fum_op fum_op_group_norm = {
    .name = "group_norm",
    .attrs = fum_group_norm_attrs,
    .min_inputs = 3,
    .max_inputs = 4,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
    .gradient = gradient,
    .fusion = &fusion,
};
