// SPDX-License-Identifier: MIT
// Computes the kernel distance (KID) of everything or over random subsets.
#include "base/alloc.h"
#include "base/error.h"
#include "evaluate/measures.h"

// ---- subsets ----

// Draws 64 random bits (splitmix64, Steele et al. 2014).
static uint64_t draw_bits(uint64_t *state) {
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

// Draws a number below `limit`, each as likely: numbers of the last, incomplete range are redrawn.
static size_t draw_below(uint64_t *state, size_t limit) {
    uint64_t range = UINT64_MAX - UINT64_MAX % limit, bits;
    do bits = draw_bits(state);
    while (bits >= range);
    return (size_t)(bits % limit);
}

// Moves `size` of order[0..count) to its begin, drawn without replacement.
static void draw_subset(uint64_t *state, size_t *order, size_t count, size_t size) {
    for (size_t i = 0; i < size; i++) {
        size_t at = i + draw_below(state, count - i), moved = order[at];
        order[at] = order[i];
        order[i] = moved;
    }
}

// ---- sums of kernels ----

struct kernel_sum {
    double *rows; // one sum for each row of a
    size_t width, count;
    bool same; // a and b are one set, whose diagonal does not count
};

static void sum_row(void *user, size_t i, const double *products) {
    const struct kernel_sum *s = user;
    double sum = 0;
    for (size_t j = 0; j < s->count; j++) {
        double k = products[j] / (double)s->width + 1;
        if (!s->same || j != i) sum += k * k * k;
    }
    s->rows[i] = sum;
}

static enum fum_result sum_kernels(const struct fum_rows *a, const struct fum_rows *b, double *sum,
                                   struct fum_error *err) {
    struct kernel_sum s = {.width = a->width, .count = b->count, .same = a == b};
    s.rows = fum_alloc(a->count, sizeof *s.rows);
    if (!s.rows) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for the kernel distance");
    const struct fum_pairs pairs = {*a, *b, FUM_PAIR_PRODUCT, sum_row, &s};
    enum fum_result result = fum_pairs_walk(&pairs, err);
    *sum = 0;
    for (size_t i = 0; i < a->count && !result; i++) *sum += s.rows[i];
    fum_free(s.rows);
    return result;
}

// Computes the unbiased MMD² of two sets, each with its own divisor.
static enum fum_result compare_subsets(const struct fum_rows sets[2], double *distance,
                                       struct fum_error *err) {
    double m = (double)sets[0].count, n = (double)sets[1].count, sums[3] = {0};
    enum fum_result result = sum_kernels(&sets[0], &sets[0], &sums[0], err);
    if (!result) result = sum_kernels(&sets[1], &sets[1], &sums[1], err);
    if (!result) result = sum_kernels(&sets[0], &sets[1], &sums[2], err);
    *distance = sums[0] / (m * (m - 1)) + sums[1] / (n * (n - 1)) - 2 * sums[2] / (m * n);
    return result;
}

static enum fum_result average_subsets(const struct fum_rows sets[2], size_t *const order[2],
                                       const struct fum_kid_params *params, double *distance,
                                       struct fum_error *err) {
    uint64_t state = params->seed;
    *distance = 0;
    for (int s = 0; s < params->subsets; s++) {
        struct fum_rows drawn[2];
        double value = 0;
        for (int i = 0; i < 2; i++) {
            draw_subset(&state, order[i], sets[i].count, params->size);
            drawn[i] = sets[i];
            drawn[i].count = params->size;
            drawn[i].order = order[i];
        }
        enum fum_result result = compare_subsets(drawn, &value, err);
        if (result) return result;
        *distance += value / params->subsets;
    }
    return FUM_OK;
}

enum fum_result fum_kernel_distance(const struct fum_rows sets[2],
                                    const struct fum_kid_params *params, double *distance,
                                    struct fum_error *err) {
    size_t *order[2] = {0};
    enum fum_result result = FUM_OK;
    if (!params->size) return compare_subsets(sets, distance, err);
    for (int i = 0; i < 2 && !result; i++) {
        order[i] = fum_alloc(sets[i].count, sizeof *order[i]);
        if (!order[i])
            result = fum_error_set(err, FUM_ERR_NOMEM, "no memory for the subsets of KID");
        for (size_t k = 0; k < sets[i].count && !result; k++) order[i][k] = k;
    }
    if (!result) result = average_subsets(sets, order, params, distance, err);
    for (int i = 0; i < 2; i++) fum_free(order[i]);
    return result;
}
