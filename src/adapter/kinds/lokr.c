// SPDX-License-Identifier: MIT
// LoKr of LyCORIS (Yeh et al. 2024): the Kronecker product of two matrices, each whole or of low
// rank. Alpha counts only where one of them is of low rank.
#include "adapter/kind.h"

#include "base/alloc.h"
#include "base/error.h"

// One of the two matrices.
struct factor {
    enum fum_adapter_role whole;
    struct fum_adapter_factors parts;
};

static bool has_whole(const struct fum_adapter_layer *layer, enum fum_adapter_role whole) {
    return layer->tensors[whole] != NULL;
}

// Returns the rows of a matrix by its tensors, before it is known that these fit. A Tucker core
// makes the first factor transposed.
static int64_t rows_of(const struct fum_adapter_layer *layer, const struct factor *f) {
    if (has_whole(layer, f->whole)) return fum_adapter_dim(layer, f->whole, 0);
    return fum_adapter_dim(layer, f->parts.a, fum_adapter_factors_core(layer, &f->parts) ? 1 : 0);
}

// Describes both matrices: [l, m] and [k, n] of the weight's [l · k, m · n].
static bool describe(const struct fum_adapter_layer *layer, const struct fum_adapter_shape *shape,
                     struct factor *first, struct factor *second) {
    *first = (struct factor){FUM_ADAPTER_LOKR_W1,
                             {.a = FUM_ADAPTER_LOKR_W1_A,
                              .b = FUM_ADAPTER_LOKR_W1_B,
                              .core = FUM_ADAPTER_ROLES,
                              .taps = 1}};
    *second = (struct factor){FUM_ADAPTER_LOKR_W2,
                              {.a = FUM_ADAPTER_LOKR_W2_A,
                               .b = FUM_ADAPTER_LOKR_W2_B,
                               .core = FUM_ADAPTER_LOKR_T2,
                               .taps = shape->taps}};
    int64_t columns = has_whole(layer, first->whole) ? fum_adapter_dim(layer, first->whole, 1)
                                                     : fum_adapter_dim(layer, first->parts.b, 1);
    first->parts.rows = rows_of(layer, first);
    first->parts.columns = columns;
    second->parts.rows = rows_of(layer, second);
    second->parts.columns = columns ? shape->columns / columns : 0;
    return first->parts.rows * second->parts.rows == shape->rows &&
           columns * second->parts.columns == shape->columns;
}

static bool present(const struct fum_adapter_layer *layer) {
    return (layer->tensors[FUM_ADAPTER_LOKR_W1] ||
            (layer->tensors[FUM_ADAPTER_LOKR_W1_A] && layer->tensors[FUM_ADAPTER_LOKR_W1_B])) &&
           (layer->tensors[FUM_ADAPTER_LOKR_W2] ||
            (layer->tensors[FUM_ADAPTER_LOKR_W2_A] && layer->tensors[FUM_ADAPTER_LOKR_W2_B]));
}

static bool factor_fits(const struct fum_adapter_layer *layer, const struct factor *f,
                        struct fum_why *why) {
    if (has_whole(layer, f->whole))
        return fum_adapter_needs(layer, f->whole, f->parts.rows, f->parts.columns, why);
    return fum_adapter_factors_fit(layer, &f->parts, why);
}

static bool fits(const struct fum_adapter_layer *layer, const struct fum_adapter_shape *shape,
                 struct fum_why *why) {
    struct factor first, second;
    if (!describe(layer, shape, &first, &second))
        return fum_refuse(
            why, "the Kronecker product of %lld and %lld rows is not the model's %lld",
            (long long)first.parts.rows, (long long)second.parts.rows, (long long)shape->rows);
    return factor_fits(layer, &first, why) && factor_fits(layer, &second, why);
}

static enum fum_result read_factor(const struct fum_adapter_layer *layer, const struct factor *f,
                                   float **values, struct fum_error *err) {
    if (has_whole(layer, f->whole)) return fum_adapter_read(layer, f->whole, values, err);
    return fum_adapter_factors_read(layer, &f->parts, values, err);
}

// Returns the rank that alpha is divided by; 0: alpha does not count. The second matrix's counts,
// as in LyCORIS. Where both are whole, only PEFT's settings have a rank.
static double rank_of(const struct fum_adapter_layer *layer, const struct factor *first,
                      const struct factor *second) {
    if (!has_whole(layer, second->whole))
        return (double)fum_adapter_factors_rank(layer, &second->parts);
    if (!has_whole(layer, first->whole))
        return (double)fum_adapter_factors_rank(layer, &first->parts);
    return fum_adapter_count(layer, FUM_ADAPTER_ALPHA) > 0 ? 0 : layer->rank;
}

// The two matrices, [l, m] and [k, n].
struct kronecker {
    const float *a, *b;
    int64_t m, k, n;
    float scale;
};

// Writes scale · kron(a, b).
static void multiply(const struct fum_adapter_job *job, const struct kronecker *p) {
    for (int64_t row = 0; row < job->shape.rows; row++)
        for (int64_t column = 0; column < job->shape.columns; column++)
            job->change[row * job->shape.columns + column] =
                p->scale * p->a[row / p->k * p->m + column / p->n] *
                p->b[row % p->k * p->n + column % p->n];
}

static enum fum_result compute(const struct fum_adapter_job *job, struct fum_error *err) {
    struct factor first, second;
    float *a = NULL, *b = NULL;
    double scale = 1;
    describe(job->layer, &job->shape, &first, &second);
    double rank = rank_of(job->layer, &first, &second);
    enum fum_result result = rank > 0 ? fum_adapter_scale(job->layer, rank, &scale, err) : FUM_OK;
    if (!result) result = read_factor(job->layer, &first, &a, err);
    if (!result) result = read_factor(job->layer, &second, &b, err);
    if (!result)
        multiply(job, &(struct kronecker){a, b, first.parts.columns, second.parts.rows,
                                          second.parts.columns, (float)scale});
    fum_free(a);
    fum_free(b);
    return result;
}

const struct fum_adapter_kind fum_adapter_lokr = {
    .name = "LoKr", .parameter = "weight", .present = present, .fits = fits, .compute = compute};
