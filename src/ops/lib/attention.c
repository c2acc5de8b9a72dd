// SPDX-License-Identifier: MIT
#include "ops/lib/attention.h"

const struct fum_attr_def fum_attention_attrs[] = {
    {"heads", 1}, {"causal", 0}, {"scale", 0}, {NULL, 0}};

bool fum_attention_cut(const struct fum_op_call *call, const struct fum_attention *a,
                       const struct fum_device_info *info, struct fum_cut *cut,
                       struct fum_why *why) {
    int64_t fit = FUM_MIN(fum_rows_per_binding(info, &call->in[0]), INT32_MAX / 2);
    int64_t batches = FUM_MIN(fum_rows_per_binding(info, &call->in[1]), INT32_MAX / 2) / a->keys;
    if (fit < 1) return fum_refuse_size(why, info, "one query");
    if (batches < 1) return fum_refuse_size(why, info, "the block of keys of one batch");
    *cut = (struct fum_cut){FUM_MIN(fit / a->queries, batches), fit};
    return true;
}

struct fum_attention_push fum_attention_emit(const struct fum_op_call *call,
                                             const struct fum_attention *a,
                                             const struct fum_part *part,
                                             const struct fum_dispatches *list,
                                             struct fum_dispatch *d) {
    int64_t first = part->batch * a->queries + part->first, count = part->batches * part->count,
            first_key = part->batch * a->keys, keys = part->batches * a->keys;
    struct fum_attention_push push = {
        .queries = (uint32_t)part->count,
        .first_query = (uint32_t)part->first,
        .batches = (uint32_t)part->batches,
        .scale = (float)a->scale,
        .heads = (uint32_t)a->heads,
        .head_quads = (uint32_t)(a->channels / 4),
        .splits = 1,
        .tokens_k = (uint32_t)a->keys,
    };
    push.q_skip = fum_emit_rows(list, d, 0, (struct fum_rows){&call->in[0], first, count});
    push.k_skip = fum_emit_rows(list, d, 1, (struct fum_rows){&call->in[1], first_key, keys});
    push.v_skip = fum_emit_rows(list, d, 2, (struct fum_rows){&call->in[2], first_key, keys});
    push.y_skip = fum_emit_rows(list, d, FUM_OUT, (struct fum_rows){&call->out, first, count});
    return push;
}

bool fum_attention_dispatch_by(const struct fum_attention_kernels *kernels,
                               const struct fum_op_call *call, const struct fum_attention *a,
                               struct fum_dispatches *list) {
    const struct fum_attention_tile tile = kernels->choose(list->info, a);
    struct fum_cut cut;
    struct fum_part part = {0};
    if (!fum_attention_cut(call, a, list->info, &cut, &list->why)) return false;
    while (fum_part_next(&part, a->batches, a->queries, cut)) {
        int64_t tiles = FUM_DIV_UP(part.count, tile.rows);
        struct fum_dispatch *d =
            fum_emit_groups(list, kernels->shader, call->out.dtype, tile.lanes,
                            (uint64_t)(tiles * tile.splits * a->heads * part.batches));
        if (!d) return false;
        d->texels = kernels->texels;
        FUM_EMIT_SPECS(d, tile.queries, tile.keys, tile.out_quads, a->causal);
        struct fum_attention_push push = fum_attention_emit(call, a, &part, list, d);
        push.tiles = (uint32_t)tiles;
        push.splits = tile.splits;
        FUM_EMIT_PUSH(d, push);
    }
    return true;
}
