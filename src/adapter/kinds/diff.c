// SPDX-License-Identifier: MIT
// Whole differences of weights, as LyCORIS saves them for full training and for norms.
#include "adapter/kind.h"

#include "base/alloc.h"

#include <string.h>

static bool present(const struct fum_adapter_layer *layer) {
    return layer->tensors[FUM_ADAPTER_DIFF] != NULL;
}

static bool fits(const struct fum_adapter_layer *layer, const struct fum_adapter_shape *shape,
                 struct fum_why *why) {
    return fum_adapter_needs(layer, FUM_ADAPTER_DIFF, shape->rows, shape->columns, why);
}

static enum fum_result copy_tensor(const struct fum_adapter_job *job, enum fum_adapter_role role,
                                   struct fum_error *err) {
    float *values = NULL;
    enum fum_result result = fum_adapter_read(job->layer, role, &values, err);
    size_t count = (size_t)(job->shape.rows * job->shape.columns);
    if (!result) memcpy(job->change, values, count * sizeof *values);
    fum_free(values);
    return result;
}

static enum fum_result compute(const struct fum_adapter_job *job, struct fum_error *err) {
    return copy_tensor(job, FUM_ADAPTER_DIFF, err);
}

const struct fum_adapter_kind fum_adapter_diff = {.name = "difference",
                                                  .parameter = "weight",
                                                  .present = present,
                                                  .fits = fits,
                                                  .compute = compute};

// ---- biases ----

static bool bias_present(const struct fum_adapter_layer *layer) {
    return layer->tensors[FUM_ADAPTER_DIFF_BIAS] != NULL;
}

static bool bias_fits(const struct fum_adapter_layer *layer, const struct fum_adapter_shape *shape,
                      struct fum_why *why) {
    return fum_adapter_needs(layer, FUM_ADAPTER_DIFF_BIAS, shape->rows, shape->columns, why);
}

static enum fum_result compute_bias(const struct fum_adapter_job *job, struct fum_error *err) {
    return copy_tensor(job, FUM_ADAPTER_DIFF_BIAS, err);
}

const struct fum_adapter_kind fum_adapter_diff_bias = {.name = "difference of a bias",
                                                       .parameter = "bias",
                                                       .present = bias_present,
                                                       .fits = bias_fits,
                                                       .compute = compute_bias};
