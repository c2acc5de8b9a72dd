// SPDX-License-Identifier: MIT
// LoRA of Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models" (2021): alpha / rank · up
// · down. A convolution's down has its kernel, or mid has it (Tucker decomposition).
#include "adapter/kind.h"

#include "base/alloc.h"
#include "base/error.h"

static bool present(const struct fum_adapter_layer *layer) {
    return layer->tensors[FUM_ADAPTER_DOWN] && layer->tensors[FUM_ADAPTER_UP];
}

static int64_t rank_of(const struct fum_adapter_layer *layer) {
    return fum_adapter_dim(layer, FUM_ADAPTER_DOWN, 0);
}

static bool fits(const struct fum_adapter_layer *layer, const struct fum_adapter_shape *shape,
                 struct fum_why *why) {
    int64_t rank = rank_of(layer), columns = shape->columns;
    bool mid = layer->tensors[FUM_ADAPTER_MID] != NULL;
    if (rank < 1) return fum_refuse(why, "the rank is 0");
    if (mid && !fum_adapter_needs(layer, FUM_ADAPTER_MID, rank, rank * shape->taps, why))
        return false;
    return fum_adapter_needs(layer, FUM_ADAPTER_DOWN, rank, mid ? columns / shape->taps : columns,
                             why) &&
           fum_adapter_needs(layer, FUM_ADAPTER_UP, shape->rows, rank, why);
}

// Spreads down over mid: out[p, i, k] = Σ_q mid[p, q, k] · down[q, i].
static void spread(const float *mid, const float *down, int64_t rank,
                   const struct fum_adapter_shape *shape, float *out) {
    int64_t inputs = shape->columns / shape->taps;
    for (int64_t p = 0; p < rank; p++)
        for (int64_t i = 0; i < inputs; i++)
            for (int64_t k = 0; k < shape->taps; k++) {
                float sum = 0;
                for (int64_t q = 0; q < rank; q++)
                    sum += mid[(p * rank + q) * shape->taps + k] * down[q * inputs + i];
                out[(p * inputs + i) * shape->taps + k] = sum;
            }
}

// Reads down, [rank, columns], with mid in it.
static enum fum_result read_down(const struct fum_adapter_job *job, float **down,
                                 struct fum_error *err) {
    const struct fum_adapter_layer *layer = job->layer;
    float *mid = NULL, *small = NULL;
    enum fum_result result = fum_adapter_read(layer, FUM_ADAPTER_DOWN, down, err);
    if (result || !layer->tensors[FUM_ADAPTER_MID]) return result;
    int64_t rank = rank_of(layer);
    small = *down;
    *down = fum_alloc((size_t)(rank * job->shape.columns), sizeof **down);
    result = fum_adapter_read(layer, FUM_ADAPTER_MID, &mid, err);
    if (!result && !*down) result = fum_error_set(err, FUM_ERR_NOMEM, "no memory for a LoRA");
    if (!result) spread(mid, small, rank, &job->shape, *down);
    fum_free(mid);
    fum_free(small);
    return result;
}

static enum fum_result compute(const struct fum_adapter_job *job, struct fum_error *err) {
    float *up = NULL, *down = NULL;
    double scale = 1;
    int64_t rank = rank_of(job->layer);
    enum fum_result result = fum_adapter_scale(job->layer, rank, &scale, err);
    if (!result) result = fum_adapter_read(job->layer, FUM_ADAPTER_UP, &up, err);
    if (!result) result = read_down(job, &down, err);
    if (!result)
        fum_adapter_multiply(&(struct fum_adapter_product){.a = up,
                                                           .b = down,
                                                           .out = job->change,
                                                           .rows = job->shape.rows,
                                                           .inner = rank,
                                                           .columns = job->shape.columns,
                                                           .scale = (float)scale});
    fum_free(up);
    fum_free(down);
    return result;
}

const struct fum_adapter_kind fum_adapter_lora = {
    .name = "LoRA", .parameter = "weight", .present = present, .fits = fits, .compute = compute};

// ---- biases of PEFT's second matrix ----

static bool bias_present(const struct fum_adapter_layer *layer) {
    return layer->tensors[FUM_ADAPTER_UP_BIAS] && layer->tensors[FUM_ADAPTER_DOWN];
}

static bool bias_fits(const struct fum_adapter_layer *layer, const struct fum_adapter_shape *shape,
                      struct fum_why *why) {
    if (rank_of(layer) < 1) return fum_refuse(why, "the rank is 0");
    return fum_adapter_needs(layer, FUM_ADAPTER_UP_BIAS, shape->rows, shape->columns, why);
}

static enum fum_result compute_bias(const struct fum_adapter_job *job, struct fum_error *err) {
    float *bias = NULL;
    double scale = 1;
    enum fum_result result = fum_adapter_scale(job->layer, rank_of(job->layer), &scale, err);
    if (!result) result = fum_adapter_read(job->layer, FUM_ADAPTER_UP_BIAS, &bias, err);
    for (int64_t i = 0; i < job->shape.rows && !result; i++)
        job->change[i] = (float)scale * bias[i];
    fum_free(bias);
    return result;
}

const struct fum_adapter_kind fum_adapter_lora_bias = {.name = "LoRA's bias",
                                                       .parameter = "bias",
                                                       .present = bias_present,
                                                       .fits = bias_fits,
                                                       .compute = compute_bias};
