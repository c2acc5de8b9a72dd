// SPDX-License-Identifier: MIT
// Attention by cooperative matrices: the dispatches of shaders/attention_coopmat.comp.
#include "base/macros.h"
#include "ops/variants/coopmat.h"

#include "gpu/tuning.h"

#include <stdio.h>
#include <string.h>

enum { MAX_HEAD = 256 }; // channels whose outputs a subgroup can hold, if it has the registers

// What a workgroup does at once; units are of 16 bytes. `hold`: queries stay in registers.
struct plan {
    const struct fum_matrix_shape *shape;
    uint32_t subgroup, groups, fragments, keys, head, slab, shared;
    bool hold;
};

static uint32_t round_up(int64_t n, uint32_t to) {
    return (uint32_t)FUM_ALIGN_UP(n, to);
}
static uint32_t larger(uint32_t a, uint32_t b) {
    return a > b ? a : b;
}

static struct plan plan_of(const struct fum_device_info *info, const struct fum_matrix_shape *shape,
                           int64_t channels, uint32_t groups, uint32_t fragments, uint32_t keys,
                           bool hold) {
    struct plan p = {shape, info->matrix_subgroup, groups, fragments, keys, 0, 0, 0, hold};
    p.head = round_up(channels, larger(shape->n, shape->k)); // powers of two, at least 8
    // As the shader lays it out: keys, values turned, and of each subgroup scores, what else
    // passes, and weights; then queries, or those in place of all else at first.
    uint32_t stride = p.head / 8 + 1, queries = groups * fragments * shape->m * stride;
    p.slab = shape->m * (keys / 4 + 1) + shape->m * (shape->n / 4 + 1) +
             fragments * shape->m * (keys / 8 + 1);
    p.shared = keys * stride + p.head * (keys / 8 + 1) + p.head / shape->n + groups * p.slab;
    p.shared = hold ? larger(p.shared, queries) : p.shared + queries;
    return p;
}

// Words of a lane's registers for outputs, for scores or what is staged (two units), and for the
// queries.
static uint32_t registers(const struct plan *p) {
    const struct fum_matrix_shape *s = p->shape;
    uint32_t sums = s->m * s->n / p->subgroup, outputs = p->fragments * (p->head / s->n) * sums;
    uint32_t scores = p->keys / s->n * sums;
    uint32_t held = p->hold ? p->fragments * (p->head / s->k) * (s->m * s->k / 2 / p->subgroup) : 0;
    return outputs + larger(scores, 2 * 4) + held;
}

