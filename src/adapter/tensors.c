// SPDX-License-Identifier: MIT
// Reads, checks and multiplies the tensors of adapters, for all kinds.
#include "adapter/kind.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/text.h"

#include <math.h>
#include <string.h>

int64_t fum_adapter_dim(const struct fum_adapter_layer *layer, enum fum_adapter_role role,
                        int axis) {
    const struct fum_loader_tensor *t = layer->tensors[role];
    if (!t) return 0;
    return axis < t->view.rank ? t->view.dim[axis] : 1;
}

int64_t fum_adapter_count(const struct fum_adapter_layer *layer, enum fum_adapter_role role) {
    const struct fum_loader_tensor *t = layer->tensors[role];
    return t ? (int64_t)fum_view_count(&t->view) : 0;
}

bool fum_adapter_needs(const struct fum_adapter_layer *layer, enum fum_adapter_role role,
                       int64_t rows, int64_t columns, struct fum_why *why) {
    int64_t has_rows = fum_adapter_dim(layer, role, 0), count = fum_adapter_count(layer, role);
    if (has_rows == rows && count == rows * columns) return true;
    return fum_refuse(why, "%s has %lld rows of %lld values, the model needs %lld rows of %lld",
                      fum_text_show(layer->tensors[role]->name).text, (long long)has_rows,
                      has_rows ? (long long)(count / has_rows) : 0, (long long)rows,
                      (long long)columns);
}

enum fum_result fum_adapter_read(const struct fum_adapter_layer *layer, enum fum_adapter_role role,
                                 float **values, struct fum_error *err) {
    const struct fum_view *view = &layer->tensors[role]->view;
    *values = fum_alloc((size_t)fum_view_count(view), sizeof **values);
    if (!*values) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for an adapter's tensor");
    return fum_view_read_f32(view, *values, err);
}

enum fum_result fum_adapter_scale(const struct fum_adapter_layer *layer, double rank, double *scale,
                                  struct fum_error *err) {
    double alpha = layer->alpha;
    float *value = NULL;
    enum fum_result result = FUM_OK;
    if (fum_adapter_count(layer, FUM_ADAPTER_ALPHA) > 0) {
        result = fum_adapter_read(layer, FUM_ADAPTER_ALPHA, &value, err);
        if (!result) alpha = (double)*value;
        fum_free(value);
    }
    double divisor = layer->by_root ? sqrt(rank) : rank;
    *scale = alpha != 0 ? alpha / divisor : 1;
    return result;
}

void fum_adapter_multiply(const struct fum_adapter_product *p) {
    for (int64_t i = 0; i < p->rows; i++) {
        float *out = p->out + i * p->columns;
        memset(out, 0, (size_t)p->columns * sizeof *out);
        for (int64_t k = 0; k < p->inner; k++) {
            const float *b = p->b + k * p->columns, a = p->scale * p->a[i * p->inner + k];
            for (int64_t j = 0; j < p->columns; j++) out[j] += a * b[j];
        }
    }
}
