// SPDX-License-Identifier: MIT
// Plans a graph: the order of its nodes, their dispatches, and the places of all values in memory.
#include "graph/plan.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

// A stretch of memory to place: `bytes` needed from step `first` to step `last`, both included.
struct interval {
    int first, last;
    struct fum_place place;
    const fum_tensor *owner; // the root tensor, or the node whose scratch it is
    bool scratch;
    int shares; // index of the interval whose memory it takes, being written in place; -1: none
};

struct planner {
    fum_plan *plan;
    const fum_graph *graph;
    const struct fum_device_info *info;
    const struct fum_tuning *tuning;
    struct fum_error *err;
    struct interval *intervals;
    int num_intervals;
    int *interval_of; // by tensor id (roots); -1: none
    uint64_t block_cap;
};

enum { FOREVER = 1 << 30 };

static bool has_memory(const fum_tensor *t) {
    return t->kind == FUM_TENSOR_INPUT || t->kind == FUM_TENSOR_STATE || t->kind == FUM_TENSOR_NODE;
}

// ---- order and dispatches ----

static enum fum_result dispatch_step(struct planner *p, struct fum_plan_step *step,
                                     struct fum_dispatches *list) {
    struct fum_op_call call;
    fum_tensor_call(step->node, &call);
    list->info = p->info;
    list->tuning = p->tuning;
    list->count = 0;
    list->scratch_bytes = 0;
    if (!fum_tensor_is_alias(step->node) && !step->node->op->dispatch(&call, list))
        return fum_error_set(p->err, FUM_ERR_UNSUPPORTED, "%s: op %s on %s: %s", step->node->name,
                             step->node->op->name, p->info->name, list->why.text);
    step->count = list->count;
    step->dispatches =
        fum_arena_alloc(p->plan->arena, (size_t)list->count, sizeof *step->dispatches);
    if (!step->dispatches) return fum_error_set(p->err, FUM_ERR_NOMEM, "no memory for a plan");
    memcpy(step->dispatches, list->item, (size_t)list->count * sizeof *step->dispatches);
    step->flops = fum_op_flops(step->node->op, &call);
    step->scratch = (struct fum_place){-1, 0, list->scratch_bytes};
    return FUM_OK;
}

static enum fum_result order_steps(struct planner *p) {
    fum_plan *plan = p->plan;
    struct fum_dispatches *list = fum_alloc(1, sizeof *list);
    enum fum_result result = FUM_OK;
    if (!list) return fum_error_set(p->err, FUM_ERR_NOMEM, "no memory for a plan");
    for (int stage = 0; stage < FUM_STAGE_COUNT; stage++) {
        plan->stage_begin[stage] = plan->num_steps;
        for (int i = 0; i < p->graph->count && !result; i++) {
            const fum_tensor *t = p->graph->tensors[i];
            if (!t->live || t->kind != FUM_TENSOR_NODE || (int)t->stage != stage) continue;
            struct fum_plan_step *step = &plan->steps[plan->num_steps++];
            step->node = t;
            result = dispatch_step(p, step, list);
        }
    }
    plan->stage_begin[FUM_STAGE_COUNT] = plan->num_steps;
    fum_free(list);
    return result;
}

// ---- lifetimes ----

static int interval_add(struct planner *p, const fum_tensor *owner, bool scratch, int first,
                        uint64_t bytes) {
    p->intervals[p->num_intervals] = (struct interval){.first = first,
                                                       .last = first,
                                                       .place = {-1, 0, bytes ? bytes : 16},
                                                       .owner = owner,
                                                       .scratch = scratch,
                                                       .shares = -1};
    return p->num_intervals++;
}

static void find_lifetimes(struct planner *p) {
    const fum_plan *plan = p->plan;
    for (int i = 0; i < p->graph->count; i++) p->interval_of[i] = -1;
    for (int i = 0; i < p->graph->count; i++) {
        const fum_tensor *t = p->graph->tensors[i];
        if (!t->live || (t->kind != FUM_TENSOR_INPUT && t->kind != FUM_TENSOR_STATE)) continue;
        int k = p->interval_of[i] = interval_add(p, t, false, 0, fum_desc_bytes(&t->desc));
        p->intervals[k].last = FOREVER;
    }
    for (int s = 0; s < plan->num_steps; s++) {
        const fum_tensor *t = plan->steps[s].node, *root = fum_tensor_root(t);
        if (root == t)
            p->interval_of[t->id] = interval_add(p, t, false, s, fum_desc_bytes(&t->desc));
        if (plan->steps[s].scratch.bytes) interval_add(p, t, true, s, plan->steps[s].scratch.bytes);
        if (t->output && p->interval_of[root->id] >= 0) {
            p->intervals[p->interval_of[root->id]].first = 0;
            p->intervals[p->interval_of[root->id]].last = FOREVER;
        }
        for (int k = 0; k < t->num_inputs; k++) {
            if (!t->in[k]) continue;
            const fum_tensor *in = fum_tensor_root(t->in[k]);
            if (p->interval_of[in->id] < 0) continue;
            struct interval *v = &p->intervals[p->interval_of[in->id]];
            if (in->stage < t->stage) { // read again at every run of the later stage
                v->first = 0;
                v->last = FOREVER;
            } else if (v->last < s) {
                v->last = s;
            }
        }
    }
}

