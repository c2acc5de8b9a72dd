// SPDX-License-Identifier: MIT
#include "ops/lib/gemm_tiles.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "gpu/tuning.h"
#include "ops/lib/part.h"

// Scalar kernels of ggml-vulkan use 128 x 128, 64 x 64 and 32 x 32 with steps of 16 terms on every
// vendor (gpus.md, section 3). The other tiles serve few rows (embeddings, text), few columns (the
// last convolution of a UNet or a VAE) and 16 KiB of shared memory.
const struct fum_tiling fum_tilings[] = {
    {128, 128, 16, 8, 8}, // 256 invocations, 18 KiB in f32
    {128, 128, 8, 8, 8},  // 256, 10 KiB
    {128, 64, 16, 8, 8},  // 128, 14 KiB
    {64, 128, 16, 8, 8},  // 128, 13 KiB
    {64, 64, 16, 8, 4},   // 128, 9 KiB
    {64, 64, 16, 4, 4},   // 256
    {128, 32, 16, 8, 4},  // 128, 12 KiB
    {64, 32, 16, 4, 4},   // 128, 7 KiB
    {32, 64, 16, 4, 4},   // 128, 6.5 KiB
    {32, 32, 16, 4, 4},   // 64, 4.5 KiB
    {16, 64, 32, 2, 4},   // 128, 10.3 KiB
    {4, 64, 32, 1, 4},    // 64, 8.6 KiB: as much of w at once as fits
    {128, 16, 16, 4, 4},  // 128, 11 KiB
    {128, 4, 16, 2, 4},   // 64, 10.3 KiB
    {32, 4, 16, 1, 4},    // 32, 2.8 KiB
    {64, 64, 16, 2, 4},   // 256 where it is gated, with no more sums each than 4 x 4
};
const int fum_tiling_count = FUM_COUNT(fum_tilings);

struct fum_tiling fum_tiling_of(int tile, bool gated) {
    struct fum_tiling t = fum_tilings[tile];
    if (gated) t.tn = 8;
    return t;
}

bool fum_tiling_fits(const struct fum_tiling *t, const struct fum_device_info *info,
                     uint32_t quad_bytes) {
    uint32_t threads = fum_tiling_threads(t);
    return threads <= info->max_group_invocations && threads <= info->max_group_size[0] &&
           fum_tiling_shared(t, quad_bytes, 1) <= info->shared_bytes;
}

int64_t fum_tiling_split(const struct fum_tiling *t, int64_t quads, int64_t splits,
                         int64_t *split_quads) {
    int64_t step = t->bk / 4, steps = FUM_DIV_UP(quads, step);
    int64_t each = splits > 1 ? FUM_DIV_UP(steps, splits) : steps;
    *split_quads = each * step;
    return each ? FUM_DIV_UP(steps, each) : 1;
}

uint32_t fum_log2_up(int64_t n) {
    uint32_t bits = 0;
    while (bits < 62 && ((int64_t)1 << bits) < n) bits++;
    return bits;
}

uint64_t fum_tiling_key(const struct fum_tiling_shape *s) {
    return (uint64_t)s->dtype | (uint64_t)s->conv << 4 | (uint64_t)s->half << 5 |
           (uint64_t)s->gated << 6 | (uint64_t)fum_log2_up(s->batches * s->rows) << 8 |
           (uint64_t)fum_log2_up(s->n) << 16 |
           // 1: these meanings and this table of tiles
           (uint64_t)fum_log2_up(s->quads) << 24 | (uint64_t)1 << 32;
}

// Returns the time that a product is expected to take, in multiply-adds of one of the device's
// cores. Workgroups run in rounds over the cores, slower where those of a core have too few
// invocations to hide its latencies. A tile's loads per multiply-add fall as its sides grow. A
// reduction writes and reads the layers and starts late.
static double expected(const struct fum_tiling_shape *s, const struct fum_device_class *class,
                       const struct fum_tiling *t, int64_t splits) {
    double tiles = (double)(s->batches * FUM_DIV_UP(s->rows, t->bm) * FUM_DIV_UP(s->n, t->bn));
    double cores = class->cores, terms = (double)(4 * s->quads) / (double)splits;
    double groups = tiles * (double)splits, rounds = (double)(int64_t)FUM_DIV_UP(groups, cores);
    double loads = 1 + class->load_cost * (1.0 / t->bm + 1.0 / t->bn);
    double busy = rounds * fum_tiling_threads(t) / class->fill;
    double time = rounds * t->bm * t->bn * terms * loads / (busy < 1 ? busy : 1);
    if (splits > 1)
        time += (double)(splits + 1) * (double)(s->batches * s->rows * s->n) * 8 / cores + 1e6;
    return time;
}

struct candidate {
    struct fum_tiling_choice choice;
    double time;
};

static int by_time(const void *x, const void *y) {
    const struct candidate *a = x, *b = y;
    if (a->time != b->time) return a->time < b->time ? -1 : 1;
    return a->choice.tile - b->choice.tile;
}

