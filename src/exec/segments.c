// SPDX-License-Identifier: MIT
#include "exec/segments.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/macros.h"

// Weights up to this size always stay: biases and norms are many and small.
#define SMALL_BYTES (UINT64_C(64) << 10)
// Buffers are no larger than this unless one step needs more: larger ones would only take memory
// from what can stay.
#define BUFFER_BYTES (UINT64_C(64) << 20)

// ---- sizes ----

uint64_t fum_segments_padded(const fum_tensor *weight) {
    return fum_buffer_align(fum_tensor_bytes(weight));
}

// Returns the weight that input `input` of a step reads, unless an input before it reads the same.
static const fum_tensor *find_weight(const struct fum_plan_step *step, int input) {
    const fum_tensor *t = step->node->in[input] ? fum_tensor_root(step->node->in[input]) : NULL;
    if (!t || t->kind != FUM_TENSOR_WEIGHT) return NULL;
    for (int k = 0; k < input; k++) // each once
        if (step->node->in[k] && fum_tensor_root(step->node->in[k]) == t) return NULL;
    return t;
}

// Returns the bytes of a step's weights that are streamed; of all that could be if `streamed` is
// NULL.
static uint64_t step_bytes(const struct fum_plan_step *step, const bool *streamed) {
    uint64_t bytes = 0;
    for (int k = 0; k < step->node->num_inputs; k++) {
        const fum_tensor *t = find_weight(step, k);
        if (t && (streamed ? streamed[t->id] : fum_segments_padded(t) > SMALL_BYTES))
            bytes += fum_segments_padded(t);
    }
    return bytes;
}

static uint64_t largest_step(const fum_plan *plan) {
    uint64_t most = 0;
    for (int s = 0; s < plan->num_steps; s++) {
        uint64_t bytes = step_bytes(&plan->steps[s], NULL);
        if (bytes > most) most = bytes;
    }
    return most;
}

static uint64_t small_bytes(const fum_graph *graph) {
    uint64_t bytes = 0;
    for (int i = 0; i < graph->count; i++) {
        const fum_tensor *t = graph->tensors[i];
        if (t->live && t->kind == FUM_TENSOR_WEIGHT && fum_segments_padded(t) <= SMALL_BYTES)
            bytes += fum_segments_padded(t);
    }
    return bytes;
}

// Returns how many buffers of that size are needed at least: without overlap.
static uint64_t fewest_buffers(bool unified_memory) {
    return unified_memory ? 1 : 2;
}

uint64_t fum_segments_least(const fum_graph *graph, const fum_plan *plan, bool unified_memory) {
    return small_bytes(graph) + fewest_buffers(unified_memory) * largest_step(plan);
}

// Decides the number of buffers and their size from what is left beside the small weights.
static enum fum_result size_buffers(struct fum_segments *st,
                                    const struct fum_segments_params *params, uint64_t *room,
                                    struct fum_error *err) {
    uint64_t small = small_bytes(st->graph), largest = largest_step(st->plan),
             least = fewest_buffers(params->unified_memory);
    uint64_t bytes = FUM_MIN(*room / 8, BUFFER_BYTES), buffers = least + 1;
    if (bytes < largest) bytes = largest;
    st->num_buffers = 2;
    if (small + buffers * bytes > *room) bytes = largest;
    if (small + buffers * bytes > *room) {
        buffers = least;
        st->num_buffers = 1;
    }
    if (small + buffers * bytes > *room)
        return fum_error_set(err, FUM_ERR_NOMEM,
                             "%s: its weights need at least %llu bytes, %llu are available",
                             params->label, (unsigned long long)(small + buffers * bytes),
                             (unsigned long long)*room);
    st->buffer_bytes = bytes ? bytes : 16;
    *room -= small + buffers * bytes;
    return FUM_OK;
}

// ---- what is streamed ----

// Marks the weights that the repeated stage reads.
static void mark_repeated(const fum_plan *plan, bool *repeated) {
    for (int s = 0; s < plan->num_steps; s++)
        for (int k = 0; k < plan->steps[s].node->num_inputs; k++) {
            const fum_tensor *t = find_weight(&plan->steps[s], k);
            if (t && fum_stage_repeats(plan->steps[s].node->stage)) repeated[t->id] = true;
        }
}

// What one pass over the plan may keep: of the weights with repeated[id] == selected, whose bytes
// are `total`, `share` bytes.
struct keeping {
    const bool *repeated;
    bool selected;
    uint64_t total, share, seen, kept;
};

// Keeps an even share along the way, or, the second time, whatever still fits.
static void keep_some(struct fum_segments *st, struct keeping *k, bool again) {
    const fum_plan *plan = st->plan;
    for (int s = 0; s < plan->num_steps; s++) {
        for (int i = 0; i < plan->steps[s].node->num_inputs; i++) {
            const fum_tensor *t = find_weight(&plan->steps[s], i);
            if (!t || !st->streamed[t->id] || k->repeated[t->id] != k->selected) continue;
            uint64_t bytes = fum_segments_padded(t);
            k->seen += bytes;
            double due = (double)k->share;
            if (!again) due = due * (double)k->seen / (double)k->total;
            if (k->kept + bytes > k->share || (double)(k->kept + bytes) > due + (double)bytes / 2)
                continue;
            st->streamed[t->id] = false;
            k->kept += bytes;
        }
    }
}

