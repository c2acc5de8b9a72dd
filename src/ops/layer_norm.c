// SPDX-License-Identifier: MIT
// Layer norm over the innermost dimension: Ba, Kiros and Hinton (2016). Inputs x, gamma, beta, the
// last two optional.
#include <math.h>
#include <string.h>

#include "graph/gradient.h"
#include "ops/lib/device_class.h"
#include "ops/lib/emit.h"
#include "ops/lib/rowwise.h"
#include "ops/lib/texels.h"

static const struct fum_attr_def attrs[] = {{"eps", 1e-5}, {NULL, 0}};

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    return fum_rowwise_infer(call, 2, why);
}

static bool has(const struct fum_op_call *call, int i) {
    return i < call->num_inputs && call->has[i];
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    int64_t rows = fum_shape_rows(&call->out.shape), n = fum_shape_channels(&call->out.shape);
    for (int64_t r = 0; r < rows; r++) {
        const double *x = in[0] + r * n;
        double mean = 0, var = 0;
        for (int64_t i = 0; i < n; i++) mean += x[i];
        mean /= (double)n;
        for (int64_t i = 0; i < n; i++) var += (x[i] - mean) * (x[i] - mean);
        double inverse = 1 / sqrt(var / (double)n + call->attr[0]);
        for (int64_t i = 0; i < n; i++)
            out[r * n + i] = (x[i] - mean) * inverse * (has(call, 1) ? in[1][i] : 1) +
                             (has(call, 2) ? in[2][i] : 0);
    }
}

// Returns the lanes of a row's workgroup, on GPUs: a power of two from 8 to 64, above 8 at most one
// for each quad. Returns 1 if the device's workgroups have fewer.
static uint32_t lanes_for(const struct fum_device_info *info, int64_t quads) {
    uint32_t lanes = 8;
    while (lanes < 64 && lanes * 2 <= quads) lanes *= 2;
    return lanes <= info->max_group_invocations ? lanes : 1;
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    struct fum_rowwise r = {.shader = "layer_norm",
                            .num_params = 2,
                            .num_flags = 2,
                            .flags = {has(call, 1), has(call, 2)},
                            .eps = (float)call->attr[0]};
    if (!fum_device_class_of(list->info)->shared_is_slow) {
        r.shader = "layer_norm_group";
        r.lanes = lanes_for(list->info, fum_shape_row_quads(&call->out.shape));
        // the first two are lib/moments.glsl's
        const uint32_t flags[] = {r.lanes, 0, has(call, 1), has(call, 2)};
        memcpy(r.flags, flags, sizeof flags);
        r.num_flags = 4;
    } else if (fum_texels_faster(list->info, list->tuning, call->out.dtype)) {
        r.shader = "layer_norm_texel";
        r.texels = 0x7; // x, gamma and beta
    }
    return fum_rowwise_dispatch(call, &r, list);
}

static bool gradient(struct fum_gradient *g) {
    const struct fum_attr eps[] = {{"eps", g->node->attr[0]}, {0}};
    fum_tensor *x = g->node->in[0], *gamma = g->node->in[1], *beta = g->node->in[2], *dy = g->dout;
    if (gamma) dy = fum_gradient_add(g, "mul", FUM_INPUTS(dy, gamma), NULL);
    if (g->needed[0]) g->grad[0] = fum_gradient_add(g, "norm_gradient", FUM_INPUTS(x, dy), eps);
    if (g->needed[1]) {
        fum_tensor *normal = fum_gradient_add(g, "layer_norm", FUM_INPUTS(x), eps);
        fum_tensor *product = fum_gradient_add(g, "mul", FUM_INPUTS(g->dout, normal), NULL);
        g->grad[1] = fum_gradient_sum_to(g, product, gamma->desc.shape);
    }
    if (g->needed[2]) g->grad[2] = fum_gradient_sum_to(g, g->dout, beta->desc.shape);
    return true;
}

const struct fum_op fum_op_layer_norm = {
    .name = "layer_norm",
    .attrs = attrs,
    .min_inputs = 1,
    .max_inputs = 3,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
    .gradient = gradient,
};
