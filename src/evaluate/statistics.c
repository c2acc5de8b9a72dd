// SPDX-License-Identifier: MIT
#include "evaluate/statistics.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/macros.h"

#include <string.h>

void fum_statistics_free(struct fum_statistics *s) {
    fum_free(s->mean);
    fum_free(s->covariance);
    *s = (struct fum_statistics){0};
}

static enum fum_result no_memory(size_t width, struct fum_error *err) {
    return fum_error_set(err, FUM_ERR_NOMEM, "no memory for the covariance of %zu numbers", width);
}

enum fum_result fum_statistics_mean(struct fum_statistics *s, const struct fum_rows *rows,
                                    struct fum_error *err) {
    s->width = rows->width;
    s->mean = fum_calloc(rows->width, sizeof *s->mean);
    if (!s->mean) return no_memory(rows->width, err);
    for (size_t i = 0; i < rows->count; i++)
        for (size_t c = 0; c < rows->width; c++)
            s->mean[c] += (double)rows->f32[i * rows->width + c];
    for (size_t c = 0; c < rows->width; c++) s->mean[c] /= (double)rows->count;
    return FUM_OK;
}

enum {
    CHUNK = 128, // rows that are centred at once
    SIDE = 4,    // of a tile of the covariance
};

struct covariance {
    const struct fum_rows *rows;
    const double *mean;
    double *sum;     // [width, width]; tiles on and above the diagonal
    double *centred; // [CHUNK, padded]
    size_t padded;   // the width, a multiple of SIDE
    size_t first, count;
};

static void add_tile(const struct covariance *c, size_t i, size_t j) {
    double sum[SIDE][SIDE] = {{0}};
    const double *row = c->centred;
    for (size_t r = 0; r < c->count; r++, row += c->padded)
        for (int a = 0; a < SIDE; a++)
            for (int b = 0; b < SIDE; b++) sum[a][b] += row[i + (size_t)a] * row[j + (size_t)b];
    size_t width = c->rows->width;
    for (size_t a = 0; a < SIDE && i + a < width; a++)
        for (size_t b = 0; b < SIDE && j + b < width; b++)
            c->sum[(i + a) * width + j + b] += sum[a][b];
}

static void add_tiles(void *user, size_t index) {
    const struct covariance *c = user;
    for (size_t j = index * SIDE; j < c->padded; j += SIDE) add_tile(c, index * SIDE, j);
}

static void centre_chunk(struct covariance *c) {
    size_t width = c->rows->width;
    c->count = FUM_MIN(c->rows->count - c->first, (size_t)CHUNK);
    for (size_t r = 0; r < c->count; r++) {
        const float *from = c->rows->f32 + (c->first + r) * width;
        for (size_t i = 0; i < width; i++)
            c->centred[r * c->padded + i] = (double)from[i] - c->mean[i];
    }
}

// Divides the sums by n - 1 and mirrors them at the diagonal.
static void finish_covariance(struct covariance *c) {
    size_t width = c->rows->width;
    for (size_t i = 0; i < width; i++)
        for (size_t j = i; j < width; j++) {
            c->sum[i * width + j] /= (double)(c->rows->count - 1);
            c->sum[j * width + i] = c->sum[i * width + j];
        }
}

enum fum_result fum_statistics_covariance(struct fum_statistics *s, const struct fum_rows *rows,
                                          struct fum_error *err) {
    if (s->covariance) return FUM_OK;
    struct covariance c = {
        .rows = rows, .mean = s->mean, .padded = FUM_ALIGN_UP(rows->width, (size_t)SIDE)};
    c.sum = fum_calloc(rows->width, rows->width * sizeof *c.sum);
    c.centred = fum_calloc(CHUNK, c.padded * sizeof *c.centred);
    if (!c.sum || !c.centred) {
        fum_free(c.sum);
        fum_free(c.centred);
        return no_memory(rows->width, err);
    }
    for (; c.first < rows->count; c.first += CHUNK) {
        centre_chunk(&c);
        fum_spread(c.padded / SIDE, add_tiles, &c);
    }
    finish_covariance(&c);
    s->covariance = c.sum;
    fum_free(c.centred);
    return FUM_OK;
}
