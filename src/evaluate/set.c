// SPDX-License-Identifier: MIT
#include "evaluate/set.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/macros.h"

#include <math.h>

void fum_set_free(struct fum_set *set) {
    fum_free(set->features);
    fum_free(set->logits);
    fum_free(set->labels);
    fum_statistics_free(&set->statistics);
}

// In the order in which they are tried. The last one takes everything and says what is wrong.
static const struct fum_set_kind *const kinds[] = {&fum_set_npz, &fum_set_safetensors,
                                                   &fum_set_model, &fum_set_data};

static enum fum_result check_rows(const struct fum_set *set, const struct fum_rows *rows,
                                  const char *what, struct fum_error *err) {
    for (size_t i = 0; i < rows->count * rows->width; i++)
        if (!isfinite(rows->f32[i]))
            return fum_error_set(err, FUM_ERR_FORMAT, "%s: %s %zu of sample %zu is %s", set->path,
                                 what, i % rows->width, i / rows->width,
                                 isnan(rows->f32[i]) ? "not a number" : "infinite");
    return FUM_OK;
}

static enum fum_result check_statistics(const struct fum_set *set, struct fum_error *err) {
    const struct fum_statistics *s = &set->statistics;
    if (!s->covariance) return FUM_OK;
    for (size_t i = 0; i < s->width; i++)
        if (!isfinite(s->mean[i]))
            return fum_error_set(err, FUM_ERR_FORMAT, "%s: mu[%zu] is non-finite", set->path, i);
    for (size_t i = 0; i < s->width * s->width; i++)
        if (!isfinite(s->covariance[i]))
            return fum_error_set(err, FUM_ERR_FORMAT, "%s: sigma[%zu, %zu] is non-finite",
                                 set->path, i / s->width, i % s->width);
    return FUM_OK;
}

enum fum_result fum_set_open(struct fum_set *set, struct fum_set_context *context,
                             struct fum_error *err) {
    size_t kind = 0;
    while (kind + 1 < FUM_COUNT(kinds) && !kinds[kind]->probe(set->path)) kind++;
    enum fum_result result = kinds[kind]->open(set, context, err);
    if (!result) result = check_rows(set, &set->rows, "feature", err);
    if (!result) result = check_rows(set, &set->scores, "logit", err);
    return result ? result : check_statistics(set, err);
}
