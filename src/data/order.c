// SPDX-License-Identifier: MIT
#include "data/order.h"

#include "base/macros.h"
#include "data/draw.h"

enum { SHUFFLE_SAMPLES = 1, SHUFFLE_BATCHES, FLIP }; // what a draw is for

// Permutes the numbers of 2·half bits: a Feistel network, whose rounds are the mixer.
static uint64_t permute_bits(uint64_t x, int half, uint64_t key) {
    uint64_t mask = (UINT64_C(1) << half) - 1, left = x >> half, right = x & mask;
    for (uint64_t round = 0; round < 8; round++) {
        uint64_t next = left ^ (fum_draw_mix(key ^ fum_draw_mix(right << 8 | round)) & mask);
        left = right;
        right = next;
    }
    return left << half | right;
}

int64_t fum_data_permute(int64_t index, int64_t count, uint64_t key) {
    int half = 1;
    while (half < 31 && (UINT64_C(1) << 2 * half) < (uint64_t)count) half++;
    // The walk along the cycle ends, at the latest, where it began: below the count.
    uint64_t x = (uint64_t)index;
    do x = permute_bits(x, half, key);
    while (x >= (uint64_t)count);
    return (int64_t)x;
}

// ---- one size: batches follow each other through the epochs ----

// Returns the bucket's sample at a place of an epoch's order.
static int64_t shuffled(const struct fum_data_order *order, int bucket, int64_t epoch,
                        int64_t place) {
    const struct fum_data_bucket *b = fum_data_get_bucket(order->data, bucket);
    uint64_t key = fum_draw(order->seed, SHUFFLE_SAMPLES, (uint64_t)bucket, (uint64_t)epoch);
    int64_t at = fum_data_permute(place, b->count, key);
    return b->samples ? b->samples[at] : at;
}

// ---- buckets: every epoch has the same number of batches, each of one bucket ----

static int64_t batches_of(const struct fum_data_order *order, int bucket) {
    return FUM_DIV_UP(fum_data_get_bucket(order->data, bucket)->count, (int64_t)order->batch);
}

// Where a batch lies: its epoch, its bucket, and its number among the bucket's of the epoch.
struct place {
    int64_t epoch, chunk;
    int bucket;
};

static struct place find_place(const struct fum_data_order *order, int64_t number) {
    int buckets = fum_data_get_info(order->data)->buckets;
    int64_t total = 0;
    for (int i = 0; i < buckets; i++) total += batches_of(order, i);
    struct place p = {.epoch = number / total};
    uint64_t key = fum_draw(order->seed, SHUFFLE_BATCHES, (uint64_t)p.epoch, 0);
    p.chunk = fum_data_permute(number % total, total, key);
    while (p.chunk >= batches_of(order, p.bucket)) p.chunk -= batches_of(order, p.bucket++);
    return p;
}

int fum_data_order_bucket(const struct fum_data_order *order, int64_t number) {
    return fum_data_get_info(order->data)->buckets == 1 ? 0 : find_place(order, number).bucket;
}

struct fum_data_pick fum_data_order_pick(const struct fum_data_order *order, int64_t number,
                                         int row) {
    const struct fum_data_info *info = fum_data_get_info(order->data);
    int64_t sample = number * order->batch + row; // of the run
    struct fum_data_pick pick = {0};
    if (info->buckets == 1) {
        pick.index = shuffled(order, 0, sample / info->count, sample % info->count);
    } else {
        // A last batch that is not full begins the bucket's order again.
        struct place p = find_place(order, number);
        int64_t count = fum_data_get_bucket(order->data, p.bucket)->count;
        pick.index = shuffled(order, p.bucket, p.epoch, (p.chunk * order->batch + row) % count);
        pick.bucket = p.bucket;
    }
    pick.flip = info->flip && fum_draw(order->seed, FLIP, (uint64_t)sample, 0) & 1;
    return pick;
}

struct fum_data_pick fum_data_order_next(const struct fum_data_order *order,
                                         struct fum_data_pick pick, int64_t tries) {
    pick.index = (pick.index + tries) % fum_data_get_info(order->data)->count;
    return pick;
}
