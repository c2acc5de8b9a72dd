// SPDX-License-Identifier: MIT
// Attention by cooperative matrices: the dispatches of shaders/attention_coopmat.comp.
#include "ops/variants/coopmat.h"

#include "gpu/tuning.h"

#include <stdio.h>

// What a workgroup does at once; units are of 16 bytes. `hold`: queries stay in registers.
struct tiling {
    const struct fum_matrix_shape *shape;
    uint32_t subgroup, groups, fragments, keys, head, slab, shared;
    bool hold;
};

// Completes a tiling whose shape, subgroup, groups, fragments, keys and hold are set.
static struct tiling complete(struct tiling t, int64_t channels) {
    const struct fum_matrix_shape *shape = t.shape;
    uint32_t head = (uint32_t)channels, block = FUM_MAX(shape->n, shape->k);
    t.head = FUM_ALIGN_UP(head, block); // powers of two, at least 8
    // The shader lays out keys, values transposed, and the slab of each subgroup: scores, what else
    // passes, and weights. Queries follow or, with `hold`, come first in place of all else.
    uint32_t stride = t.head / 8 + 1, queries = t.groups * t.fragments * shape->m * stride;
    t.slab = shape->m * (t.keys / 4 + 1) + shape->m * (shape->n / 4 + 1) +
             t.fragments * shape->m * (t.keys / 8 + 1);
    t.shared = t.keys * stride + t.head * (t.keys / 8 + 1) + t.head / shape->n + t.groups * t.slab;
    t.shared = t.hold ? FUM_MAX(t.shared, queries) : t.shared + queries;
    return t;
}

// Words of a lane's registers for outputs, for scores or what is staged (two units), and for the
// queries.
static uint32_t registers(const struct tiling *p) {
    const struct fum_matrix_shape *s = p->shape;
    uint32_t sums = s->m * s->n / p->subgroup, outputs = p->fragments * (p->head / s->n) * sums;
    uint32_t scores = p->keys / s->n * sums;
    uint32_t held = p->hold ? p->fragments * (p->head / s->k) * (s->m * s->k / 2 / p->subgroup) : 0;
    return outputs + FUM_MAX(scores, 2 * 4) + held;
}

static bool fits(const struct fum_device_info *info, const struct tiling *p,
                 uint32_t most_registers) {
    const struct fum_matrix_shape *s = p->shape;
    bool whole = p->subgroup % s->m == 0 && p->keys % s->n == 0 && p->keys % s->k == 0 &&
                 p->keys % (4 * (p->subgroup / s->m)) == 0;
    return whole && p->shared * 16 <= info->shared_bytes &&
           p->groups * p->subgroup <= info->max_group_invocations &&
           p->groups * p->subgroup <= info->max_group_size[0] && registers(p) <= most_registers;
}

// ---- choosing ----

enum { THREADS = 256, MOST_GROUPS = 16, MOST_FRAGMENTS = 2, MAX_CHOICES = 5 * 2 * 4 };

static int64_t workgroups(const struct fum_attention *a, const struct tiling *p) {
    int64_t tile = (int64_t)p->groups * p->fragments * p->shape->m;
    return FUM_DIV_UP(a->queries, tile) * a->heads * a->batches;
}

// Lists all that fit the device, best expected first, and returns how many. As many queries for the
// same keys as leave each core a workgroup; 32 keys, since more take shared memory that other
// workgroups could have. Classes with slow compilers run this only to test it, and would compile
// the large kernels, of which all is unrolled, for minutes.
static int list_tilings(const struct fum_device_info *info, enum fum_dtype dtype,
                        const struct fum_attention *a, uint32_t most_registers,
                        struct tiling list[MAX_CHOICES]) {
    static const uint32_t key_counts[] = {32, 16, 8, 64};
    const struct fum_device_class *class = fum_device_class_of(info);
    const struct fum_matrix_shape *shape = fum_coopmat_shape(info, dtype);
    bool power = !(shape->m & (shape->m - 1)) && !(shape->n & (shape->n - 1)) &&
                 !(shape->k & (shape->k - 1));
    bool slow = class->slow_compiler;
    uint32_t most = slow ? 4 : FUM_MIN(THREADS / info->matrix_subgroup, MOST_GROUPS);
    int count = 0;
    for (int fill = 1; power && fill >= 0; fill--) // then those that leave cores idle
        for (uint32_t groups = most; groups; groups /= 2)
            for (uint32_t fragments = slow && a->channels > 40 ? 1 : MOST_FRAGMENTS; fragments;
                 fragments--)
                for (int k = slow ? 1 : 0; k < (slow ? 3 : 4); k++) {
                    struct tiling t = {.shape = shape,
                                       .subgroup = info->matrix_subgroup,
                                       .groups = groups,
                                       .fragments = fragments,
                                       .keys = key_counts[k],
                                       .hold = true};
                    t = complete(t, a->channels);
                    if (!fits(info, &t, most_registers)) {
                        t.hold = false;
                        t = complete(t, a->channels);
                    }
                    if (fits(info, &t, most_registers) &&
                        ((double)workgroups(a, &t) >= class->cores) == fill)
                        list[count++] = t;
                }
    return count;
}

