// SPDX-License-Identifier: MIT
// The variant "tiled" of attention: the dispatches of shaders/attention_tiled.comp.
#include <string.h>

#include "base/macros.h"
#include "ops/lib/attention.h"
#include "ops/lib/device_class.h"

// Queries of an invocation, and the most quads of their outputs that it holds: 16 vectors, which
// every device's registers hold (Adreno's drivers fail from 19 on), or fewer where a wider row of
// lanes serves; and the most keys it scores at once. Heads up to WHOLE_QUADS lie whole in shared
// memory.
enum {
    ROWS = 4,
    MOST_COLS = 4,
    MOST_KEYS = 4,
    MOST_LANES = 32,
    WHOLE_QUADS = 64,
    MAX_HEAD_QUADS = MOST_LANES * MOST_COLS
};

struct plan {
    uint32_t threads, lanes, cols, keys, queries; // queries: of a workgroup
    uint32_t chunk;                               // quads of a head in shared memory at once
    bool whole;
};

static uint32_t shared_bytes(const struct plan *p, uint32_t quad_bytes) {
    uint32_t rows = p->queries + (p->whole ? 2 : 1) * p->keys;
    return rows * (p->chunk + 1) * quad_bytes + p->queries * (p->keys / 4 + 1) * 16 +
           p->queries * p->lanes * 4;
}

// The most queries at once that fit the shared memory (two workgroups in a core's 64 KiB) and still
// leave a workgroup or two for each of the device's cores; then the most keys. False: none fits.
static bool choose(const struct fum_device_info *info, const struct fum_attention *a,
                   uint32_t quad_bytes, struct plan *best) {
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
        struct plan p = {.threads = threads,
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
                     const struct fum_part *part, const struct plan *p,
                     struct fum_dispatches *list) {
    struct fum_dispatch *d = fum_dispatch_add(list);
    if (!d) return false;
    *d =
        (struct fum_dispatch){.shader = "attention_tiled", .dtype = call->out.dtype, .num_bind = 4};
    const uint32_t spec[] = {p->threads,
                             1,
                             1,
                             p->lanes,
                             ROWS,
                             p->keys,
                             (uint32_t)(a->channels / 4),
                             p->cols,
                             p->threads,
                             a->causal,
                             p->chunk,
                             p->whole ? p->keys * (p->chunk + 1) : 0};
    memcpy(d->spec, spec, sizeof spec);
    d->num_spec = FUM_COUNT(spec);
    int64_t first = part->batch * a->queries + part->first, count = part->batches * part->count;
    uint32_t q_skip, k_skip, v_skip, y_skip, bits;
    fum_bind_rows(list, d, 0, 0, false, &call->in[0], first, count, &q_skip);
    fum_bind_rows(list, d, 1, 1, false, &call->in[1], part->batch * a->keys,
                  part->batches * a->keys, &k_skip);
    fum_bind_rows(list, d, 2, 2, false, &call->in[2], part->batch * a->keys,
                  part->batches * a->keys, &v_skip);
    fum_bind_rows(list, d, 3, FUM_OUT, true, &call->out, first, count, &y_skip);
    int64_t tiles = FUM_DIV_UP(part->count, p->queries);
    float scale = (float)a->scale;
    memcpy(&bits, &scale, sizeof bits);
    const uint32_t push[] = {(uint32_t)part->count,
                             (uint32_t)part->first,
                             (uint32_t)part->batches,
                             (uint32_t)tiles,
                             q_skip,
                             k_skip,
                             v_skip,
                             y_skip,
                             bits,
                             (uint32_t)a->heads,
                             (uint32_t)a->keys};
    memcpy(d->push, push, sizeof push);
    d->num_push = FUM_COUNT(push);
    return fum_groups_1d(list->info, (uint64_t)(tiles * a->heads * part->batches), d->groups);
}

bool fum_attention_tiled(const struct fum_op_call *call, const struct fum_attention *a,
                         struct fum_dispatches *list) {
    const struct fum_device_info *info = list->info;
    struct plan plan;
    if (!choose(info, a, 4 * (uint32_t)fum_dtype_size(call->out.dtype), &plan)) return false;
    int64_t fit = fum_min_i64(fum_rows_per_binding(info, &call->in[0]), INT32_MAX / 2);
    int64_t keys_whole =
        fum_min_i64(fum_rows_per_binding(info, &call->in[1]), INT32_MAX / 2) / a->keys;
    if (fit < 1 || keys_whole < 1) return false;
    struct fum_part part = {0};
    while (fum_part_next(&part, a->batches, a->queries, fum_min_i64(fit / a->queries, keys_whole),
                         fit))
        if (!add_part(call, a, &part, &plan, list)) return false;
    return true;
}
