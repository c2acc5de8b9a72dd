// SPDX-License-Identifier: MIT
// Computes the Fréchet distance between two Gaussians (Heusel et al. 2017).
//
// The trace of (Σ₁Σ₂)^½, for Σ = AᵀA, is the sum of the singular values of A₁A₂ᵀ. Each is as
// accurate as the largest, where eigenvalues of Σ₁Σ₂ near zero lose half of their digits in the
// root. So singular covariances, such as those of fewer samples than features, need no care.
#include "evaluate/statistics.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/lapack.h"
#include "base/macros.h"

#include <float.h>
#include <math.h>
#include <string.h>

// A factor of a covariance: Σ = AᵀA, where A has `count` rows.
struct factor {
    double *rows;
    size_t count;
    double trace; // of Σ
};

static enum fum_result no_memory(size_t width, struct fum_error *err) {
    return fum_error_set(err, FUM_ERR_NOMEM, "no memory for the distance of %zu features", width);
}

// Takes the centred samples, each over the root of n - 1.
static enum fum_result factor_samples(const struct fum_distribution *d, struct factor *f,
                                      struct fum_error *err) {
    size_t n = d->rows.count, width = d->rows.width;
    f->rows = fum_alloc(n, width * sizeof *f->rows);
    if (!f->rows) return no_memory(width, err);
    for (size_t i = 0; i < n * width; i++) {
        double centred = (double)d->rows.f32[i] - d->statistics->mean[i % width];
        f->rows[i] = centred / sqrt((double)(n - 1));
        f->trace += f->rows[i] * f->rows[i];
    }
    f->count = n;
    return FUM_OK;
}

// Takes the eigenvectors, each times the root of its eigenvalue. Eigenvalues within the rounding
// of the largest are those of a singular matrix; their roots would be noise of half the digits.
static enum fum_result factor_covariance(const struct fum_statistics *s, struct factor *f,
                                         struct fum_error *err) {
    size_t width = s->width;
    double *values = fum_alloc(width, sizeof *values);
    f->rows = fum_alloc(width, width * sizeof *f->rows);
    enum fum_result result = values && f->rows ? FUM_OK : no_memory(width, err);
    if (!result) {
        memcpy(f->rows, s->covariance, width * width * sizeof *f->rows);
        for (size_t i = 0; i < width; i++) f->trace += s->covariance[i * width + i];
        result = fum_lapack_eigen(f->rows, width, values, err);
    }
    size_t kept = 0;
    for (size_t i = 0; i < width && !result; i++) {
        if (values[i] <= (double)width * DBL_EPSILON * values[width - 1]) continue;
        for (size_t j = 0; j < width; j++)
            f->rows[kept * width + j] = f->rows[i * width + j] * sqrt(values[i]);
        kept++;
    }
    f->count = kept;
    fum_free(values);
    return result;
}

static enum fum_result find_factor(const struct fum_distribution *d, struct factor *f,
                                   struct fum_error *err) {
    if (d->rows.count && d->rows.count <= d->rows.width) return factor_samples(d, f, err);
    enum fum_result result = fum_statistics_covariance(d->statistics, &d->rows, err);
    return result ? result : factor_covariance(d->statistics, f, err);
}

// Computes the trace of (Σ₁Σ₂)^½ from the factors.
static enum fum_result trace_of_root(const struct factor *f, size_t width, double *trace,
                                     struct fum_error *err) {
    size_t n = FUM_MIN(f[0].count, f[1].count);
    const struct fum_rows a = {.f64 = f[0].rows, .count = f[0].count, .width = width},
                          b = {.f64 = f[1].rows, .count = f[1].count, .width = width};
    double *product = fum_alloc(a.count, b.count * sizeof *product),
           *values = fum_alloc(n, sizeof *values);
    enum fum_result result = product && values ? FUM_OK : no_memory(width, err);
    if (!result) result = fum_rows_multiply(&a, &b, product, err);
    if (!result) result = fum_lapack_singular_values(product, a.count, b.count, values, err);
    *trace = 0;
    for (size_t i = n; i > 0 && !result; i--) *trace += values[i - 1]; // the smallest first
    fum_free(product);
    fum_free(values);
    return result;
}

enum fum_result fum_frechet_distance(const struct fum_distribution *distributions, double *distance,
                                     struct fum_error *err) {
    struct factor f[2] = {{0}};
    const double *mean[2] = {distributions[0].statistics->mean, distributions[1].statistics->mean};
    size_t width = distributions[0].statistics->width;
    double trace = 0, means = 0;
    enum fum_result result = FUM_OK;
    for (int i = 0; i < 2 && !result; i++) result = find_factor(&distributions[i], &f[i], err);
    if (!result) result = trace_of_root(f, width, &trace, err);
    for (size_t i = 0; i < width; i++)
        means += (mean[0][i] - mean[1][i]) * (mean[0][i] - mean[1][i]);
    // Rounding may leave a little less than nothing between two of the same.
    *distance = fmax(0, means + f[0].trace + f[1].trace - 2 * trace);
    for (int i = 0; i < 2; i++) fum_free(f[i].rows);
    return result;
}
