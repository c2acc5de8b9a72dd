// SPDX-License-Identifier: MIT
// Writes the rows of a finished program for the device, and computes the same update on the host.
#include "sample/sample.h"

#include "base/alloc.h"

#include <assert.h>
#include <math.h>
#include <string.h>

void fum_sample_destroy(struct fum_sample_program **program) {
    if (!program || !*program) return;
    fum_free((*program)->sigmas);
    fum_free((*program)->eval);
    fum_free(*program);
    *program = NULL;
}

size_t fum_sample_row_size(const struct fum_sample_program *program) {
    return FUM_COEF_MATRIX +
           (size_t)program->history * ((size_t)program->history + FUM_COLUMNS_MORE);
}

void fum_sample_coefs(const struct fum_sample_program *program, double guidance, float *rows,
                      size_t stride) {
    int history = program->history;
    assert(stride >= fum_sample_row_size(program));
    for (int e = 0; e < program->evals; e++) {
        const struct fum_sample_eval *ev = &program->eval[e];
        float *row = rows + (size_t)e * stride, *m = row + FUM_COEF_MATRIX;
        memset(row, 0, stride * sizeof *row);
        row[FUM_COEF_INPUT] = (float)ev->c_in;
        row[FUM_COEF_GUIDANCE] = (float)guidance;
        row[FUM_COEF_A] = (float)ev->a;
        row[FUM_COEF_B] = (float)ev->b;
        row[FUM_COEF_CLIP] = (float)ev->clip;
        row[FUM_COEF_NOISE] = (float)ev->noise_row;
        for (int k = 0; k < history; k++, m += history + FUM_COLUMNS_MORE) {
            for (int j = 0; j < history; j++) m[j] = (float)ev->m[k][j];
            m[history + FUM_COLUMN_PREDICTION] = (float)ev->m[k][FUM_SAMPLE_D];
            m[history + FUM_COLUMN_NOISE] = (float)ev->m[k][FUM_SAMPLE_NOISE];
            m[history + FUM_COLUMN_UNCLAMPED] = (float)ev->m[k][FUM_SAMPLE_RAW];
        }
    }
}

static double norm_of(const double *values, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += values[i] * values[i];
    return sqrt(sum);
}

// Returns the size of the step: 1, unless it is found from norms.
static double step_size(const struct fum_sample_eval *ev, const struct fum_sample_values *values) {
    if (ev->correction == 0) return 1;
    double ratio =
        norm_of(values->noise, values->count) / norm_of(values->model_out, values->count);
    return ev->correction * ratio * ratio;
}

void fum_sample_apply(const struct fum_sample_program *program, int e,
                      const struct fum_sample_values *values) {
    const struct fum_sample_eval *ev = &program->eval[e];
    double *state = values->state;
    size_t n = values->count;
    int history = program->history;
    double size = step_size(ev, values), spread = ev->correction == 0 ? 1 : sqrt(2 * size);
    for (size_t i = 0; i < n; i++) {
        double in[FUM_SAMPLE_INPUTS] = {0};
        for (int k = 0; k < history; k++) in[k] = state[(size_t)k * n + i];
        double d = ev->a * in[0] + ev->b * values->model_out[i];
        in[FUM_SAMPLE_RAW] = d;
        if (ev->clip > 0 && d < -ev->clip) d = -ev->clip;
        if (ev->clip > 0 && d > ev->clip) d = ev->clip;
        in[FUM_SAMPLE_D] = d * size;
        in[FUM_SAMPLE_NOISE] = ev->noise_row >= 0 ? values->noise[i] * spread : 0;
        for (int k = 0; k < history; k++) {
            double sum = 0;
            for (int j = 0; j < FUM_SAMPLE_INPUTS; j++) sum += ev->m[k][j] * in[j];
            state[(size_t)k * n + i] = sum;
        }
    }
}