static bool fits(const struct fum_device_info *info, const struct plan *p,
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

static int64_t workgroups(const struct fum_attention *a, const struct plan *p) {
    int64_t tile = (int64_t)p->groups * p->fragments * p->shape->m;
    return FUM_DIV_UP(a->queries, tile) * a->heads * a->batches;
}

// All that fit the device, best expected first; returns how many. As many queries for the same keys
// as leave each core a workgroup; 32 keys, since more take shared memory that other workgroups
// could have. CPU devices run this only to test it and would compile the large kernels, of which
// all is unrolled, for minutes.
static int list_plans(const struct fum_device_info *info, enum fum_dtype dtype,
                      const struct fum_attention *a, uint32_t most_registers,
                      struct plan list[MAX_CHOICES]) {
    static const uint32_t key_counts[] = {32, 16, 8, 64};
    const struct fum_matrix_shape *shape = fum_coopmat_shape(info, dtype);
    bool power = !(shape->m & (shape->m - 1)) && !(shape->n & (shape->n - 1)) &&
                 !(shape->k & (shape->k - 1));
    bool cpu = info->type == FUM_DEVICE_CPU;
    double cores = fum_device_class_of(info)->cores;
    uint32_t most = cpu ? 4 : THREADS / info->matrix_subgroup;
    if (most > MOST_GROUPS) most = MOST_GROUPS;
    int count = 0;
    for (int fill = 1; power && fill >= 0; fill--) // then those that leave cores idle
        for (uint32_t groups = most; groups; groups /= 2)
            for (uint32_t fragments = cpu && a->channels > 40 ? 1 : MOST_FRAGMENTS; fragments;
                 fragments--)
                for (int k = cpu ? 1 : 0; k < (cpu ? 3 : 4); k++) {
                    struct plan p =
                        plan_of(info, shape, a->channels, groups, fragments, key_counts[k], true);
                    if (!fits(info, &p, most_registers))
                        p = plan_of(info, shape, a->channels, groups, fragments, key_counts[k],
                                    false);
                    if (!fits(info, &p, most_registers) ||
                        ((double)workgroups(a, &p) >= cores) != fill)
                        continue;
                    list[count++] = p;
                }
    return count;
}

static uint32_t pack(const struct plan *p) {
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

// What measuring has found for the shape's class, else what is expected to be best. False: nothing
// fits the device.
static bool choose(const struct fum_device_info *info, const struct fum_tuning *tuning,
                   enum fum_dtype dtype, const struct fum_attention *a, struct plan *plan) {
    struct plan list[MAX_CHOICES];
    int count = list_plans(info, dtype, a, fum_device_class_of(info)->matrix_registers, list);
    // Who insists on the variant gets it for wider heads, too, slow as it is where registers do not
    // suffice.
    bool insisted = tuning && tuning->variant && !strcmp(tuning->variant, "coopmat");
    if (!count && insisted) count = list_plans(info, dtype, a, UINT32_MAX, list);
    uint64_t key = key_of(dtype, a);
    struct fum_tuning_note *note = tuning ? tuning->note : NULL;
    if (note && !note->count) {
        *note = (struct fum_tuning_note){
            .key = key, .describe = describe, .count = count < FUM_MAX_NOTE ? count : FUM_MAX_NOTE};
        for (int i = 0; i < note->count; i++) note->values[i] = pack(&list[i]);
    }
    uint32_t tuned = fum_tuning_find(tuning, key, 0);
    if (count) *plan = list[0];
    for (int i = 0; i < count; i++)
        if (pack(&list[i]) == tuned) *plan = list[i];
    return count > 0;
}

static bool add_part(const struct fum_op_call *call, const struct fum_attention *a,
                     const struct fum_part *part, const struct plan *p,
                     struct fum_dispatches *list) {
    struct fum_dispatch *d = fum_dispatch_add(list);
    if (!d) return false;
    *d = (struct fum_dispatch){.shader = "attention_coopmat",
                               .dtype = call->out.dtype,
                               .num_bind = 4,
                               .subgroup = p->subgroup};
    const uint32_t spec[] = {p->subgroup * p->groups,
                             1,
                             1,
                             p->shape->m,
                             p->shape->n,
                             p->shape->k,
                             p->subgroup,
                             p->groups,
                             p->fragments,
                             p->keys,
                             p->head,
                             p->shared,
                             a->causal,
                             a->channels % 8 == 0,
                             p->slab,
                             p->hold};
    memcpy(d->spec, spec, sizeof spec);
    d->num_spec = FUM_COUNT(spec);
    int64_t first = part->batch * a->queries + part->first, count = part->batches * part->count;
    uint32_t q_skip, k_skip, v_skip, y_skip;
    fum_bind_rows(list, d, 0, 0, false, &call->in[0], first, count, &q_skip);
    fum_bind_rows(list, d, 1, 1, false, &call->in[1], part->batch * a->keys,
                  part->batches * a->keys, &k_skip);
    fum_bind_rows(list, d, 2, 2, false, &call->in[2], part->batch * a->keys,
                  part->batches * a->keys, &v_skip);
    fum_bind_rows(list, d, 3, FUM_OUT, true, &call->out, first, count, &y_skip);
    int64_t tile = (int64_t)p->groups * p->fragments * p->shape->m,
            tiles = FUM_DIV_UP(part->count, tile);
    float scale = (float)a->scale;
    uint32_t bits;
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
                             (uint32_t)(a->channels / 4),
                             (uint32_t)a->keys};
    memcpy(d->push, push, sizeof push);
    d->num_push = FUM_COUNT(push);
    return fum_groups_1d(list->info, (uint64_t)(tiles * a->heads * part->batches), d->groups);
}

bool fum_coopmat_attention(const struct fum_op_call *call, const struct fum_attention *a,
                           struct fum_dispatches *list) {
    const struct fum_device_info *info = list->info;
    struct plan plan;
    if (a->channels > MAX_HEAD) return fum_coopmat_attention_wide(call, a, list);
    if (!info->subgroup_shuffle || !choose(info, list->tuning, call->out.dtype, a, &plan))
        return false;
    int64_t fit = fum_min_i64(fum_rows_per_binding(info, &call->in[0]), INT32_MAX / 2);
    int64_t keys_whole =
        fum_min_i64(fum_rows_per_binding(info, &call->in[1]), INT32_MAX / 2) / a->keys;
    if (fit < 1 || keys_whole < 1) return false;
    int64_t whole = fum_min_i64(fit / a->queries, keys_whole);
    struct fum_part part = {0};
    while (fum_part_next(&part, a->batches, a->queries, whole, fit))
        if (!add_part(call, a, &part, &plan, list)) return false;
    return true;
}
