// SPDX-License-Identifier: MIT
// Matrix products and convolutions by cooperative matrices: tiles, and the dispatches of
// shaders/gemm_coopmat.comp.
#include "ops/variants/coopmat.h"
#include "gpu/tuning.h"
#include "ops/lib/gemm_job.h"
#include "ops/lib/gemm_tiles.h"

#include <stdio.h>
#include <stdlib.h>

// A workgroup's tile: the device's matrices of a subgroup, and subgroups.
struct tile {
    uint32_t fragments_m, fragments_n, groups_m, groups_n;
};

// Where matrices are 16 x 16: 128 x 128 outputs down to 32 x 32, by eight or four subgroups; then
// those for subgroups of 16 lanes and few registers.
static const struct tile tiles[] = {{4, 2, 2, 4}, {4, 4, 2, 2}, {4, 2, 2, 2}, {2, 4, 2, 2},
                                    {2, 2, 2, 2}, {1, 2, 2, 2}, {1, 1, 2, 2}, {2, 2, 8, 4},
                                    {2, 2, 4, 4}, {1, 2, 4, 4}, {1, 1, 4, 4}};
_Static_assert(sizeof tiles == FUM_COOPMAT_TILES * sizeof *tiles, "as many as coopmat.h says");

enum { MAX_THREADS = 512 }; // of what is chosen unmeasured

// What follows from a tile on a device; units are of eight elements, 16 bytes.
struct tiling {
    struct tile tile;
    const struct fum_matrix_shape *shape;
    uint32_t threads, tile_m, tile_n, tile_k, shared;
};

static struct tiling tiling_of(const struct fum_device_info *info,
                               const struct fum_matrix_shape *shape, const struct tile *tile) {
    struct tiling p = {.tile = *tile, .shape = shape};
    uint32_t groups = tile->groups_m * tile->groups_n;
    p.threads = groups * info->matrix_subgroup;
    p.tile_m = tile->groups_m * tile->fragments_m * shape->m;
    p.tile_n = tile->groups_n * tile->fragments_n * shape->n;
    p.tile_k = shape->k < 32 ? 32 / shape->k * shape->k : shape->k;
    // As the shader lays it out: two tiles each, later the sums on their way out.
    uint32_t x = p.tile_m * (p.tile_k / 8 + 1);
    uint32_t w = p.tile_n * (p.tile_k / 8 + 1) + p.tile_n / shape->n;
    uint32_t out = groups * shape->m * (tile->fragments_n * shape->n / 4 + 1);
    p.shared = 2 * (x + w) > out ? 2 * (x + w) : out;
    return p;
}

// True if a workgroup fits the device. A gated product's subgroups have whole units of values and
// of gates.
static bool fits(const struct fum_device_info *info, const struct tiling *p, bool gated) {
    return (!gated || p->tile.fragments_n * p->shape->n % 16 == 0) &&
           p->shared * 16 <= info->shared_bytes && p->threads <= info->max_group_invocations &&
           p->threads <= info->max_group_size[0] && p->threads % (p->tile_k / 8) == 0;
}

// True if a kernel's sums, and what is on its way to be staged, fit its registers, so that none are
// spilled to memory.
static bool fits_registers(const struct fum_device_info *info, const struct tiling *p,
                           bool transposed) {
    uint32_t x = p->tile_m * p->tile_k / 8, w = p->tile_n * p->tile_k / 8 / (transposed ? 1 : 2);
    uint32_t staged =
        FUM_DIV_UP(x, p->threads) * 4 + FUM_DIV_UP(w, p->threads) * (transposed ? 4 : 8);
    uint32_t sums = p->tile.fragments_m * p->tile.fragments_n * p->shape->m * p->shape->n /
                    info->matrix_subgroup;
    return p->threads <= MAX_THREADS &&
           sums + staged <= fum_device_class_of(info)->matrix_registers;
}

struct choice {
    struct tiling tiling;
    int tile;
    int64_t steps, splits; // along the terms
    double time;
};

