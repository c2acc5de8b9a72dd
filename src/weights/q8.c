// SPDX-License-Identifier: MIT
#include "weights/q8.h"

#include "base/dtype.h"
#include "base/macros.h"
#include "weights/transpose.h"

#include <math.h>
#include <string.h>

enum { OUTPUTS = FUM_PACK_LINE / sizeof(uint32_t) };

static struct fum_view file_view(const struct fum_shape *shape) {
    const int64_t *d = shape->dim;
    if (shape->rank == 2)
        return (struct fum_view){.rank = 2, .dim = {d[1], d[0] / FUM_Q8_ROWS * FUM_Q8_BLOCK}};
    if (shape->rank == 4 && d[0] * d[1] <= FUM_Q8_MAX_TAPS)
        return (struct fum_view){.rank = 4,
                                 .dim = {d[3], d[2] / FUM_Q8_ROWS * FUM_Q8_BLOCK, d[0], d[1]}};
    return (struct fum_view){0};
}

// Quantises one block of one output as ggml's quantize_row_q8_0_ref does; word 8 is the factor. A
// non-finite value is not lost: the factor is NaN then.
static void quantise_block(const float *x, uint32_t *words) {
    float most = 0, d;
    bool finite = true;
    for (int i = 0; i < FUM_Q8_BLOCK; i++) {
        finite = finite && isfinite(x[i]);
        most = fmaxf(most, fabsf(x[i]));
    }
    d = most / 127;
    float inverse = finite && d > 0 ? 1 / d : 0, stored = finite ? fum_round_to(FUM_F16, d) : NAN;
    memset(words, 0, (FUM_Q8_ROWS - 1) * sizeof *words);
    for (int i = 0; i < FUM_Q8_BLOCK && isfinite(inverse) && finite; i++)
        words[i / 4] |= (uint32_t)(uint8_t)(int8_t)roundf(x[i] * inverse) << 8 * (i % 4);
    memcpy(&words[FUM_Q8_ROWS - 1], &stored, sizeof stored);
}

// Quantises what `values` holds of one output, a block of every tap, and writes its requested rows.
static void pack_block(const struct fum_pack_job *job, const float *values, int64_t block,
                       int64_t column) {
    const struct fum_pack_target *to = &job->to;
    int64_t taps = fum_packing_taps(job->shape), blocks = job->view->dim[1] / FUM_Q8_BLOCK;
    for (int64_t t = 0; t < taps; t++) {
        int64_t top = (t * blocks + block) * FUM_Q8_ROWS - to->first;
        if (top >= to->count || top + FUM_Q8_ROWS <= 0) continue;
        uint32_t words[FUM_Q8_ROWS];
        float x[FUM_Q8_BLOCK];
        for (int64_t i = 0; i < FUM_Q8_BLOCK; i++) x[i] = values[i * taps + t];
        quantise_block(x, words);
        for (int64_t r = FUM_MAX(-top, 0); r < FUM_Q8_ROWS && top + r < to->count; r++)
            ((uint32_t *)to->data)[(top + r) * to->row_elements + column] = words[r];
    }
}

// Works on a cache line of outputs and a block at a time. A block is 32 channels in each of the
// taps, which lie together in the file and `blocks` blocks apart in the packed weight.
static void pack_rows(const struct fum_pack_job *job) {
    const struct fum_pack_target *to = &job->to;
    int64_t taps = fum_packing_taps(job->shape), blocks = job->view->dim[1] / FUM_Q8_BLOCK;
    int64_t from = taps > 1 ? 0 : to->first / FUM_Q8_ROWS;
    int64_t end = taps > 1 ? blocks : FUM_DIV_UP(to->first + to->count, FUM_Q8_ROWS);
    for (int64_t o = 0; o < job->columns; o += OUTPUTS) {
        int64_t wide = FUM_MIN(job->columns - o, OUTPUTS);
        for (int64_t b = from; b < end; b++) {
            float run[OUTPUTS][FUM_Q8_BLOCK * FUM_Q8_MAX_TAPS];
            for (int64_t k = 0; k < wide; k++)
                fum_pack_convert(run[k], FUM_F32, job->view,
                                 ((o + k) * blocks + b) * FUM_Q8_BLOCK * taps, FUM_Q8_BLOCK * taps);
            for (int64_t k = 0; k < wide; k++) pack_block(job, run[k], b, o + k);
        }
    }
}

const struct fum_packing fum_packing_q8 = {
    .name = "q8_0",
    .file_view = file_view,
    .transposed = true,
    .rows = pack_rows,
};
