// SPDX-License-Identifier: MIT
// DoRA of Liu et al., "Weight-Decomposed Low-Rank Adaptation" (2024), on top of any kind of
// adapter. Rows or columns of the changed weight get trained norms.
#include "adapter/kind.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

// Norms of the rows, or of the columns: those of one input channel, over outputs and taps.
static bool of_rows(const struct fum_adapter_layer *layer, const struct fum_adapter_shape *shape) {
    if (layer->tensors[FUM_ADAPTER_MAGNITUDE]) return true;
    int64_t first = fum_adapter_dim(layer, FUM_ADAPTER_DORA, 0);
    return first == shape->rows && (first > 1 || shape->rows == 1);
}

static enum fum_adapter_role role_of(const struct fum_adapter_layer *layer) {
    return layer->tensors[FUM_ADAPTER_MAGNITUDE] ? FUM_ADAPTER_MAGNITUDE : FUM_ADAPTER_DORA;
}

// True if the layer has norms. A bias has none of its own.
static bool applies(const struct fum_adapter_layer *layer) {
    return layer->tensors[role_of(layer)] && !strcmp(layer->kind->parameter, "weight");
}

bool fum_adapter_dora_fits(const struct fum_adapter_layer *layer,
                           const struct fum_adapter_shape *shape, struct fum_why *why) {
    enum fum_adapter_role role = role_of(layer);
    if (!applies(layer)) return true;
    int64_t has = fum_adapter_count(layer, role),
            needs = of_rows(layer, shape) ? shape->rows : shape->columns / shape->taps;
    return has == needs || fum_refuse(why, "%s has %lld norms, the model needs %lld",
                                      layer->tensors[role]->name, (long long)has, (long long)needs);
}

// Returns which norm an element belongs to.
static int64_t group_of(const struct fum_adapter_shape *s, bool rows, int64_t row, int64_t column) {
    return rows ? row : column / s->taps;
}

// Sums the squares of weight + change in each group.
static void sum_squares(const struct fum_adapter_job *job, bool rows, double *sums) {
    const struct fum_adapter_shape *s = &job->shape;
    for (int64_t r = 0; r < s->rows; r++)
        for (int64_t c = 0; c < s->columns; c++) {
            double value =
                (double)job->weight[r * s->columns + c] + (double)job->change[r * s->columns + c];
            sums[group_of(s, rows, r, c)] += value * value;
        }
}

static void rescale(const struct fum_adapter_job *job, bool rows, const double *sums,
                    const float *norms) {
    const struct fum_adapter_shape *s = &job->shape;
    for (int64_t r = 0; r < s->rows; r++)
        for (int64_t c = 0; c < s->columns; c++) {
            int64_t i = r * s->columns + c, g = group_of(s, rows, r, c);
            double norm = sqrt(sums[g]), weight = (double)job->weight[i];
            double factor = norm > 0 ? (double)norms[g] / norm : 0;
            job->change[i] = (float)(factor * (weight + (double)job->change[i]) - weight);
        }
}

enum fum_result fum_adapter_dora_apply(const struct fum_adapter_job *job, struct fum_error *err) {
    enum fum_adapter_role role = role_of(job->layer);
    if (!applies(job->layer)) return FUM_OK;
    bool rows = of_rows(job->layer, &job->shape);
    float *norms = NULL;
    double *sums = fum_calloc((size_t)fum_adapter_count(job->layer, role), sizeof *sums);
    enum fum_result result = sums ? fum_adapter_read(job->layer, role, &norms, err)
                                  : fum_error_set(err, FUM_ERR_NOMEM, "no memory for a DoRA");
    if (!result) {
        sum_squares(job, rows, sums);
        rescale(job, rows, sums, norms);
    }
    fum_free(norms);
    fum_free(sums);
    return result;
}
