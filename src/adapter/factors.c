// SPDX-License-Identifier: MIT
// Multiplies the factors that LoHa and LoKr hold matrices as.
#include "adapter/kind.h"

#include "base/alloc.h"
#include "base/error.h"

bool fum_adapter_factors_core(const struct fum_adapter_layer *layer,
                              const struct fum_adapter_factors *f) {
    return f->core != FUM_ADAPTER_ROLES && layer->tensors[f->core];
}

int64_t fum_adapter_factors_rank(const struct fum_adapter_layer *layer,
                                 const struct fum_adapter_factors *f) {
    return fum_adapter_dim(layer, f->b, 0);
}

bool fum_adapter_factors_fit(const struct fum_adapter_layer *layer,
                             const struct fum_adapter_factors *f, struct fum_why *why) {
    int64_t rank = fum_adapter_factors_rank(layer, f);
    if (rank < 1) return fum_refuse(why, "the rank is 0");
    if (!fum_adapter_factors_core(layer, f))
        return fum_adapter_needs(layer, f->a, f->rows, rank, why) &&
               fum_adapter_needs(layer, f->b, rank, f->columns, why);
    int64_t first = fum_adapter_dim(layer, f->a, 0);
    return fum_adapter_needs(layer, f->core, first, rank * f->taps, why) &&
           fum_adapter_needs(layer, f->a, first, f->rows, why) &&
           fum_adapter_needs(layer, f->b, rank, f->columns / f->taps, why);
}

// The tensors of Tucker's decomposition, with their sizes.
struct tucker {
    const float *core, *a, *b; // [first, rank, taps], [first, rows], [rank, inputs]
    int64_t first, rank, taps, rows, inputs;
};

// Adds one entry of the core: value · a[i, row] · b[j, input] at tap k.
static void add_entry(const struct tucker *t, int64_t i, int64_t j, int64_t k, float *out) {
    float value = t->core[(i * t->rank + j) * t->taps + k];
    for (int64_t p = 0; p < t->rows; p++) {
        float scaled = value * t->a[i * t->rows + p];
        for (int64_t r = 0; r < t->inputs; r++)
            out[(p * t->inputs + r) * t->taps + k] += scaled * t->b[j * t->inputs + r];
    }
}

static void multiply_tucker(const struct tucker *t, float *out) {
    for (int64_t i = 0; i < t->first; i++)
        for (int64_t j = 0; j < t->rank; j++)
            for (int64_t k = 0; k < t->taps; k++) add_entry(t, i, j, k, out);
}

enum fum_result fum_adapter_factors_read(const struct fum_adapter_layer *layer,
                                         const struct fum_adapter_factors *f, float **values,
                                         struct fum_error *err) {
    float *a = NULL, *b = NULL, *core = NULL;
    int64_t rank = fum_adapter_factors_rank(layer, f);
    *values = fum_calloc((size_t)(f->rows * f->columns), sizeof **values);
    enum fum_result result =
        *values ? FUM_OK : fum_error_set(err, FUM_ERR_NOMEM, "no memory for an adapter's matrix");
    if (!result) result = fum_adapter_read(layer, f->a, &a, err);
    if (!result) result = fum_adapter_read(layer, f->b, &b, err);
    if (!result && fum_adapter_factors_core(layer, f))
        result = fum_adapter_read(layer, f->core, &core, err);
    if (!result && core)
        multiply_tucker(&(struct tucker){core, a, b, fum_adapter_dim(layer, f->a, 0), rank, f->taps,
                                         f->rows, f->columns / f->taps},
                        *values);
    else if (!result)
        fum_adapter_multiply(&(struct fum_adapter_product){.a = a,
                                                           .b = b,
                                                           .out = *values,
                                                           .rows = f->rows,
                                                           .inner = rank,
                                                           .columns = f->columns,
                                                           .scale = 1});
    fum_free(a);
    fum_free(b);
    fum_free(core);
    return result;
}