// Takes the weights in order of their first use. Those of the repeated stage stay first. If not all
// of these can, an even share along the way stays, so that uploads and computation always
// overlap.
static void choose_streamed(struct fum_segments *st, uint64_t room) {
    bool *repeated = st->streamed + st->graph->count;
    uint64_t total[2] = {0};
    for (int i = 0; i < st->graph->count; i++) {
        const fum_tensor *t = st->graph->tensors[i];
        st->streamed[i] =
            t->live && t->kind == FUM_TENSOR_WEIGHT && fum_segments_padded(t) > SMALL_BYTES;
    }
    mark_repeated(st->plan, repeated);
    for (int i = 0; i < st->graph->count; i++)
        if (st->streamed[i]) total[!repeated[i]] += fum_segments_padded(st->graph->tensors[i]);
    for (int pass = 0; pass < 2; pass++) {
        struct keeping k = {.repeated = repeated,
                            .selected = pass == 0,
                            .total = total[pass],
                            .share = FUM_MIN(room, total[pass])};
        keep_some(st, &k, false);
        keep_some(st, &k, true);
        room -= k.kept;
    }
}

// ---- cutting ----

static bool add_item(struct fum_segments *st, struct fum_segment *segment, const fum_tensor *t) {
    for (int i = segment->first_item; i < segment->first_item + segment->num_items; i++)
        if (st->items[i].tensor == t) return true;
    if (!fum_grow((void **)&st->items, &st->item_capacity, (size_t)st->num_items,
                  sizeof *st->items))
        return false;
    st->items[st->num_items++] = (struct fum_segment_item){t, segment->bytes};
    segment->num_items++;
    segment->bytes += fum_segments_padded(t);
    return true;
}

// Cuts a stage into as few segments as hold its weights. Each step from `alone` on that has weights
// gets its own.
static enum fum_result cut_stage(struct fum_segments *st, int stage, int alone,
                                 struct fum_error *err) {
    int first = st->count;
    struct fum_segment *segment = NULL;
    for (int s = st->plan->stage_begin[stage]; s < st->plan->stage_begin[stage + 1]; s++) {
        const struct fum_plan_step *step = &st->plan->steps[s];
        uint64_t bytes = step_bytes(step, st->streamed);
        bool full = segment && (s >= alone || segment->bytes + bytes > st->buffer_bytes);
        if (!segment || (bytes && segment->bytes && full)) {
            int index = st->count++;
            segment = &st->list[index];
            *segment = (struct fum_segment){.stage = stage,
                                            .first_item = st->num_items,
                                            .buffer = (index - first) % st->num_buffers,
                                            .next = index + 1};
        }
        for (int k = 0; k < step->node->num_inputs; k++) {
            const fum_tensor *t = find_weight(step, k);
            if (t && st->streamed[t->id] && !add_item(st, segment, t))
                return fum_error_set(err, FUM_ERR_NOMEM, "no memory to stream weights");
        }
        st->segment_of[s] = st->count - 1;
    }
    // The stage that is repeated starts again; after another one comes the next.
    if (segment && fum_stage_repeats((enum fum_stage)stage)) segment->next = first;
    return FUM_OK;
}

// Cuts a stage that repeats into an even number of segments, so that they take turns with the
// buffers. If the number is odd, the last and the first share a buffer. The first could not be
// prefetched then before the device is done with the last. So the last steps are taken apart until
// the number is even. If every step is alone already, that wait remains.
static enum fum_result cut_repeated(struct fum_segments *st, int stage, struct fum_error *err) {
    int first = st->count, first_item = st->num_items;
    enum fum_result result = FUM_OK;
    for (int alone = st->plan->stage_begin[stage + 1];
         alone >= st->plan->stage_begin[stage] && !result; alone--) {
        st->count = first;
        st->num_items = first_item;
        result = cut_stage(st, stage, alone, err);
        int count = st->count - first;
        if (count < 2 || count % st->num_buffers == 0) break;
    }
    return result;
}

static enum fum_result cut(struct fum_segments *st, struct fum_error *err) {
    enum fum_result result = FUM_OK;
    for (int stage = 0; stage < FUM_STAGE_COUNT && !result; stage++)
        result = fum_stage_repeats((enum fum_stage)stage)
                     ? cut_repeated(st, stage, err)
                     : cut_stage(st, stage, st->plan->stage_begin[stage + 1], err);
    return result;
}

enum fum_result fum_segments_create(struct fum_segments *st,
                                    const struct fum_segments_params *params,
                                    struct fum_error *err) {
    const fum_plan *plan = params->plan;
    uint64_t room = params->room;
    *st = (struct fum_segments){.graph = params->graph, .plan = plan};
    st->streamed = fum_calloc(2 * (size_t)params->graph->count + 1, sizeof *st->streamed);
    st->segment_of = fum_calloc((size_t)plan->num_steps + 1, sizeof *st->segment_of);
    st->list = fum_calloc((size_t)plan->num_steps + 1, sizeof *st->list);
    enum fum_result result = FUM_OK;
    if (!st->streamed || !st->segment_of || !st->list)
        result = fum_error_set(err, FUM_ERR_NOMEM, "no memory to stream weights");
    if (!result) result = size_buffers(st, params, &room, err);
    if (!result) choose_streamed(st, room);
    if (!result) result = cut(st, err);
    if (result) fum_segments_destroy(st);
    return result;
}

void fum_segments_destroy(struct fum_segments *st) {
    fum_free(st->streamed);
    fum_free(st->segment_of);
    fum_free(st->list);
    fum_free(st->items);
    *st = (struct fum_segments){0};
}
