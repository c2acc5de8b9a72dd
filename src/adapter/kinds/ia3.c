// SPDX-License-Identifier: MIT
// IA3 of Liu et al., "Few-Shot Parameter-Efficient Fine-Tuning is Better and Cheaper than
// In-Context Learning" (2022): a factor for each output or input of a layer. LyCORIS stores the
// factor less 1.
#include "adapter/kind.h"

#include "base/alloc.h"

static bool present(const struct fum_adapter_layer *layer) {
    return layer->tensors[FUM_ADAPTER_IA3_L] ||
           (layer->tensors[FUM_ADAPTER_IA3] && fum_adapter_count(layer, FUM_ADAPTER_ON_INPUT) > 0);
}

static enum fum_adapter_role role_of(const struct fum_adapter_layer *layer) {
    return layer->tensors[FUM_ADAPTER_IA3_L] ? FUM_ADAPTER_IA3_L : FUM_ADAPTER_IA3;
}

static bool fits(const struct fum_adapter_layer *layer, const struct fum_adapter_shape *shape,
                 struct fum_why *why) {
    int64_t count = fum_adapter_count(layer, role_of(layer)), in = shape->columns / shape->taps;
    if (count == shape->rows || count == in) return true;
    return fum_refuse(why, "%s has %lld factors, the model's layer %lld outputs and %lld inputs",
                      layer->tensors[role_of(layer)]->name, (long long)count,
                      (long long)shape->rows, (long long)in);
}

// Finds whether the factors are those of inputs: as the file says, or by the tensor's shape.
static enum fum_result find_side(const struct fum_adapter_job *job, bool *inputs,
                                 struct fum_error *err) {
    const struct fum_adapter_layer *layer = job->layer;
    enum fum_adapter_role role = role_of(layer);
    *inputs = fum_adapter_dim(layer, role, 0) == 1 && fum_adapter_dim(layer, role, 1) > 1;
    if (role == FUM_ADAPTER_IA3_L) return FUM_OK;
    float *value = NULL;
    enum fum_result result = fum_adapter_read(layer, FUM_ADAPTER_ON_INPUT, &value, err);
    if (!result) *inputs = *value != 0;
    fum_free(value);
    return result;
}

static enum fum_result compute(const struct fum_adapter_job *job, struct fum_error *err) {
    const struct fum_adapter_shape *s = &job->shape;
    enum fum_adapter_role role = role_of(job->layer);
    float *factors = NULL, less = role == FUM_ADAPTER_IA3_L ? 1 : 0;
    bool inputs = false;
    enum fum_result result = fum_adapter_read(job->layer, role, &factors, err);
    if (!result) result = find_side(job, &inputs, err);
    int64_t count = fum_adapter_count(job->layer, role);
    if (inputs ? count != s->columns / s->taps : count != s->rows) inputs = !inputs;
    for (int64_t i = 0; i < s->rows * s->columns && !result; i++) {
        int64_t which = inputs ? i % s->columns / s->taps : i / s->columns;
        job->change[i] = job->weight[i] * (factors[which] - less);
    }
    fum_free(factors);
    return result;
}

const struct fum_adapter_kind fum_adapter_ia3 = {
    .name = "IA3", .parameter = "weight", .present = present, .fits = fits, .compute = compute};