// Returns the time that a product is expected to take, in multiply-adds of a core. Workgroups run
// in rounds over the cores, two at a time on each. Small tiles load more from memory for what they
// multiply, and so do few matrices of a subgroup from shared memory. Workgroups of 256 suit most. A
// reduction writes and reads the layers and starts late.
static double expected(const struct fum_gemm_push *p, const struct fum_device_class *class,
                       const struct choice *c) {
    const struct tiling *t = &c->tiling;
    double area = (double)t->tile_m * t->tile_n, cores = class->cores;
    double count = (double)p->batches * (double)FUM_DIV_UP(p->rows, t->tile_m) *
                   (double)FUM_DIV_UP(p->n_size, t->tile_n);
    double rounds = count * (double)c->splits / (2 * cores),
           loads = 32.0 / t->tile_m + 32.0 / t->tile_n;
    loads +=
        16.0 / (t->tile.fragments_m * t->shape->m) + 16.0 / (t->tile.fragments_n * t->shape->n);
    double time =
        (rounds < 1 ? 1 : rounds) * (double)FUM_DIV_UP(c->steps, c->splits) * area * (1 + loads);
    if (t->threads != 256) time *= 1.05;
    if (c->splits > 1)
        time += (double)(c->splits + 1) * p->rows * p->batches * p->n_size / cores + 64 * 128 * 128;
    return time;
}

// A split has at least so many steps.
enum { MAX_SPLITS = 8, SPLIT_STEPS = 8, MAX_CHOICES = FUM_COOPMAT_TILES * 4 };

// Returns units of eight terms, all taps together: the last of a tap may be half.
static uint32_t units_of(const struct fum_gemm_job *job) {
    return job->quads / job->push.channel_quads * FUM_DIV_UP(job->push.channel_quads, 2);
}

static struct choice choice_of(const struct fum_gemm_job *job, const struct fum_device_info *info,
                               int tile, int64_t splits) {
    struct choice c = {.tile = tile, .splits = splits};
    c.tiling = tiling_of(info, fum_coopmat_shape(info, job->call->out.dtype), &tiles[tile]);
    c.steps = FUM_DIV_UP((int64_t)units_of(job), (int64_t)c.tiling.tile_k / 8);
    return c;
}

static int by_time(const void *x, const void *y) {
    const struct choice *a = x, *b = y;
    if (a->time != b->time) return a->time < b->time ? -1 : 1;
    return a->tile - b->tile;
}

// Lists all choices that fit the device, best expected first. Returns how many.
static int list_choices(const struct fum_gemm_job *job, int64_t most_splits,
                        const struct fum_device_info *info, struct choice list[MAX_CHOICES]) {
    const struct fum_device_class *class = fum_device_class_of(info);
    int count = 0;
    for (int i = 0; i < FUM_COOPMAT_TILES; i++) {
        struct choice c = choice_of(job, info, i, 1);
        if (!fits(info, &c.tiling, job->gate != FUM_ACT_NONE) ||
            !fits_registers(info, &c.tiling, job->transposed))
            continue;
        for (; c.splits <= most_splits; c.splits *= 2) {
            if (c.splits > 1 && (c.steps / c.splits < SPLIT_STEPS ||
                                 fum_gemm_job_splits(job, info, c.splits) < c.splits))
                break;
            c.time = expected(&job->push, class, &c);
            list[count++] = c;
        }
    }
    qsort(list, (size_t)count, sizeof *list, by_time);
    return count;
}

uint64_t fum_coopmat_key(const struct fum_tiling_shape *shape) {
    // as the tiled variants', but another table of tiles
    return fum_tiling_key(shape) + ((uint64_t)1 << 32);
}

static void describe(uint32_t value, char *text, size_t size) {
    const struct tile *t = &tiles[(value & 0xffff) % FUM_COOPMAT_TILES];
    snprintf(text, size, "%u x %u matrices by %u subgroups, %u splits",
             t->groups_m * t->fragments_m, t->groups_n * t->fragments_n, t->groups_m * t->groups_n,
             value >> 16);
}

// Lists the candidate tilings for the tuner.
static void note_choices(struct fum_tuning_note *note, uint64_t key, const struct choice *list,
                         int count) {
    note->key = key;
    note->describe = describe;
    note->count = count < FUM_MAX_NOTE ? count : FUM_MAX_NOTE;
    for (int i = 0; i < note->count; i++)
        note->values[i] =
            fum_tiling_pack((struct fum_tiling_choice){list[i].tile, (int)list[i].splits});
}

