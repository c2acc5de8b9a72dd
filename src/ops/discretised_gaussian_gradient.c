// SPDX-License-Identifier: MIT
// The gradient of discretised_gaussian by its mean and log_scale. Inputs x, mean, log_scale and dy,
// all [.., channels]; the result is [2 rows, channels], dmean and then dlog_scale.
#include "ops/lib/discretised_gaussian.h"
#include "ops/lib/emit.h"
#include "ops/lib/flat.h"
#include "shaders/flat.pc.h"

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    if (!fum_flat_infer(call, why)) return false;
    const struct fum_shape x = call->in[FUM_DISCRETISED_X].shape;
    call->out.shape = (struct fum_shape){2, {2 * fum_shape_rows(&x), fum_shape_channels(&x)}};
    return true;
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    int64_t count = fum_shape_count(&call->in[FUM_DISCRETISED_X].shape);
    for (int64_t i = 0; i < count; i++) {
        struct fum_discretised_bin bin =
            fum_discretised_bin_of(in[FUM_DISCRETISED_X][i], in[FUM_DISCRETISED_MEAN][i],
                                   in[FUM_DISCRETISED_LOG_SCALE][i]);
        bool clamped = !(bin.probability >= fum_discretised_least);
        double slope = clamped ? 0 : -in[FUM_DISCRETISED_DY][i] / bin.probability;
        out[i] = clamped ? 0 : slope * bin.by_mean;
        out[count + i] = clamped ? 0 : slope * bin.by_log_scale;
    }
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    uint64_t quads = fum_desc_quads(&call->in[FUM_DISCRETISED_X]);
    if (!quads) return true;
    struct fum_dispatch *d =
        fum_emit(list, "discretised_gaussian_gradient", call->out.dtype, quads);
    if (!d) return false;
    for (int i = 0; i < call->num_inputs; i++)
        if (!fum_emit_whole(list, d, i, &call->in[i])) return false;
    if (!fum_emit_whole(list, d, FUM_OUT, &call->out)) return false;
    const struct fum_flat_push push = {.quads = (uint32_t)quads};
    FUM_EMIT_PUSH(d, push);
    return true;
}

const struct fum_op fum_op_discretised_gaussian_gradient = {
    .name = "discretised_gaussian_gradient",
    .min_inputs = 4,
    .max_inputs = 4,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
};
