// SPDX-License-Identifier: MIT
// The variant "tiled" of attention: the dispatches of shaders/attention_tiled.comp.

#include "ops/variants/variant.h"
#include "ops/lib/device_class.h"

// An invocation has ROWS queries, holds at most MOST_COLS quads of the outputs of each and scores
// at most MOST_KEYS keys at once. These outputs are 16 vectors, which every device's registers hold
// (Adreno's drivers fail from 19 on). They are fewer where a wider row of lanes serves. Heads up to
// WHOLE_QUADS lie whole in shared memory.
enum {
    ROWS = 4,
    MOST_COLS = 4,
    MOST_KEYS = 4,
    MOST_LANES = 32,
    WHOLE_QUADS = 64,
    MAX_HEAD_QUADS = MOST_LANES * MOST_COLS
};

struct tiling {
    uint32_t threads, lanes, cols, keys, queries; // queries: of a workgroup
    uint32_t chunk;                               // quads of a head in shared memory at once
    bool whole;
};

static uint32_t shared_bytes(const struct tiling *p, uint32_t quad_bytes) {
    uint32_t rows = p->queries + (p->whole ? 2 : 1) * p->keys;
    return rows * (p->chunk + 1) * quad_bytes + p->queries * (p->keys / 4 + 1) * 16 +
           p->queries * p->lanes * 4;
}

// Chooses the most queries at once that fit the shared memory (two workgroups in a core's 64 KiB).
// They must still leave a workgroup or two for each of the device's cores. Then it chooses the most
// keys. Returns false if none fits.
static bool choose_tiling(const struct fum_device_info *info, const struct fum_attention *a,
                          uint32_t quad_bytes, struct tiling *best) {
    const struct fum_device_class *class = fum_device_class_of(info);
    uint32_t head_quads = (uint32_t)(a->channels / 4), lanes = 4;
    uint32_t room = info->shared_bytes < 32768 ? info->shared_bytes : 32768;
    bool found = false;
    if (head_quads > MAX_HEAD_QUADS) return false;
    // Words of a lane for outputs, queries and scores.
    uint32_t cols = MOST_COLS;
    while (cols > 1 && ROWS * (4 * cols + 4 + MOST_KEYS) > class->tile_registers) cols--;
    while (lanes * cols < head_quads && lanes < MOST_LANES) lanes *= 2;
    for (uint32_t threads = 128; threads >= 32; threads /= 2) {
        struct tiling p = {.threads = threads,
                           .lanes = lanes,
                           .cols = FUM_DIV_UP(head_quads, lanes),
                           .queries = threads / lanes * ROWS,
                           .whole = head_quads <= WHOLE_QUADS};
        p.chunk = p.whole ? head_quads : lanes; // then a column of each lane
        if (threads > info->max_group_invocations || threads > info->max_group_size[0]) continue;
        int64_t groups = FUM_DIV_UP(a->queries, p.queries) * a->heads * a->batches;
        p.keys = lanes * MOST_KEYS < 32 ? lanes * MOST_KEYS : 32;
        while (p.keys >= lanes && shared_bytes(&p, quad_bytes) > room) p.keys /= 2;
        if (p.keys < lanes) continue;
        *best = p;
        found = true;
        if ((double)groups >= 2 * class->cores) break;
    }
    return found;
}

static bool add_part(const struct fum_op_call *call, const struct fum_attention *a,
                     const struct fum_part *part, const struct tiling *t,
                     struct fum_dispatches *list) {
    int64_t tiles = FUM_DIV_UP(part->count, t->queries);
    struct fum_dispatch *d = fum_emit_groups(list, "attention_tiled", call->out.dtype, t->threads,
                                             (uint64_t)(tiles * a->heads * part->batches));
    if (!d) return false;
    FUM_EMIT_SPECS(d, t->lanes, ROWS, t->keys, (uint32_t)(a->channels / 4), t->cols, t->threads,
                   a->causal, t->chunk, t->whole ? t->keys * (t->chunk + 1) : 0);
    struct fum_attention_push push = fum_attention_emit(call, a, part, list, d);
    push.tiles = (uint32_t)tiles;
    FUM_EMIT_PUSH(d, push);
    return true;
}

bool fum_attention_tiled(const struct fum_op_call *call, const struct fum_attention *a,
                         struct fum_dispatches *list) {
    struct tiling tiling;
    struct fum_cut cut;
    struct fum_part part = {0};
    if (!choose_tiling(list->info, a, 4 * (uint32_t)fum_dtype_size(call->out.dtype), &tiling) ||
        !fum_attention_cut(call, a, list->info, &cut, &list->why))
        return false;
    while (fum_part_next(&part, a->batches, a->queries, cut))
        if (!add_part(call, a, &part, &tiling, list)) return false;
    return true;
}
