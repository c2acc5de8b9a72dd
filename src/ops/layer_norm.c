// Layer norm over the innermost dimension: Ba, Kiros and Hinton (2016). Inputs x, gamma, beta, the last two optional.
#include <math.h>

#include "ops/rowwise.h"

static const struct fum_attr_def attrs[] = {{"eps", 1e-5}, {NULL, 0}};

static bool infer(struct fum_op_call *call, char *why, size_t why_size) {
    return fum_rowwise_infer(call, 2, why, why_size);
}

static bool has(const struct fum_op_call *call, int i) { return i < call->num_inputs && call->has[i]; }

static void reference(const struct fum_op_call *call, const float *const *in, float *out) {
    int64_t rows = fum_shape_rows(&call->out.shape), n = fum_shape_channels(&call->out.shape);
    for (int64_t r = 0; r < rows; r++) {
        const float *x = in[0] + r * n;
        double mean = 0, var = 0;
        for (int64_t i = 0; i < n; i++) mean += x[i];
        mean /= (double)n;
        for (int64_t i = 0; i < n; i++) var += (x[i] - mean) * (x[i] - mean);
        double inverse = 1 / sqrt(var / (double)n + call->attr[0]);
        for (int64_t i = 0; i < n; i++)
            out[r * n + i] = (float)((x[i] - mean) * inverse * (has(call, 1) ? in[1][i] : 1) +
                                     (has(call, 2) ? in[2][i] : 0));
    }
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list, char *why, size_t why_size) {
    float eps = (float)call->attr[0];
    struct fum_rowwise r = {.shader = "layer_norm", .num_params = 2, .num_flags = 2,
                            .flags = {has(call, 1), has(call, 2)}, .eps = &eps};
    return fum_rowwise_dispatch(call, &r, list, why, why_size);
}

const struct fum_op fum_op_layer_norm = {
    .name = "layer_norm",
    .attrs = attrs,
    .min_inputs = 1,
    .max_inputs = 3,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
};