// Gives a node the memory of its input 0 if its op allows it and nothing reads that input later.
static void write_in_place(struct planner *p) {
    for (int s = 0; s < p->plan->num_steps; s++) {
        const fum_tensor *t = p->plan->steps[s].node;
        if (!(t->op->flags & FUM_OP_IN_PLACE) || !t->in[0]) continue;
        int out = p->interval_of[t->id], in = p->interval_of[fum_tensor_root(t->in[0])->id];
        if (out < 0 || in < 0) continue;
        struct interval *a = &p->intervals[out], *b = &p->intervals[in];
        if (b->last != s || a->last == FOREVER || a->place.bytes != b->place.bytes) continue;
        // Another input that is the same memory under a broadcast would be overwritten while it is
        // read.
        bool twice = false;
        for (int k = 1; k < t->num_inputs; k++)
            twice |= t->in[k] && fum_tensor_root(t->in[k]) == fum_tensor_root(t->in[0]);
        if (twice) continue;
        int owner = b->shares >= 0 ? b->shares : in;
        a->shares = owner;
        if (p->intervals[owner].last < a->last) p->intervals[owner].last = a->last;
    }
}

// ---- places ----

static int by_size(const void *x, const void *y) {
    const struct interval *a = *(const struct interval *const *)x,
                          *b = *(const struct interval *const *)y;
    if (a->place.bytes != b->place.bytes) return a->place.bytes < b->place.bytes ? 1 : -1;
    if (a->first != b->first) return a->first - b->first;
    return a < b ? -1 : a > b;
}

static bool alive_together(const struct interval *a, const struct interval *b) {
    return a->first <= b->last && b->first <= a->last;
}

// Returns the lowest offset of `block` where v overlaps none of the placed intervals alive at the
// same time. The ranges are padded as the bindings will be, or overlaps would cause barriers.
static uint64_t lowest_offset(const struct planner *p, struct interval *const *placed,
                              int num_placed, int block, const struct interval *v) {
    uint64_t offset = 0, bytes = fum_padded_view(p->info, v->place.bytes);
    for (bool moved = true; moved;) {
        moved = false;
        for (int i = 0; i < num_placed; i++) {
            const struct interval *o = placed[i];
            if (o->place.block != block || !alive_together(o, v)) continue;
            uint64_t end = o->place.offset + fum_padded_view(p->info, o->place.bytes);
            if (offset < end && o->place.offset < offset + bytes) {
                offset = fum_buffer_align(end);
                moved = true;
            }
        }
    }
    return offset;
}

static enum fum_result place_one(struct planner *p, struct interval **placed, int num_placed,
                                 struct interval *v) {
    fum_plan *plan = p->plan;
    if (v->place.bytes > p->block_cap)
        return fum_error_set(
            p->err, FUM_ERR_UNSUPPORTED,
            "%s needs %llu bytes in one piece, %s allows %llu: use a smaller picture or tiles",
            v->owner->name, (unsigned long long)v->place.bytes, p->info->name,
            (unsigned long long)p->block_cap);
    for (int block = 0;; block++) {
        uint64_t offset = lowest_offset(p, placed, num_placed, block, v);
        if (block < plan->num_blocks && offset + v->place.bytes > p->block_cap) continue;
        if (block == plan->num_blocks) plan->block_bytes[plan->num_blocks++] = 0;
        v->place.block = block;
        v->place.offset = offset;
        if (plan->block_bytes[block] < offset + v->place.bytes)
            plan->block_bytes[block] = offset + v->place.bytes;
        return FUM_OK;
    }
}

