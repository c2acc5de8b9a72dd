// SPDX-License-Identifier: MIT
// The gradient of a layer norm, or (centred 0) of an RMS norm, by its input, without scale and
// shift. Inputs x and dy, both [.., channels]. n is the normalised x and s its deviation. Over the
// channels dx = (dy - mean(dy) - n mean(dy n)) / s, and an RMS norm takes no means off.
#include <math.h>

#include "ops/lib/texels.h"
#include "shaders/norm_gradient.pc.h"

enum { EPS, CENTRED };
static const struct fum_attr_def attrs[] = {[EPS] = {"eps", 1e-5}, [CENTRED] = {"centred", 1}, {0}};

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    if (!fum_is_storage(call->in[0].dtype) || call->in[0].dtype != call->in[1].dtype ||
        !fum_shape_same(&call->in[0].shape, &call->in[1].shape))
        return fum_refuse(why, "x and dy must have one shape and storage type");
    call->out = call->in[0];
    return true;
}

static double mean_of(const double *values, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += values[i];
    return sum / (double)n;
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    int64_t rows = fum_shape_rows(&call->out.shape), n = fum_shape_channels(&call->out.shape);
    for (int64_t r = 0; r < rows; r++) {
        const double *x = in[0] + r * n, *dy = in[1] + r * n;
        bool centred = call->attr[CENTRED] != 0;
        double mean = centred ? mean_of(x, n) : 0, dy_mean = centred ? mean_of(dy, n) : 0;
        double variance = 0, product = 0;
        for (int64_t i = 0; i < n; i++) {
            variance += (x[i] - mean) * (x[i] - mean) / (double)n;
            product += (x[i] - mean) * dy[i] / (double)n;
        }
        double inverse = 1 / sqrt(variance + call->attr[EPS]);
        for (int64_t i = 0; i < n; i++)
            out[r * n + i] =
                (dy[i] - dy_mean - (x[i] - mean) * product * inverse * inverse) * inverse;
    }
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    const struct fum_desc *desc = &call->out;
    int64_t rows = fum_shape_rows(&desc->shape);
    if (fum_shape_channels(&desc->shape) == 0) return true;
    int64_t fit = FUM_MIN(fum_rows_per_binding(list->info, desc), INT32_MAX);
    if (fit < 1) return fum_refuse_size(&list->why, list->info, "one row");
    for (int64_t first = 0; first < rows; first += fit) {
        const struct fum_rows window = {desc, first, FUM_MIN(fit, rows - first)};
        struct fum_dispatch *d =
            fum_emit_reading(list, "norm_gradient", desc->dtype, (uint64_t)window.count, 3);
        if (!d) return false;
        fum_emit_spec(d, call->attr[CENTRED] != 0);
        struct fum_norm_gradient_push push = {.channels =
                                                  (uint32_t)fum_shape_channels(&desc->shape),
                                              .rows = (uint32_t)window.count,
                                              .eps = (float)call->attr[EPS]};
        push.x_skip = fum_emit_rows(list, d, 0, window);
        push.dy_skip = fum_emit_rows(list, d, 1, window);
        push.dx_skip = fum_emit_rows(list, d, FUM_OUT, window);
        FUM_EMIT_PUSH(d, push);
    }
    return true;
}

const struct fum_op fum_op_norm_gradient = {
    .name = "norm_gradient",
    .attrs = attrs,
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
};
