// SPDX-License-Identifier: MIT
// A batch norm: Ioffe and Szegedy, "Batch normalization" (2015). Inputs x [.., channels], the mean
// and variance of each channel, f32 [2, channels], and an optional scale and shift. The statistics
// are batch_stats of x in training, and running ones afterwards.
#include <math.h>

#include "graph/gradient.h"
#include "ops/lib/emit.h"
#include "shaders/batch_norm.pc.h"

enum { X, STATS, SCALE, SHIFT };
static const struct fum_attr_def attrs[] = {{"eps", 1e-5}, {0}};

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    const struct fum_desc *x = &call->in[X], *stats = &call->in[STATS];
    int64_t channels = fum_shape_channels(&x->shape);
    if (!fum_is_storage(x->dtype) || stats->dtype != FUM_F32 || stats->shape.rank != 2 ||
        stats->shape.dim[0] != 2 || stats->shape.dim[1] != channels)
        return fum_refuse(why, "the statistics must be f32 [2, %lld]", (long long)channels);
    for (int i = SCALE; i <= SHIFT; i++)
        if (call->has[i] &&
            (call->in[i].dtype != x->dtype || fum_shape_channels(&call->in[i].shape) != channels ||
             fum_shape_count(&call->in[i].shape) != channels))
            return fum_refuse(why, "scale and shift must have a number for each channel");
    call->out = *x;
    return true;
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    int64_t channels = fum_shape_channels(&call->out.shape);
    for (int64_t i = 0; i < fum_shape_count(&call->out.shape); i++) {
        int64_t c = i % channels;
        double n = (in[X][i] - in[STATS][c]) / sqrt(in[STATS][channels + c] + call->attr[0]);
        if (call->has[SCALE]) n *= in[SCALE][c];
        out[i] = n + (call->has[SHIFT] ? in[SHIFT][c] : 0);
    }
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    const struct fum_desc *x = &call->out;
    int64_t rows = fum_shape_rows(&x->shape), each = fum_rows_per_binding(list->info, x);
    uint32_t quads = (uint32_t)fum_shape_row_quads(&x->shape);
    if (!fum_shape_count(&x->shape)) return true;
    if (each < 1) return fum_refuse_size(&list->why, list->info, "one row");
    for (int64_t first = 0; first < rows; first += each) {
        const struct fum_rows window = {x, first, FUM_MIN(each, rows - first)};
        struct fum_batch_norm_push push = {.quads = (uint32_t)window.count * quads,
                                           .row_quads = quads,
                                           .eps = (float)call->attr[0]};
        struct fum_dispatch *d = fum_emit_quads(list, "batch_norm", x->dtype, push.quads);
        if (!d) return false;
        FUM_EMIT_SPECS(d, call->has[SCALE], call->has[SHIFT]);
        push.x_skip = fum_emit_rows(list, d, X, window);
        fum_emit_operand(d, STATS);
        fum_emit_operand(d, call->has[SCALE] ? SCALE : STATS);
        fum_emit_operand(d, call->has[SHIFT] ? SHIFT : STATS);
        push.y_skip = fum_emit_rows(list, d, FUM_OUT, window);
        FUM_EMIT_PUSH(d, push);
    }
    return true;
}

// Adds dmean = -sum(dx), and dvariance = -sum(dn n) / (2 deviation^2), as rows of one tensor.
static fum_tensor *add_stats_gradient(struct fum_gradient *g, fum_tensor *dx, fum_tensor *product,
                                      fum_tensor *inverse) {
    const struct fum_attr rows[] = {{"axis", 0}, {0}};
    struct fum_shape row = g->node->in[STATS]->desc.shape;
    row.dim[0] = 1;
    fum_tensor *mean = fum_gradient_scale(g, fum_gradient_sum_to(g, dx, row), -1);
    fum_tensor *square = fum_gradient_pair(g, "mul", inverse, inverse);
    fum_tensor *variance = fum_gradient_pair(g, "mul", fum_gradient_sum_to(g, product, row),
                                             fum_gradient_scale(g, square, -0.5));
    return fum_gradient_add(g, "concat", FUM_INPUTS(mean, variance), rows);
}

// Adds dscale = sum(dout n), dshift = sum(dout), and dx = dn / deviation, where n is the normalised
// x and dn = dout scale. All is f32.
static bool gradient(struct fum_gradient *g) {
    const struct fum_attr eps[] = {{"add", g->node->attr[0]}, {0}};
    fum_tensor *const *in = g->node->in;
    fum_tensor *x = fum_gradient_cast(g, in[X], FUM_F32);
    fum_tensor *dn = fum_gradient_cast(g, g->dout, FUM_F32),
               *mean = fum_gradient_part(g, in[STATS], 0, 1);
    fum_tensor *variance = fum_gradient_part(g, in[STATS], 1, 1);
    variance = fum_gradient_add(g, "scale", FUM_INPUTS(variance), eps);
    fum_tensor *deviation = fum_gradient_add(g, "sqrt", FUM_INPUTS(variance), NULL);
    fum_tensor *inverse = fum_gradient_add(g, "reciprocal", FUM_INPUTS(deviation), NULL);
    fum_tensor *n = fum_gradient_pair(g, "mul", fum_gradient_pair(g, "sub", x, mean), inverse);
    if (g->needed[SHIFT]) g->grad[SHIFT] = fum_gradient_sum_to(g, dn, in[SHIFT]->desc.shape);
    if (g->needed[SCALE])
        g->grad[SCALE] =
            fum_gradient_sum_to(g, fum_gradient_pair(g, "mul", dn, n), in[SCALE]->desc.shape);
    if (in[SCALE]) dn = fum_gradient_pair(g, "mul", dn, fum_gradient_cast(g, in[SCALE], FUM_F32));
    fum_tensor *dx = fum_gradient_pair(g, "mul", dn, inverse);
    if (g->needed[X]) g->grad[X] = dx;
    if (g->needed[STATS])
        g->grad[STATS] = add_stats_gradient(g, dx, fum_gradient_pair(g, "mul", dn, n), inverse);
    return true;
}

const struct fum_op fum_op_batch_norm = {
    .name = "batch_norm",
    .attrs = attrs,
    .min_inputs = 2,
    .max_inputs = 4,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
    .gradient = gradient,
    .flags = FUM_OP_IN_PLACE,
};
