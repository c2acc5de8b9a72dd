// SPDX-License-Identifier: MIT
#include "evaluate/rows.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/macros.h"
#include "base/thread.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

// ---- threads ----

struct spread {
    void (*work)(void *user, size_t i);
    void *user;
    size_t count;
    atomic_size_t next;
};

static void *take_work(void *user) {
    struct spread *s = user;
    for (;;) {
        size_t i = atomic_fetch_add(&s->next, 1);
        if (i >= s->count) return NULL;
        s->work(s->user, i);
    }
}

void fum_spread(size_t count, void (*work)(void *user, size_t i), void *user) {
    enum { MAX_THREADS = 64 };
    struct spread s = {.work = work, .user = user, .count = count};
    pthread_t threads[MAX_THREADS];
    int started = 0;
    // This thread works too; one that does not start is no loss.
    while (started < fum_cpu_count() - 1 && (size_t)started + 1 < count &&
           !pthread_create(&threads[started], NULL, take_work, &s))
        started++;
    take_work(&s);
    for (int i = 0; i < started; i++) pthread_join(threads[i], NULL);
}

// ---- tiles ----

enum {
    TILE_ROWS = 4,    // of a
    TILE_COLUMNS = 4, // rows of b
    BLOCK = 32,       // rows of a that share the packing of b
};

static double value_at(const struct fum_rows *rows, size_t row, size_t column) {
    size_t at = (rows->order ? rows->order[row] : row) * rows->width + column;
    return rows->f64 ? rows->f64[at] : (double)rows->f32[at];
}

// Packs rows first.. of a matrix column by column, TILE_ROWS of each. Past the end the last row is
// repeated, so that the edge is computed like the middle.
static void pack_rows(const struct fum_rows *rows, size_t first, double *to) {
    for (size_t r = 0; r < TILE_ROWS; r++) {
        size_t row = FUM_MIN(first + r, rows->count - 1);
        for (size_t c = 0; c < rows->width; c++) to[c * TILE_ROWS + r] = value_at(rows, row, c);
    }
}

static void multiply_tile(size_t width, const double *a, const double *b,
                          double sum[TILE_ROWS][TILE_COLUMNS]) {
    memset(sum, 0, sizeof(double[TILE_ROWS][TILE_COLUMNS]));
    for (size_t c = 0; c < width; c++, a += TILE_ROWS, b += TILE_COLUMNS)
        for (int i = 0; i < TILE_ROWS; i++)
            for (int j = 0; j < TILE_COLUMNS; j++) sum[i][j] += a[i] * b[j];
}

static void measure_tile(size_t width, const double *a, const double *b,
                         double sum[TILE_ROWS][TILE_COLUMNS]) {
    memset(sum, 0, sizeof(double[TILE_ROWS][TILE_COLUMNS]));
    for (size_t c = 0; c < width; c++, a += TILE_ROWS, b += TILE_COLUMNS)
        for (int i = 0; i < TILE_ROWS; i++)
            for (int j = 0; j < TILE_COLUMNS; j++) {
                double difference = a[i] - b[j];
                sum[i][j] += difference * difference;
            }
}

struct walk {
    const struct fum_pairs *pairs;
    atomic_bool failed; // memory ran out
};

// What one block needs.
struct block {
    double *a, *b, *out;
};

static bool allocate_block(const struct fum_pairs *pairs, struct block *block) {
    block->a = fum_alloc(pairs->a.width * BLOCK, sizeof *block->a);
    block->b = fum_alloc(pairs->b.width * TILE_COLUMNS, sizeof *block->b);
    block->out =
        fum_alloc(FUM_ALIGN_UP(pairs->b.count, (size_t)TILE_COLUMNS), BLOCK * sizeof *block->out);
    return block->a && block->b && block->out;
}

static void compute_block(const struct fum_pairs *pairs, const struct block *block, size_t rows) {
    size_t width = pairs->a.width, columns = FUM_ALIGN_UP(pairs->b.count, (size_t)TILE_COLUMNS);
    double sum[TILE_ROWS][TILE_COLUMNS];
    for (size_t j = 0; j < columns; j += TILE_COLUMNS) {
        pack_rows(&pairs->b, j, block->b);
        for (size_t i = 0; i < rows; i += TILE_ROWS) {
            if (pairs->kind == FUM_PAIR_PRODUCT)
                multiply_tile(width, block->a + i * width, block->b, sum);
            else
                measure_tile(width, block->a + i * width, block->b, sum);
            for (size_t r = 0; r < TILE_ROWS; r++)
                memcpy(block->out + (i + r) * columns + j, sum[r], sizeof sum[r]);
        }
    }
}

static void walk_block(void *user, size_t index) {
    struct walk *walk = user;
    const struct fum_pairs *pairs = walk->pairs;
    size_t first = index * BLOCK, rows = FUM_MIN(pairs->a.count - first, (size_t)BLOCK);
    size_t columns = FUM_ALIGN_UP(pairs->b.count, (size_t)TILE_COLUMNS);
    struct block block = {0};
    if (allocate_block(pairs, &block)) {
        for (size_t i = 0; i < rows; i += TILE_ROWS)
            pack_rows(&pairs->a, first + i, block.a + i * pairs->a.width);
        compute_block(pairs, &block, rows);
        for (size_t i = 0; i < rows; i++)
            pairs->row(pairs->user, first + i, block.out + i * columns);
    } else {
        atomic_store(&walk->failed, true);
    }
    fum_free(block.a);
    fum_free(block.b);
    fum_free(block.out);
}

enum fum_result fum_pairs_walk(const struct fum_pairs *pairs, struct fum_error *err) {
    struct walk walk = {.pairs = pairs};
    if (!pairs->a.count || !pairs->b.count) return FUM_OK;
    fum_spread(FUM_DIV_UP(pairs->a.count, (size_t)BLOCK), walk_block, &walk);
    if (!atomic_load(&walk.failed)) return FUM_OK;
    return fum_error_set(err, FUM_ERR_NOMEM, "no memory to compare %zu with %zu features",
                         pairs->a.count, pairs->b.count);
}

// ---- products ----

struct product {
    double *out;
    size_t columns;
};

static void store_row(void *user, size_t i, const double *values) {
    const struct product *product = user;
    memcpy(product->out + i * product->columns, values, product->columns * sizeof *values);
}

enum fum_result fum_rows_multiply(const struct fum_rows *a, const struct fum_rows *b, double *out,
                                  struct fum_error *err) {
    struct product product = {out, b->count};
    return fum_pairs_walk(&(struct fum_pairs){*a, *b, FUM_PAIR_PRODUCT, store_row, &product}, err);
}
