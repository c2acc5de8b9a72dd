// SPDX-License-Identifier: MIT
// -log p of data x between -1 and 1, in nats, where a normal distribution gives each bin of 2/255
// its probability. Ho, Jain and Abbeel, "Denoising diffusion probabilistic models" (2020), in the
// form of improved-diffusion. Inputs x, mean and the logarithm of the deviation, all of one shape.
// The first and the last bin are open, and probabilities count as at least 1e-12.
#include <math.h>

#include "graph/gradient.h"
#include "ops/lib/discretised_gaussian.h"
#include "ops/lib/flat.h"

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    for (int64_t i = 0; i < fum_shape_count(&call->out.shape); i++) {
        double p = fum_discretised_bin_of(in[FUM_DISCRETISED_X][i], in[FUM_DISCRETISED_MEAN][i],
                                          in[FUM_DISCRETISED_LOG_SCALE][i])
                       .probability;
        out[i] = -log(p > fum_discretised_least ? p : fum_discretised_least);
    }
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    const struct fum_flat flat = {.shader = "discretised_gaussian", .inputs = 3};
    return fum_flat_dispatch(call, &flat, list);
}

static fum_tensor *add_result(struct fum_gradient *g, fum_tensor *all, int index) {
    const struct fum_shape *shape = &g->node->desc.shape;
    int64_t rows = fum_shape_rows(shape);
    return fum_gradient_reshape(g, fum_gradient_part(g, all, index * rows, rows), *shape);
}

// Adds a kernel that computes both gradients. Data has the opposite of the mean's.
static bool gradient(struct fum_gradient *g) {
    fum_tensor *const *in = g->node->in;
    fum_tensor *all = fum_gradient_add(g, "discretised_gaussian_gradient",
                                       FUM_INPUTS(in[0], in[1], in[2], g->dout), NULL);
    fum_tensor *mean = add_result(g, all, 0);
    g->grad[FUM_DISCRETISED_MEAN] = mean;
    g->grad[FUM_DISCRETISED_LOG_SCALE] = add_result(g, all, 1);
    if (g->needed[FUM_DISCRETISED_X]) g->grad[FUM_DISCRETISED_X] = fum_gradient_scale(g, mean, -1);
    return true;
}

const struct fum_op fum_op_discretised_gaussian = {
    .name = "discretised_gaussian",
    .min_inputs = 3,
    .max_inputs = 3,
    .infer = fum_flat_infer,
    .reference = reference,
    .dispatch = dispatch,
    .gradient = gradient,
    .flags = FUM_OP_IN_PLACE,
};
