// SPDX-License-Identifier: MIT
#include "pipeline/band_norm.h"

#include "base/dtype.h"
#include "base/error.h"
#include "base/macros.h"
#include "model/vae_passes.h"

#include <math.h>
#include <stdio.h>

void fum_channel_moments_free(struct fum_channel_moments *m) {
    fum_free(m->mean);
    fum_free(m->m2);
    *m = (struct fum_channel_moments){0};
}

bool fum_channel_moments_make(struct fum_channel_moments *m, int channels) {
    fum_channel_moments_free(m);
    m->mean = fum_calloc((size_t)channels, sizeof *m->mean);
    m->m2 = fum_calloc((size_t)channels, sizeof *m->m2);
    m->channels = channels;
    return m->mean && m->m2;
}

// Mean, sum of squared differences from it, and number of values.
struct sums {
    double mean, m2, count;
};

// Adds values to the sums (Chan, Golub and LeVeque, "Updating formulae", 1979).
static void merge_sums(struct sums *to, const struct sums *other) {
    double delta = other->mean - to->mean, all = to->count + other->count;
    to->mean += delta * other->count / all;
    to->m2 += other->m2 + delta * delta * to->count * other->count / all;
    to->count = all;
}

void fum_channel_moments_add(struct fum_channel_moments *m, const float *stats, int64_t chunks,
                             int64_t rows) {
    int64_t each = FUM_DIV_UP(rows, chunks);
    for (int64_t k = 0; k < chunks; k++) {
        int64_t first = FUM_MIN(k * each, rows), count = FUM_MIN(each, rows - first);
        const float *s = stats + 2 * k * m->channels;
        if (!count) break;
        for (int c = 0; c < m->channels; c++) {
            struct sums sums = {m->mean[c], m->m2[c], m->count};
            merge_sums(&sums,
                       &(struct sums){(double)s[c], (double)s[m->channels + c], (double)count});
            m->mean[c] = sums.mean;
            m->m2[c] = sums.m2;
        }
        m->count += (double)count;
    }
}

bool fum_channel_moments_finite(const struct fum_channel_moments *m) {
    for (int c = 0; c < m->channels; c++)
        if (!isfinite(m->mean[c]) || !isfinite(m->m2[c])) return false;
    return true;
}

// A weight or bias of a norm.
struct norm_part {
    const char *norm, *part;
    int channels;
};

static enum fum_result read_weight(const struct fum_component *component,
                                   const struct norm_part *of, float *values,
                                   struct fum_error *err) {
    char name[96];
    struct fum_view view;
    const struct fum_weight_source *source = component->source;
    snprintf(name, sizeof name, "%s.%s", of->norm, of->part);
    int64_t count = 1;
    int channels = of->channels;
    bool found = source->find(source->user, name, &view);
    for (int i = 0; found && i < view.rank; i++) count *= view.dim[i];
    if (!found || count != channels)
        return fum_error_set(err, FUM_ERR_FORMAT, "vae: tensor %s %s", name,
                             found ? "has another size than the model needs"
                                   : "is missing from the model's files");
    void *copy = NULL;
    enum fum_result result =
        fum_view_load(&view, (uint64_t)channels * fum_dtype_size(view.dtype), &copy, err);
    if (!result) fum_convert_to_f32(values, view.data, view.dtype, (size_t)channels);
    if (!result) fum_view_scale(&view, 0, values, (size_t)channels);
    fum_free(copy);
    return result;
}

enum fum_result fum_band_norm_factors(const struct fum_component *component,
                                      const struct fum_channel_moments *m, const char *norm,
                                      float *factors, struct fum_error *err) {
    int groups = component->pipe->view->vae.groups, channels = m->channels,
        each = channels / groups;
    const struct norm_part weight = {norm, "weight", channels}, bias = {norm, "bias", channels};
    enum fum_result result = read_weight(component, &weight, factors, err);
    if (!result) result = read_weight(component, &bias, factors + channels, err);
    for (int first = 0; first < groups * each && !result; first += each) {
        struct sums sums = {m->mean[first], m->m2[first], m->count};
        for (int c = first + 1; c < first + each; c++)
            merge_sums(&sums, &(struct sums){m->mean[c], m->m2[c], m->count});
        double inverse = 1 / sqrt(sums.m2 / (m->count * each) + fum_vae_norm_eps);
        for (int c = first; c < first + each; c++) {
            double a = (double)factors[c] * inverse;
            factors[channels + c] = (float)((double)factors[channels + c] - sums.mean * a);
            factors[c] = (float)a;
        }
    }
    return result;
}