static uint32_t pack(const struct tiling *p) {
    return p->keys | p->groups << 8 | p->fragments << 16;
}

static void describe(uint32_t value, char *text, size_t size) {
    snprintf(text, size, "%u keys, %u subgroups of %u matrices of queries", value & 0xff,
             value >> 8 & 0xff, value >> 16);
}

static uint64_t key_of(enum fum_dtype dtype, const struct fum_attention *a) {
    return (uint64_t)dtype | (uint64_t)a->causal << 4 |
           (uint64_t)fum_log2_up(a->batches * a->heads) << 8 |
           (uint64_t)fum_log2_up(a->queries) << 16 | (uint64_t)fum_log2_up(a->keys) << 24 |
           (uint64_t)3 << 32 | (uint64_t)(a->channels / 4) << 40; // 3: these meanings
}

// Finds what measuring found best for the shape's class, else what is expected to be. Returns false
// if nothing fits the device.
static bool choose_tiling(const struct fum_device_info *info, const struct fum_tuning *tuning,
                          enum fum_dtype dtype, const struct fum_attention *a,
                          struct tiling *tiling) {
    struct tiling list[MAX_CHOICES];
    int count = list_tilings(info, dtype, a, fum_device_class_of(info)->matrix_registers, list);
    // If the variant is forced, allow wide heads even though they may spill registers.
    bool forced = tuning && tuning->variant == &fum_variant_coopmat;
    if (!count && forced) count = list_tilings(info, dtype, a, UINT32_MAX, list);
    uint64_t key = key_of(dtype, a);
    struct fum_tuning_note *note = tuning ? tuning->note : NULL;
    if (note && !note->count) {
        *note = (struct fum_tuning_note){
            .key = key, .describe = describe, .count = FUM_MIN(count, FUM_MAX_NOTE)};
        for (int i = 0; i < note->count; i++) note->values[i] = pack(&list[i]);
    }
    uint32_t tuned = fum_tuning_find(tuning, key, 0);
    if (count) *tiling = list[0];
    for (int i = 0; i < count; i++)
        if (pack(&list[i]) == tuned) *tiling = list[i];
    return count > 0;
}

static bool add_part(const struct fum_op_call *call, const struct fum_attention *a,
                     const struct fum_part *part, const struct tiling *t,
                     struct fum_dispatches *list) {
    int64_t tile = (int64_t)t->groups * t->fragments * t->shape->m,
            tiles = FUM_DIV_UP(part->count, tile);
    struct fum_dispatch *d =
        fum_emit_groups(list, "attention_coopmat", call->out.dtype, t->subgroup * t->groups,
                        (uint64_t)(tiles * a->heads * part->batches));
    if (!d) return false;
    d->subgroup = t->subgroup;
    FUM_EMIT_SPECS(d, t->shape->m, t->shape->n, t->shape->k, t->subgroup, t->groups, t->fragments,
                   t->keys, t->head, t->shared, a->causal, a->channels % 8 == 0, t->slab, t->hold);
    struct fum_attention_push push = fum_attention_emit(call, a, part, list, d);
    push.tiles = (uint32_t)tiles;
    FUM_EMIT_PUSH(d, push);
    return true;
}

bool fum_coopmat_attention(const struct fum_op_call *call, const struct fum_attention *a,
                           struct fum_dispatches *list) {
    const struct fum_device_info *info = list->info;
    struct tiling tiling;
    struct fum_cut cut;
    struct fum_part part = {0};
    if (!info->subgroup_shuffle ||
        !choose_tiling(info, list->tuning, call->out.dtype, a, &tiling) ||
        !fum_attention_cut(call, a, info, &cut, &list->why))
        return false;
    while (fum_part_next(&part, a->batches, a->queries, cut))
        if (!add_part(call, a, &part, &tiling, list)) return false;
    return true;
}
