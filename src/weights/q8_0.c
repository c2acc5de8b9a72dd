// SPDX-License-Identifier: MIT
// Weights of 8 bits, as ggml's q8_0.
//
// Each 32 inputs of an output are integers of 8 bits times one factor, d = max |x| / 127 rounded to
// f16. A block of them is nine rows of 32-bit words that pass for f32. Rows 0 to 7 hold four
// integers a word: those of inputs 4r to 4r + 3 from the low byte up. Row 8 holds the factors as
// f32. A linear weight, [out, in] in files, is [in / 32 * 9, out]. A convolution, [out, in, height,
// width] in files with up to nine taps, is [height, width, in / 32 * 9, out]: the same for each
// tap.
#include "base/block.h"
#include "base/dtype.h"
#include "base/macros.h"
#include "weights/transpose.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 32, ROWS = BLOCK / 4 + 1, MAX_TAPS = 9 };
enum { OUTPUTS = FUM_PACK_LINE / sizeof(uint32_t) };

static struct fum_view file_view(const struct fum_shape *shape) {
    const int64_t *d = shape->dim;
    if (shape->rank == 2) return (struct fum_view){.rank = 2, .dim = {d[1], d[0] / ROWS * BLOCK}};
    if (shape->rank == 4 && d[0] * d[1] <= MAX_TAPS)
        return (struct fum_view){.rank = 4, .dim = {d[3], d[2] / ROWS * BLOCK, d[0], d[1]}};
    return (struct fum_view){0};
}

// Quantises one block of one output as ggml's quantize_row_q8_0_ref does; word 8 is the factor. A
// non-finite value is not lost: the factor is NaN then.
static void quantise_block(const float *x, uint32_t *words) {
    float most = 0, d;
    bool finite = true;
    for (int i = 0; i < BLOCK; i++) {
        finite = finite && isfinite(x[i]);
        most = fmaxf(most, fabsf(x[i]));
    }
    d = most / 127;
    float inverse = finite && d > 0 ? 1 / d : 0, stored = finite ? fum_round_to(FUM_F16, d) : NAN;
    memset(words, 0, (ROWS - 1) * sizeof *words);
    for (int i = 0; i < BLOCK && isfinite(inverse) && finite; i++)
        words[i / 4] |= (uint32_t)(uint8_t)(int8_t)roundf(x[i] * inverse) << 8 * (i % 4);
    memcpy(&words[ROWS - 1], &stored, sizeof stored);
}

// Writes the requested rows of a block of one output, the first of which is `top`.
static void put_words(const struct fum_pack_target *to, int64_t top, int64_t column,
                      const uint32_t *words) {
    for (int64_t r = FUM_MAX(-top, 0); r < ROWS && top + r < to->count; r++)
        ((uint32_t *)to->data)[(top + r) * to->row_elements + column] = words[r];
}

// Quantises what `values` holds of one output, a block of every tap, and writes its requested rows.
static void pack_block(const struct fum_pack_job *job, const float *values, int64_t block,
                       int64_t column) {
    const struct fum_pack_target *to = &job->to;
    int64_t taps = fum_packing_taps(job->shape), blocks = job->view->dim[1] / BLOCK;
    for (int64_t t = 0; t < taps; t++) {
        int64_t top = (t * blocks + block) * ROWS - to->first;
        if (top >= to->count || top + ROWS <= 0) continue;
        uint32_t words[ROWS];
        float x[BLOCK];
        for (int64_t i = 0; i < BLOCK; i++) x[i] = values[i * taps + t];
        quantise_block(x, words);
        put_words(to, top, column, words);
    }
}

// Takes over blocks that the file has: an f16 factor, then the integers.
static void pack_stored(const struct fum_pack_job *job) {
    const struct fum_pack_target *to = &job->to;
    const uint8_t *stored = job->view->block_data;
    int64_t blocks = job->view->dim[1] / BLOCK, from = to->first / ROWS,
            end = FUM_DIV_UP(to->first + to->count, ROWS);
    for (int64_t o = 0; o < job->columns; o++) {
        for (int64_t b = from; b < end; b++) {
            const uint8_t *bytes = stored + (o * blocks + b) * fum_block_q8_0.bytes;
            float factor = fum_block_half(bytes);
            uint32_t words[ROWS];
            for (int r = 0; r < ROWS - 1; r++) {
                const uint8_t *p = bytes + 2 + 4 * r;
                words[r] = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
            }
            memcpy(&words[ROWS - 1], &factor, sizeof factor);
            put_words(to, b * ROWS - to->first, o, words);
        }
    }
}

// Works on a cache line of outputs and a block at a time. A block is 32 channels in each of the
// taps, which lie together in the file and `blocks` blocks apart in the packed weight.
static void pack_rows(const struct fum_pack_job *job) {
    if (job->view->blocks) {
        pack_stored(job);
        return;
    }
    const struct fum_pack_target *to = &job->to;
    int64_t taps = fum_packing_taps(job->shape), blocks = job->view->dim[1] / BLOCK;
    int64_t from = taps > 1 ? 0 : to->first / ROWS;
    int64_t end = taps > 1 ? blocks : FUM_DIV_UP(to->first + to->count, ROWS);
    for (int64_t o = 0; o < job->columns; o += OUTPUTS) {
        int64_t wide = FUM_MIN(job->columns - o, OUTPUTS);
        for (int64_t b = from; b < end; b++) {
            float run[OUTPUTS][BLOCK * MAX_TAPS];
            for (int64_t k = 0; k < wide; k++)
                fum_pack_convert(run[k], FUM_F32, job->view, ((o + k) * blocks + b) * BLOCK * taps,
                                 BLOCK * taps);
            for (int64_t k = 0; k < wide; k++) pack_block(job, run[k], b, o + k);
        }
    }
}

static double read_term(const struct fum_block *block, const uint32_t *words, int64_t stride,
                        int term) {
    (void)block;
    uint32_t byte = words[term / 4 * stride] >> 8 * (term % 4) & 0xff;
    float factor;
    memcpy(&factor, &words[(ROWS - 1) * stride], sizeof factor);
    return ((double)byte - (byte & 0x80 ? 256 : 0)) * (double)factor;
}

static const struct fum_block block = {
    .terms = BLOCK,
    .rows = ROWS,
    .max_taps = MAX_TAPS,
    .type = &fum_block_q8_0,
    .term = read_term,
};

const struct fum_packing fum_packing_q8_0 = {
    .name = "q8_0",
    .file_view = file_view,
    .transposed = true,
    .rows = pack_rows,
    .block = &block,
};
