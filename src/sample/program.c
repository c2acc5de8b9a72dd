// SPDX-License-Identifier: MIT
// A finished program: its rows for the device, and the same update on the host.
#include "sample/sample.h"

#include "base/alloc.h"

#include <assert.h>
#include <string.h>

void fum_sample_destroy(struct fum_sample_program **program) {
    if (!program || !*program) return;
    fum_free((*program)->sigmas);
    fum_free((*program)->eval);
    fum_free(*program);
    *program = NULL;
}

size_t fum_sample_row_size(const struct fum_sample_program *program) {
    return 6 + (size_t)program->slots * ((size_t)program->slots + 3);
}

void fum_sample_coefs(const struct fum_sample_program *program, double guidance, float *rows,
                      size_t stride) {
    int slots = program->slots;
    assert(stride >= fum_sample_row_size(program));
    for (int e = 0; e < program->evals; e++) {
        const struct fum_sample_eval *ev = &program->eval[e];
        float *row = rows + (size_t)e * stride, *m = row + 6;
        memset(row, 0, stride * sizeof *row);
        row[0] = (float)ev->c_in;
        row[1] = (float)guidance;
        row[2] = (float)ev->a;
        row[3] = (float)ev->b;
        row[4] = (float)ev->clip;
        row[5] = (float)ev->noise_row;
        for (int k = 0; k < slots; k++, m += slots + 3) {
            for (int j = 0; j < slots; j++) m[j] = (float)ev->m[k][j];
            m[slots] = (float)ev->m[k][FUM_SAMPLE_D];
            m[slots + 1] = (float)ev->m[k][FUM_SAMPLE_NOISE];
            m[slots + 2] = (float)ev->m[k][FUM_SAMPLE_RAW];
        }
    }
}

void fum_sample_apply(const struct fum_sample_program *program, int e, double *state,
                      const double *model_out, const double *noise, size_t n) {
    const struct fum_sample_eval *ev = &program->eval[e];
    int slots = program->slots;
    for (size_t i = 0; i < n; i++) {
        double in[FUM_SAMPLE_INPUTS] = {0};
        for (int k = 0; k < slots; k++) in[k] = state[(size_t)k * n + i];
        double d = ev->a * in[0] + ev->b * model_out[i];
        in[FUM_SAMPLE_RAW] = d;
        if (ev->clip > 0) d = d < -ev->clip ? -ev->clip : d > ev->clip ? ev->clip : d;
        in[FUM_SAMPLE_D] = d;
        in[FUM_SAMPLE_NOISE] = ev->noise_row >= 0 ? noise[i] : 0;
        for (int k = 0; k < slots; k++) {
            double sum = 0;
            for (int j = 0; j < FUM_SAMPLE_INPUTS; j++) sum += ev->m[k][j] * in[j];
            state[(size_t)k * n + i] = sum;
        }
    }
}