// Finds what measuring found best for the shape's class, else what is expected to be. Returns false
// if no tile fits the device.
static bool choose_tiling(const struct fum_gemm_job *job, int64_t most_splits,
                          const struct fum_dispatches *list, struct choice *best) {
    const struct fum_device_info *info = list->info;
    const struct fum_tuning *tuning = list->tuning;
    const struct fum_gemm_push *p = &job->push;
    bool gated = job->gate != FUM_ACT_NONE;
    const struct fum_tiling_shape shape = {.dtype = job->call->out.dtype,
                                           .conv = job->conv,
                                           .batches = p->batches,
                                           .rows = p->rows,
                                           .n = p->n_size,
                                           .quads = job->quads,
                                           .gated = gated};
    uint64_t key = fum_coopmat_key(&shape);
    struct choice choices[MAX_CHOICES];
    int count = list_choices(job, most_splits, info, choices);
    if (tuning && tuning->note && !tuning->note->count)
        note_choices(tuning->note, key, choices, count);
    if (count) *best = choices[0];
    uint32_t tuned = fum_tuning_find(tuning, key, UINT32_MAX), tile = tuned & 0xffff;
    int64_t splits = tuned >> 16;
    if (!count || tile >= FUM_COOPMAT_TILES || splits < 1 || splits > MAX_SPLITS) return count > 0;
    struct choice c = choice_of(job, info, (int)tile, fum_gemm_job_splits(job, info, splits));
    if (fits(info, &c.tiling, gated) && c.splits <= most_splits) *best = c;
    return true;
}

// Returns the bits of the constant WIDE. Rows of an even number of quads start on 16 bytes,
// whatever window of them is bound; gates start half a row on.
static uint32_t wide_of(const struct fum_gemm_job *job) {
    const struct fum_gemm_push *p = &job->push;
    uint32_t even = job->gate && !job->transposed ? 4 : 2, bits = 0;
    if (p->channel_quads % 2 == 0) bits |= 1;
    if ((job->transposed ? p->channel_quads : p->n_quads) % even == 0) bits |= 2;
    return bits;
}

// Adds the dispatch or two of a product; `layers`: no epilogue, the output is f32.
static bool add_product(struct fum_gemm_job *job, int64_t most_splits, bool layers,
                        struct fum_dispatches *list) {
    struct fum_gemm_push *p = &job->push;
    struct choice c;
    if (!choose_tiling(job, most_splits, list, &c)) return false;
    const struct tiling *t = &c.tiling;
    int64_t each = FUM_DIV_UP(c.steps, c.splits); // none empty
    p->quads = units_of(job);
    p->splits = (uint32_t)FUM_DIV_UP(c.steps, each);
    p->split_quads = (uint32_t)each * (t->tile_k / 8);
    p->tiles_m = FUM_DIV_UP(p->rows, t->tile_m);
    p->tiles_n = FUM_DIV_UP(p->n_size, t->tile_n);
    bool partial = layers || p->splits > 1;
    const char *shader =
        fum_emit_shader(list, "gemm_coopmat", job->quantised, job->call->out.dtype);
    if (!shader) return false;
    struct fum_dispatch *d =
        fum_emit_groups(list, shader, job->call->out.dtype, t->threads,
                        (uint64_t)p->tiles_m * p->tiles_n * p->batches * p->splits);
    if (!d) return false;
    d->subgroup = list->info->matrix_subgroup;
    FUM_EMIT_SPECS(d, t->shape->m, t->shape->n, t->shape->k, t->tile.fragments_m,
                   t->tile.fragments_n, t->tile.groups_m, t->tile.groups_n, t->tile_k, t->threads,
                   t->shared, partial ? FUM_ACT_NONE : job->act,
                   partial ? 0 : fum_gemm_epilogue_of(job->call), job->transposed,
                   p->channels % t->tile_k != 0, wide_of(job), partial, job->conv, job->up,
                   job->norm, job->norm_act, job->gate);
    for (int i = 0; i < FUM_GEMM_JOB_BINDINGS; i++) fum_emit_bind(d, job->bind[i]);
    fum_emit_push(d, p, sizeof *p);
    return p->splits == 1 || fum_gemm_job_reduce(job, d, list);
}

static bool add(struct fum_gemm_job *job, struct fum_dispatches *list) {
    return add_product(job, job->gate ? 1 : MAX_SPLITS, false, list);
}

bool fum_coopmat_add(struct fum_gemm_job *job, bool layers, struct fum_dispatches *list) {
    return add_product(job, 1, layers, list);
}

bool fum_coopmat_matmul(const struct fum_op_call *call, const struct fum_gemm *g,
                        struct fum_dispatches *list) {
    return fum_gemm_job_matmul(call, g, add, list);
}

bool fum_coopmat_conv2d(const struct fum_op_call *call, const struct fum_conv *c,
                        struct fum_dispatches *list) {
    return fum_gemm_job_conv2d(call, c, add, list);
}
