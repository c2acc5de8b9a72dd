// SPDX-License-Identifier: MIT
// Computes the largest singular values and their vectors by subspace iteration (Halko, Martinsson
// and Tropp 2011), with a few vectors more than the rank. A matrix of lower rank than there are
// vectors comes out exact.
#include "adapter/low_rank.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/lapack.h"
#include "base/macros.h"
#include "base/rng.h"

#include <math.h>
#include <string.h>

enum { MORE_VECTORS = 16, ITERATIONS = 3, SEED = 1 };

// The vectors of both sides, as rows.
struct subspace {
    const struct fum_low_rank *job;
    size_t count;
    double *left, *right;  // [count, rows], [count, columns]
    double *gram, *values; // [count, count], [count]
};

static double dot(const double *a, const double *b, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += a[i] * b[i];
    return sum;
}

// Makes the rows orthonormal by Gram and Schmidt, twice for accuracy. A row that depends on those
// before it becomes zeros.
static void orthonormalise(double *rows, size_t count, size_t length) {
    for (size_t i = 0; i < count; i++) {
        double *row = rows + i * length, before = sqrt(dot(row, row, length));
        for (int pass = 0; pass < 2; pass++)
            for (size_t j = 0; j < i; j++) {
                const double *other = rows + j * length;
                double share = dot(row, other, length);
                for (size_t k = 0; k < length; k++) row[k] -= share * other[k];
            }
        double norm = sqrt(dot(row, row, length));
        double factor = norm > 1e-13 * before ? 1 / norm : 0;
        for (size_t k = 0; k < length; k++) row[k] *= factor;
    }
}

// Computes right = left · matrix.
static void multiply(const struct subspace *s) {
    size_t rows = s->job->rows, columns = s->job->columns;
    memset(s->right, 0, s->count * columns * sizeof *s->right);
    for (size_t r = 0; r < rows; r++) {
        const float *row = s->job->matrix + r * columns;
        for (size_t i = 0; i < s->count; i++) {
            double factor = s->left[i * rows + r], *out = s->right + i * columns;
            for (size_t c = 0; c < columns; c++) out[c] += factor * (double)row[c];
        }
    }
}

// Computes left = right · matrixᵀ.
static void multiply_back(const struct subspace *s) {
    size_t rows = s->job->rows, columns = s->job->columns;
    for (size_t r = 0; r < rows; r++) {
        const float *row = s->job->matrix + r * columns;
        for (size_t i = 0; i < s->count; i++) {
            const double *in = s->right + i * columns;
            double sum = 0;
            for (size_t c = 0; c < columns; c++) sum += in[c] * (double)row[c];
            s->left[i * rows + r] = sum;
        }
    }
}

static bool begin(struct subspace *s) {
    size_t size = s->count * s->job->rows;
    float *draws = fum_alloc(size, sizeof *draws);
    struct fum_rng rng;
    s->left = fum_alloc(size, sizeof *s->left);
    s->right = fum_alloc(s->count * s->job->columns, sizeof *s->right);
    s->gram = fum_alloc(s->count * s->count, sizeof *s->gram);
    s->values = fum_alloc(s->count, sizeof *s->values);
    bool good = draws && s->left && s->right && s->gram && s->values;
    fum_rng_init(&rng, FUM_RNG_CPU, SEED);
    if (good) fum_rng_normal(&rng, draws, size);
    for (size_t i = 0; i < size && good; i++) s->left[i] = (double)draws[i];
    fum_free(draws);
    return good;
}

// Turns the subspace to the singular vectors. Rows of `gram` become the rotation, the largest
// value last.
static enum fum_result rotate(const struct subspace *s, struct fum_error *err) {
    size_t columns = s->job->columns;
    for (size_t i = 0; i < s->count; i++)
        for (size_t j = 0; j < s->count; j++)
            s->gram[i * s->count + j] =
                dot(s->right + i * columns, s->right + j * columns, columns);
    return fum_lapack_eigen(s->gram, s->count, s->values, err);
}

// Writes the k-th pair of vectors, each times the root of its singular value.
static void write_pair(const struct subspace *s, size_t k) {
    const struct fum_low_rank *job = s->job;
    const double *turn = s->gram + (s->count - 1 - k) * s->count;
    double square = FUM_MAX(s->values[s->count - 1 - k], 0), root = sqrt(sqrt(square));
    for (size_t r = 0; r < job->rows; r++) {
        double sum = 0;
        for (size_t i = 0; i < s->count; i++) sum += turn[i] * s->left[i * job->rows + r];
        job->up[r * job->rank + k] = (float)(sum * root);
    }
    for (size_t c = 0; c < job->columns; c++) {
        double sum = 0;
        for (size_t i = 0; i < s->count; i++) sum += turn[i] * s->right[i * job->columns + c];
        job->down[k * job->columns + c] = root > 0 ? (float)(sum / root) : 0;
    }
}

enum fum_result fum_low_rank_compute(const struct fum_low_rank *job, struct fum_error *err) {
    struct subspace s = {
        .job = job, .count = FUM_MIN(job->rank + MORE_VECTORS, FUM_MIN(job->rows, job->columns))};
    enum fum_result result =
        begin(&s) ? FUM_OK : fum_error_set(err, FUM_ERR_NOMEM, "no memory for singular vectors");
    if (!result) orthonormalise(s.left, s.count, job->rows);
    for (int i = 0; i < ITERATIONS && !result; i++) {
        multiply(&s);
        orthonormalise(s.right, s.count, job->columns);
        multiply_back(&s);
        orthonormalise(s.left, s.count, job->rows);
    }
    if (!result) multiply(&s);
    if (!result) result = rotate(&s, err);
    for (size_t k = 0; k < job->rank && !result; k++) write_pair(&s, k);
    fum_free(s.left);
    fum_free(s.right);
    fum_free(s.gram);
    fum_free(s.values);
    return result;
}