// A split costs a dispatch and a barrier. So only long sums (ggml: from 2048 terms on) of few tiles
// are split, into parts of at least 256 terms.
enum { MAX_SPLITS = 8, LONG_QUADS = 512, SPLIT_QUADS = 64 };

static bool may_split(const struct fum_tiling_shape *s, const struct fum_device_class *class,
                      const struct fum_tiling *t, int splits) {
    int64_t tiles = s->batches * FUM_DIV_UP(s->rows, t->bm) * FUM_DIV_UP(s->n, t->bn);
    return splits == 1 || (!s->gated && s->quads >= LONG_QUADS &&
                           s->quads / splits >= SPLIT_QUADS && (double)tiles <= class->cores);
}

// Returns the words of a lane's registers: its sums (with f16 arithmetic those of a step, too), its
// factors, and its loads under way. A convolution's loads need more addresses.
static uint32_t registers(const struct fum_tiling_shape *s, const struct fum_tiling *t) {
    uint32_t threads = fum_tiling_threads(t), sums = t->tm * t->tn;
    uint32_t x = FUM_DIV_UP(t->bm * t->bk / 4, threads), w = FUM_DIV_UP(t->bk * t->bn / 4, threads);
    return (s->half ? 2 * sums : sums * 3 / 2) + 4 * t->tm + 16 + (s->conv ? 8 : 4) * x + 4 * w;
}

static bool allowed(const struct fum_tiling_shape *s, const struct fum_device_class *class,
                    const struct fum_device_info *info, const struct fum_tiling *t) {
    return t->bn >= t->tn && t->bm <= class->most_tile && t->bn <= class->most_tile &&
           fum_tiling_threads(t) <= class->most_threads &&
           registers(s, t) <= class->tile_registers && fum_tiling_fits(t, info, s->half ? 8 : 16);
}

static int candidates(const struct fum_tiling_shape *s, const struct fum_device_info *info,
                      struct candidate *list, int capacity) {
    const struct fum_device_class *class = fum_device_class_of(info);
    int count = 0;
    for (int i = 0; i < fum_tiling_count; i++) {
        const struct fum_tiling t = fum_tiling_of(i, s->gated);
        if (!allowed(s, class, info, &t)) continue;
        for (int splits = 1; splits <= MAX_SPLITS && count < capacity; splits *= 2) {
            if (!may_split(s, class, &t, splits)) break;
            list[count].choice = (struct fum_tiling_choice){i, splits};
            list[count++].time = expected(s, class, &t, splits);
        }
    }
    qsort(list, (size_t)count, sizeof *list, by_time);
    return count;
}

enum { MAX_CANDIDATES = 64 };

int fum_tiling_candidates(const struct fum_tiling_shape *s, const struct fum_device_info *info,
                          struct fum_tiling_choice *choices, int capacity) {
    struct candidate list[MAX_CANDIDATES];
    int count = candidates(s, info, list, MAX_CANDIDATES);
    if (count > capacity) count = capacity;
    for (int i = 0; i < count; i++) choices[i] = list[i].choice;
    return count;
}

static void describe(uint32_t value, char *text, size_t size) {
    const struct fum_tiling *t = &fum_tilings[value & 0xffff];
    snprintf(text, size, "%ux%ux%u", t->bm, t->bn, t->bk);
    if (value >> 16 > 1) snprintf(text + strlen(text), size - strlen(text), " in %u", value >> 16);
}

// Lists the candidate tilings for the tuner.
static void note_choices(struct fum_tuning_note *note, const struct fum_tiling_shape *s,
                         const struct fum_device_info *info) {
    struct fum_tiling_choice choices[FUM_MAX_NOTE];
    note->key = fum_tiling_key(s);
    note->describe = describe;
    note->count = fum_tiling_candidates(s, info, choices, FUM_MAX_NOTE);
    for (int i = 0; i < note->count; i++) note->values[i] = fum_tiling_pack(choices[i]);
}

struct fum_tiling_choice fum_tiling_choose(const struct fum_tiling_shape *s,
                                           const struct fum_device_info *info,
                                           const struct fum_tuning *tuning) {
    if (tuning && tuning->note && !tuning->note->count) note_choices(tuning->note, s, info);
    uint32_t tuned = fum_tuning_find(tuning, fum_tiling_key(s), UINT32_MAX);
    struct fum_tiling_choice choice = {(int)(tuned & 0xffff), (int)(tuned >> 16)};
    if (tuned != UINT32_MAX && choice.tile < fum_tiling_count && choice.splits >= 1 &&
        choice.splits <= (s->gated ? 1 : MAX_SPLITS)) {
        const struct fum_tiling t = fum_tiling_of(choice.tile, s->gated);
        if (t.bn >= t.tn && fum_tiling_fits(&t, info, s->half ? 8 : 16)) return choice;
    }
    choice = (struct fum_tiling_choice){-1, 1};
    fum_tiling_candidates(s, info, &choice, 1);
    return choice;
}
