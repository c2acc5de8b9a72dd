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

// True if PEFT's factors are those of inputs: by its settings, or by the tensor's shape. Without
// settings, those of a convolution, [1, n, 1, 1], are taken for its outputs.
static bool peft_inputs(const struct fum_adapter_layer *layer) {
    const struct fum_loader_tensor *t = layer->tensors[FUM_ADAPTER_IA3_L];
    if (layer->side != FUM_ADAPTER_UNKNOWN_SIDE) return layer->side == FUM_ADAPTER_INPUTS;
    return t->view.rank == 2 && t->view.dim[0] == 1 && t->view.dim[1] > 1;
}

// Finds whether the factors are those of inputs.
static enum fum_result find_side(const struct fum_adapter_job *job, bool *inputs,
                                 struct fum_error *err) {
    const struct fum_adapter_layer *layer = job->layer;
    float *value = NULL;
    if (role_of(layer) == FUM_ADAPTER_IA3_L) {
        *inputs = peft_inputs(layer);
        return FUM_OK;
    }
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

// ---- biases ----

// Returns true if the factors are those of outputs: PEFT multiplies the bias by them, too.
static bool bias_present(const struct fum_adapter_layer *layer) {
    return layer->tensors[FUM_ADAPTER_IA3_L] && !peft_inputs(layer);
}

static bool bias_fits(const struct fum_adapter_layer *layer, const struct fum_adapter_shape *shape,
                      struct fum_why *why) {
    int64_t count = fum_adapter_count(layer, FUM_ADAPTER_IA3_L);
    return count == shape->rows ||
           fum_refuse(why, "%s has %lld factors, the model's layer %lld outputs",
                      layer->tensors[FUM_ADAPTER_IA3_L]->name, (long long)count,
                      (long long)shape->rows);
}

static enum fum_result compute_bias(const struct fum_adapter_job *job, struct fum_error *err) {
    float *factors = NULL;
    enum fum_result result = fum_adapter_read(job->layer, FUM_ADAPTER_IA3_L, &factors, err);
    for (int64_t i = 0; i < job->shape.rows && !result; i++)
        job->change[i] = job->weight[i] * (factors[i] - 1);
    fum_free(factors);
    return result;
}

const struct fum_adapter_kind fum_adapter_ia3_bias = {.name = "IA3 of a bias",
                                                      .parameter = "bias",
                                                      .present = bias_present,
                                                      .fits = bias_fits,
                                                      .compute = compute_bias};
