// SPDX-License-Identifier: MIT
// LoHa of LyCORIS (Yeh et al. 2024), from FedPara (Hyeon-Woo et al. 2022): the product, element by
// element, of two matrices of low rank.
#include "adapter/kind.h"

#include "base/alloc.h"

static struct fum_adapter_factors first_of(const struct fum_adapter_shape *s) {
    return (struct fum_adapter_factors){FUM_ADAPTER_HADA_W1_A,
                                        FUM_ADAPTER_HADA_W1_B,
                                        FUM_ADAPTER_HADA_T1,
                                        s->rows,
                                        s->columns,
                                        s->taps};
}

static struct fum_adapter_factors second_of(const struct fum_adapter_shape *s) {
    return (struct fum_adapter_factors){FUM_ADAPTER_HADA_W2_A,
                                        FUM_ADAPTER_HADA_W2_B,
                                        FUM_ADAPTER_HADA_T2,
                                        s->rows,
                                        s->columns,
                                        s->taps};
}

static bool present(const struct fum_adapter_layer *layer) {
    return layer->tensors[FUM_ADAPTER_HADA_W1_A] && layer->tensors[FUM_ADAPTER_HADA_W1_B] &&
           layer->tensors[FUM_ADAPTER_HADA_W2_A] && layer->tensors[FUM_ADAPTER_HADA_W2_B];
}

static bool fits(const struct fum_adapter_layer *layer, const struct fum_adapter_shape *shape,
                 struct fum_why *why) {
    const struct fum_adapter_factors first = first_of(shape), second = second_of(shape);
    return fum_adapter_factors_fit(layer, &first, why) &&
           fum_adapter_factors_fit(layer, &second, why);
}

static enum fum_result compute(const struct fum_adapter_job *job, struct fum_error *err) {
    const struct fum_adapter_factors first = first_of(&job->shape), second = second_of(&job->shape);
    float *a = NULL, *b = NULL;
    double scale = 1;
    int64_t rank = fum_adapter_factors_rank(job->layer, &first);
    enum fum_result result = fum_adapter_scale(job->layer, rank, &scale, err);
    if (!result) result = fum_adapter_factors_read(job->layer, &first, &a, err);
    if (!result) result = fum_adapter_factors_read(job->layer, &second, &b, err);
    int64_t count = job->shape.rows * job->shape.columns;
    for (int64_t i = 0; i < count && !result; i++) job->change[i] = (float)scale * a[i] * b[i];
    fum_free(a);
    fum_free(b);
    return result;
}

const struct fum_adapter_kind fum_adapter_loha = {
    .name = "LoHa", .parameter = "weight", .present = present, .fits = fits, .compute = compute};