// Places the largest values first, each at the lowest free offset. Pisarchyk and Lee, "Efficient
// memory management for deep neural net inference" (2020): greedy by size.
static enum fum_result place_all(struct planner *p) {
    struct interval **sorted = fum_alloc((size_t)p->num_intervals + 1, sizeof *sorted);
    enum fum_result result = FUM_OK;
    int count = 0;
    p->plan->block_bytes =
        fum_arena_alloc(p->plan->arena, (size_t)p->num_intervals + 1, sizeof(uint64_t));
    if (!sorted || !p->plan->block_bytes) {
        fum_free(sorted);
        return fum_error_set(p->err, FUM_ERR_NOMEM, "no memory for a plan");
    }
    for (int i = 0; i < p->num_intervals; i++) {
        if (p->intervals[i].shares >= 0) continue;
        sorted[count++] = &p->intervals[i];
        p->plan->unshared_bytes += p->intervals[i].place.bytes;
    }
    qsort(sorted, (size_t)count, sizeof *sorted, by_size);
    for (int i = 0; i < count && !result; i++) result = place_one(p, sorted, i, sorted[i]);
    fum_free(sorted);
    return result;
}

static void write_places(struct planner *p) {
    for (int i = 0; i < p->num_intervals; i++) {
        struct interval *v = &p->intervals[i];
        if (v->shares >= 0) v->place = p->intervals[v->shares].place;
    }
    for (int i = 0; i < p->graph->count; i++) {
        const fum_tensor *t = p->graph->tensors[i];
        int k = t->live && has_memory(t) ? p->interval_of[fum_tensor_root(t)->id] : -1;
        struct fum_place *place = &p->plan->places[i];
        *place = k >= 0 ? p->intervals[k].place : (struct fum_place){-1, 0, 0};
        if (k < 0 || !fum_tensor_is_alias(t)) continue;
        place->offset += fum_tensor_offset(t);
        place->bytes = fum_desc_bytes(&t->desc) ? fum_desc_bytes(&t->desc) : 16;
    }
    int next = 0;
    for (int s = 0; s < p->plan->num_steps; s++) {
        struct fum_plan_step *step = &p->plan->steps[s];
        if (!step->scratch.bytes) continue;
        while (!p->intervals[next].scratch || p->intervals[next].owner != step->node) next++;
        step->scratch = p->intervals[next++].place;
    }
}

static enum fum_result allocate(struct planner *p) {
    size_t count = (size_t)p->graph->count;
    p->plan = fum_calloc(1, sizeof *p->plan);
    if (p->plan) p->plan->arena = fum_arena_create();
    if (p->plan && p->plan->arena) {
        p->plan->steps = fum_arena_alloc(p->plan->arena, count + 1, sizeof *p->plan->steps);
        p->plan->places = fum_arena_alloc(p->plan->arena, count + 1, sizeof *p->plan->places);
        p->intervals = fum_calloc(2 * count + 1, sizeof *p->intervals);
        p->interval_of = fum_calloc(count + 1, sizeof *p->interval_of);
        if (p->plan->steps && p->plan->places && p->intervals && p->interval_of) return FUM_OK;
    }
    return fum_error_set(p->err, FUM_ERR_NOMEM, "no memory to plan a graph of %d nodes",
                         p->graph->count);
}

enum fum_result fum_plan_create(fum_plan **out, const fum_graph *graph,
                                const struct fum_device_info *info, const struct fum_tuning *tuning,
                                struct fum_error *err) {
    struct planner p = {.graph = graph, .info = info, .tuning = tuning, .err = err};
    p.block_cap = info->max_buffer < info->max_allocation ? info->max_buffer : info->max_allocation;
    // Some drivers state nearly 2^64.
    if (p.block_cap > UINT64_C(1) << 40) p.block_cap = UINT64_C(1) << 40;
    *out = NULL;

    enum fum_result result = allocate(&p);
    if (!result) result = order_steps(&p);
    if (result) goto done;
    find_lifetimes(&p);
    write_in_place(&p);
    result = place_all(&p);
    if (result) goto done;
    write_places(&p);
    *out = p.plan;
    p.plan = NULL;
done:
    fum_free(p.intervals);
    fum_free(p.interval_of);
    fum_plan_destroy(&p.plan);
    return result;
}

void fum_plan_destroy(fum_plan **plan) {
    if (!plan || !*plan) return;
    fum_arena_destroy(&(*plan)->arena);
    fum_free(*plan);
    *plan = NULL;
}

uint64_t fum_plan_bytes(const fum_plan *plan) {
    uint64_t sum = 0;
    for (int i = 0; i < plan->num_blocks; i++) sum += plan->block_bytes[i];
    return sum;
}
