// SPDX-License-Identifier: MIT
#include "exec/stream.h"

#include "base/error.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

// Weights up to this size always stay: biases and norms are many and small.
#define SMALL_BYTES (UINT64_C(64) << 10)
// Slots are no larger than this unless one step needs more: larger ones would only take memory from
// what can stay.
#define SLOT_BYTES (UINT64_C(64) << 20)

struct item {
    const fum_tensor *tensor;
    uint64_t offset; // in the slot
};

struct segment {
    int stage, first_item, num_items;
    int slot, next; // the segment that will probably run after it
    uint64_t bytes;
    // from the host's slot to the device's; NULL: filled in place, or nothing to fill
    fum_command *copy;
};

// Two threads share a slot: `holds`, `fresh` and `pinned` are guarded by the stream's lock, the
// bytes belong to the worker while it fills them.
struct slot {
    fum_buffer *landing; // what the worker fills
    int holds;           // segment; -1: none
    bool fresh;          // filled, not yet acquired
    bool pinned;         // acquired, not yet released
    uint64_t ticket;     // of the last submission that read it
};

enum { MAX_SLOTS = 2, NOTHING = -1 };

struct fum_stream {
    fum_device *device;
    fum_weights *weights;
    const fum_graph *graph;
    const fum_plan *plan;
    bool *streamed;  // by tensor id
    int *segment_of; // by step
    struct segment *segments;
    int num_segments;
    struct item *items;
    int num_items;
    size_t item_capacity;
    uint64_t slot_bytes;
    fum_buffer *device_slot; // NULL: the landing slots are read directly
    struct slot slots[MAX_SLOTS];
    int num_slots;

    pthread_t worker;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool started, locks_made, stop;
    int demanded, predicted; // segments to fill; -1: none
    // the segment that could not be filled, until it is asked for; -1: none
    int failed;
    struct fum_error failure; // why
};

// ---- what is streamed ----

static uint64_t padded(const fum_tensor *t) {
    return fum_buffer_align(fum_desc_bytes(&t->desc));
}

static const fum_tensor *weight_of(const struct fum_plan_step *step, int input) {
    const fum_tensor *t = step->node->in[input] ? fum_tensor_root(step->node->in[input]) : NULL;
    if (!t || t->kind != FUM_TENSOR_WEIGHT) return NULL;
    for (int k = 0; k < input; k++) // each once
        if (step->node->in[k] && fum_tensor_root(step->node->in[k]) == t) return NULL;
    return t;
}

// Bytes of a step's weights that are streamed; with streamed NULL, of all that could be.
static uint64_t step_bytes(const struct fum_plan_step *step, const bool *streamed) {
    uint64_t bytes = 0;
    for (int k = 0; k < step->node->num_inputs; k++) {
        const fum_tensor *t = weight_of(step, k);
        if (t && (streamed ? streamed[t->id] : padded(t) > SMALL_BYTES)) bytes += padded(t);
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
        if (t->live && t->kind == FUM_TENSOR_WEIGHT && padded(t) <= SMALL_BYTES) bytes += padded(t);
    }
    return bytes;
}

// Buffers as large as a slot, at the least: without overlap.
static uint64_t fewest_buffers(const fum_device *device) {
    return fum_device_get_info(device)->unified_memory ? 1 : 2;
}

uint64_t fum_stream_least(const fum_device *device, const fum_graph *graph, const fum_plan *plan) {
    return small_bytes(graph) + fewest_buffers(device) * largest_step(plan);
}

// Weights in order of their first use. Those of the stage that is repeated stay first; of these,
// when not all can, an even share along the way, so that there is always something to upload beside
// something to compute.
static void choose(fum_stream *st, uint64_t room) {
    const fum_plan *plan = st->plan;
    uint64_t total[2] = {0};
    for (int i = 0; i < st->graph->count; i++) {
        const fum_tensor *t = st->graph->tensors[i];
        st->streamed[i] = t->live && t->kind == FUM_TENSOR_WEIGHT && padded(t) > SMALL_BYTES;
    }
    bool *repeated = st->streamed + st->graph->count;
    for (int s = 0; s < plan->num_steps; s++)
        for (int k = 0; k < plan->steps[s].node->num_inputs; k++) {
            const fum_tensor *t = weight_of(&plan->steps[s], k);
            if (t && fum_stage_repeats(plan->steps[s].node->stage)) repeated[t->id] = true;
        }
    for (int i = 0; i < st->graph->count; i++)
        if (st->streamed[i]) total[!repeated[i]] += padded(st->graph->tensors[i]);
    for (int pass = 0; pass < 2; pass++) {
        uint64_t share = room < total[pass] ? room : total[pass], seen = 0, kept = 0;
        for (int again = 0; again < 2; again++) { // the second time: whatever still fits
            for (int s = 0; s < plan->num_steps; s++) {
                for (int k = 0; k < plan->steps[s].node->num_inputs; k++) {
                    const fum_tensor *t = weight_of(&plan->steps[s], k);
                    if (!t || !st->streamed[t->id] || repeated[t->id] != (pass == 0)) continue;
                    uint64_t bytes = padded(t);
                    seen += bytes;
                    double due =
                        again ? (double)share : (double)share * (double)seen / (double)total[pass];
                    if (kept + bytes > share || (double)(kept + bytes) > due + (double)bytes / 2)
                        continue;
                    st->streamed[t->id] = false;
                    kept += bytes;
                }
            }
        }
        room -= kept;
    }
}

// ---- segments ----

static bool add_item(fum_stream *st, struct segment *segment, const fum_tensor *t) {
    for (int i = segment->first_item; i < segment->first_item + segment->num_items; i++)
        if (st->items[i].tensor == t) return true;
    if (!fum_grow((void **)&st->items, &st->item_capacity, (size_t)st->num_items,
                  sizeof *st->items))
        return false;
    st->items[st->num_items++] = (struct item){t, segment->bytes};
    segment->num_items++;
    segment->bytes += padded(t);
    return true;
}

// The steps of a stage in as few segments as hold their weights; each step from `alone` on that has
// any, in its own.
static enum fum_result cut_stage(fum_stream *st, int stage, int alone, struct fum_error *err) {
    int first = st->num_segments;
    struct segment *segment = NULL;
    for (int s = st->plan->stage_begin[stage]; s < st->plan->stage_begin[stage + 1]; s++) {
        const struct fum_plan_step *step = &st->plan->steps[s];
        uint64_t bytes = step_bytes(step, st->streamed);
        bool full = segment && (s >= alone || segment->bytes + bytes > st->slot_bytes);
        if (!segment || (bytes && segment->bytes && full)) {
            int index = st->num_segments++;
            segment = &st->segments[index];
            *segment = (struct segment){.stage = stage,
                                        .first_item = st->num_items,
                                        .slot = (index - first) % st->num_slots,
                                        .next = index + 1};
        }
        for (int k = 0; k < step->node->num_inputs; k++) {
            const fum_tensor *t = weight_of(step, k);
            if (t && st->streamed[t->id] && !add_item(st, segment, t))
                return fum_error_set(err, FUM_ERR_NOMEM, "no memory to stream weights");
        }
        st->segment_of[s] = st->num_segments - 1;
    }
    // The stage that is repeated starts again; after another one comes the next.
    if (segment && fum_stage_repeats((enum fum_stage)stage)) segment->next = first;
    return FUM_OK;
}

// The segments of the stage that is repeated take turns with the slots only when there is an even
// number of them: else the last and the first share a slot, and the first could not be prefetched
// before the device is done with the last. So the last steps are taken apart until there is. Where
// every step has been alone all along, that wait remains.
static enum fum_result cut_repeated(fum_stream *st, int stage, struct fum_error *err) {
    int first = st->num_segments, first_item = st->num_items;
    enum fum_result result = FUM_OK;
    for (int alone = st->plan->stage_begin[stage + 1];
         alone >= st->plan->stage_begin[stage] && !result; alone--) {
        st->num_segments = first;
        st->num_items = first_item;
        result = cut_stage(st, stage, alone, err);
        int count = st->num_segments - first;
        if (count < 2 || count % st->num_slots == 0) break;
    }
    return result;
}

static enum fum_result cut(fum_stream *st, struct fum_error *err) {
    enum fum_result result = FUM_OK;
    for (int stage = 0; stage < FUM_STAGE_COUNT && !result; stage++)
        result = fum_stage_repeats((enum fum_stage)stage)
                     ? cut_repeated(st, stage, err)
                     : cut_stage(st, stage, st->plan->stage_begin[stage + 1], err);
    return result;
}

static enum fum_result make_slots(fum_stream *st, struct fum_error *err) {
    bool unified = fum_device_get_info(st->device)->unified_memory;
    const char *label = fum_weights_get_params(st->weights)->label;
    enum fum_result result = FUM_OK;
    if (!unified)
        result = fum_buffer_create(&st->device_slot, st->device,
                                   &(struct fum_buffer_params){.bytes = st->slot_bytes,
                                                               .use = FUM_BUFFER_DEVICE,
                                                               .label = label},
                                   err);
    for (int i = 0; i < st->num_slots && !result; i++)
        result = fum_buffer_create(
            &st->slots[i].landing, st->device,
            &(struct fum_buffer_params){.bytes = st->slot_bytes,
                                        .use = unified ? FUM_BUFFER_DEVICE : FUM_BUFFER_HOST,
                                        .label = label},
            err);
    for (int i = 0; i < st->num_segments && !result && !unified; i++) {
        struct segment *segment = &st->segments[i];
        if (!segment->bytes) continue;
        result = fum_command_create(&segment->copy, st->device, label, err);
        if (!result)
            result =
                fum_command_copy(segment->copy,
                                 &(struct fum_buffer_copy){.src = st->slots[segment->slot].landing,
                                                           .dst = st->device_slot,
                                                           .bytes = segment->bytes},
                                 err);
        if (!result) result = fum_command_end(segment->copy, err);
    }
    return result;
}

// How many slots of what size, by what is left beside the small weights.
static enum fum_result size_slots(fum_stream *st, uint64_t *room, struct fum_error *err) {
    uint64_t small = small_bytes(st->graph), largest = largest_step(st->plan),
             least = fewest_buffers(st->device);
    uint64_t bytes = *room / 8 < SLOT_BYTES ? *room / 8 : SLOT_BYTES, buffers = least + 1;
    if (bytes < largest) bytes = largest;
    st->num_slots = 2;
    if (small + buffers * bytes > *room) bytes = largest;
    if (small + buffers * bytes > *room) {
        buffers = least;
        st->num_slots = 1;
    }
    if (small + buffers * bytes > *room)
        return fum_error_set(
            err, FUM_ERR_NOMEM, "%s: its weights need at least %llu bytes, %llu are available",
            fum_weights_get_params(st->weights)->label,
            (unsigned long long)(small + buffers * bytes), (unsigned long long)*room);
    st->slot_bytes = bytes ? bytes : 16;
    *room -= small + buffers * bytes;
    return FUM_OK;
}

// Loads the weights that stay. Those that are streamed are only checked.
static enum fum_result load_kept(fum_stream *st, struct fum_error *err) {
    size_t live = (size_t)fum_graph_list_weights(st->graph, FUM_TENSOR_WEIGHT, NULL);
    struct fum_weight *list = fum_alloc(live, sizeof *list);
    int kept = 0, streamed = (int)live; // from the front, and from the back
    if (!list) return fum_error_set(err, FUM_ERR_NOMEM, "no memory to stream weights");
    for (int i = 0; i < st->graph->count; i++) {
        const fum_tensor *t = st->graph->tensors[i];
        if (t->live && t->kind == FUM_TENSOR_WEIGHT)
            list[st->streamed[i] ? --streamed : kept++] = fum_tensor_weight(t);
    }
    enum fum_result result =
        fum_weights_check(st->weights, list + streamed, (int)live - streamed, err);
    if (!result) result = fum_weights_load(st->weights, list, kept, err);
    fum_free(list);
    return result;
}

enum fum_result fum_stream_create(fum_stream **out, fum_device *device, fum_weights *weights,
                                  const fum_graph *graph, const fum_plan *plan, uint64_t room,
                                  struct fum_error *err) {
    *out = NULL;
    fum_stream *st = fum_calloc(1, sizeof *st);
    if (!st) return fum_error_set(err, FUM_ERR_NOMEM, "no memory to stream weights");
    *st = (fum_stream){.device = device,
                       .weights = weights,
                       .graph = graph,
                       .plan = plan,
                       .demanded = NOTHING,
                       .predicted = NOTHING,
                       .failed = NOTHING};
    for (int i = 0; i < MAX_SLOTS; i++) st->slots[i].holds = NOTHING;
    st->streamed = fum_calloc(2 * (size_t)graph->count + 1, sizeof *st->streamed);
    st->segment_of = fum_calloc((size_t)plan->num_steps + 1, sizeof *st->segment_of);
    st->segments = fum_calloc((size_t)plan->num_steps + 1, sizeof *st->segments);
    enum fum_result result = FUM_OK;
    if (!st->streamed || !st->segment_of || !st->segments || pthread_mutex_init(&st->lock, NULL)) {
        result = fum_error_set(err, FUM_ERR_NOMEM, "no memory to stream weights");
        goto error;
    }
    if (pthread_cond_init(&st->changed, NULL)) {
        pthread_mutex_destroy(&st->lock);
        result = fum_error_set(err, FUM_ERR_NOMEM, "no memory to stream weights");
        goto error;
    }
    st->locks_made = true;
    if ((result = size_slots(st, &room, err))) goto error;
    choose(st, room);
    if ((result = cut(st, err)) || (result = make_slots(st, err))) goto error;
    if ((result = load_kept(st, err))) goto error;
    *out = st;
    return FUM_OK;
error:
    fum_stream_destroy(&st);
    return result;
}

void fum_stream_destroy(fum_stream **stream) {
    if (!stream || !*stream) return;
    fum_stream *st = *stream;
    if (st->started) {
        pthread_mutex_lock(&st->lock);
        st->stop = true;
        pthread_cond_broadcast(&st->changed);
        pthread_mutex_unlock(&st->lock);
        pthread_join(st->worker, NULL);
    }
    for (int i = 0; i < st->num_slots; i++)
        if (st->slots[i].ticket) fum_device_wait(st->device, st->slots[i].ticket, NULL);
    for (int i = 0; i < st->num_segments; i++) fum_command_destroy(&st->segments[i].copy);
    for (int i = 0; i < MAX_SLOTS; i++) fum_buffer_destroy(&st->slots[i].landing);
    fum_buffer_destroy(&st->device_slot);
    if (st->locks_made) {
        pthread_mutex_destroy(&st->lock);
        pthread_cond_destroy(&st->changed);
    }
    fum_free(st->streamed);
    fum_free(st->segment_of);
    fum_free(st->segments);
    fum_free(st->items);
    fum_free(st);
    *stream = NULL;
}

int fum_stream_segment(const fum_stream *stream, int step) {
    return stream->segment_of[step];
}

struct fum_binding fum_stream_find(const fum_stream *st, int step, const fum_tensor *tensor) {
    const struct fum_weight weight = fum_tensor_weight(tensor);
    if (!st->streamed[tensor->id]) return fum_weights_find(st->weights, &weight);
    const struct segment *segment = &st->segments[st->segment_of[step]];
    for (int i = segment->first_item; i < segment->first_item + segment->num_items; i++)
        if (st->items[i].tensor == tensor)
            return (struct fum_binding){
                .buffer = st->device_slot ? st->device_slot : st->slots[segment->slot].landing,
                .offset = st->items[i].offset,
                .bytes = fum_desc_bytes(&tensor->desc)};
    return (struct fum_binding){0};
}

// ---- the worker ----

static enum fum_result fill(fum_stream *st, int index, uint64_t ticket, struct fum_error *err) {
    const struct segment *segment = &st->segments[index];
    // The device may still read what the slot held.
    enum fum_result result = ticket ? fum_device_wait(st->device, ticket, err) : FUM_OK;
    fum_buffer *landing = st->slots[segment->slot].landing;
    for (int i = segment->first_item; i < segment->first_item + segment->num_items && !result;
         i++) {
        const fum_tensor *t = st->items[i].tensor;
        void *where = NULL;
        fum_buffer_set_label(landing, t->name);
        result = fum_buffer_upload_begin(landing, st->items[i].offset, fum_desc_bytes(&t->desc),
                                         &where, err);
        if (result) break;
        const struct fum_weight weight = fum_tensor_weight(t);
        result = fum_weights_write(st->weights, &weight, where, err);
        enum fum_result ended = fum_buffer_upload_end(landing, result ? NULL : err);
        if (!result) result = ended;
    }
    return result;
}

// What to fill now, under the lock: what is waited for, else what will probably be next, where that
// overwrites nothing that is still to be used.
static int take_work(fum_stream *st) {
    int k = st->demanded;
    if (k >= 0 && st->slots[st->segments[k].slot].holds != k) return k;
    st->demanded = NOTHING;
    k = st->predicted;
    if (k < 0) return NOTHING;
    const struct slot *slot = &st->slots[st->segments[k].slot];
    return slot->holds == k || slot->fresh || slot->pinned ? NOTHING : k;
}

// The next segment with something to fill.
static int after(const fum_stream *st, int index) {
    for (int tries = 0; tries < st->num_segments; tries++) {
        index = st->segments[index].next;
        if (index >= st->num_segments) return NOTHING;
        if (st->segments[index].bytes) return index;
    }
    return NOTHING;
}

static void *work(void *user) {
    fum_stream *st = user;
    pthread_mutex_lock(&st->lock);
    while (!st->stop) {
        int k = take_work(st);
        if (k == NOTHING) {
            pthread_cond_wait(&st->changed, &st->lock);
            continue;
        }
        struct slot *slot = &st->slots[st->segments[k].slot];
        uint64_t ticket = slot->ticket;
        struct fum_error failure = {0};
        slot->holds = NOTHING;
        slot->fresh = false; // what was predicted wrongly
        pthread_mutex_unlock(&st->lock);
        enum fum_result result = fill(st, k, ticket, &failure);
        pthread_mutex_lock(&st->lock);
        if (st->demanded == k) st->demanded = NOTHING;
        if (result) {
            st->failed = k;
            st->failure = failure;
            st->failure.code = result;
            st->predicted = NOTHING;
        } else {
            slot->holds = k;
            slot->fresh = true;
            st->predicted = after(st, k);
        }
        pthread_cond_broadcast(&st->changed);
    }
    pthread_mutex_unlock(&st->lock);
    return NULL;
}

enum fum_result fum_stream_acquire(fum_stream *st, int index, struct fum_error *err) {
    const struct segment *segment = &st->segments[index];
    struct slot *slot = &st->slots[segment->slot];
    if (!segment->bytes) return FUM_OK;
    pthread_mutex_lock(&st->lock);
    if (!st->started && pthread_create(&st->worker, NULL, work, st)) {
        pthread_mutex_unlock(&st->lock);
        return fum_error_set(err, FUM_ERR_NOMEM, "no thread to stream weights");
    }
    st->started = true;
    // Only its own failure counts, and only one from now on: that of another segment, which was
    // prefetched in vain, is told if that one is asked for and fails again.
    st->failed = NOTHING;
    while (slot->holds != index && st->failed != index) {
        st->demanded = index;
        pthread_cond_broadcast(&st->changed);
        pthread_cond_wait(&st->changed, &st->lock);
    }
    enum fum_result result = slot->holds == index ? FUM_OK : st->failure.code;
    if (result) {
        st->demanded = NOTHING;
        fum_error_set(err, result, "%s", st->failure.text);
    } else {
        slot->fresh = false;
        slot->pinned = true;
    }
    pthread_mutex_unlock(&st->lock);
    if (result || !segment->copy) return result;
    uint64_t ticket = 0;
    if ((result = fum_command_submit(segment->copy, &ticket, err))) {
        fum_stream_release(st, index, ticket);
        return result;
    }
    // The copy reads the slot, whether or not anything is submitted after it.
    pthread_mutex_lock(&st->lock);
    if (ticket > slot->ticket) slot->ticket = ticket;
    pthread_mutex_unlock(&st->lock);
    return FUM_OK;
}

void fum_stream_release(fum_stream *st, int index, uint64_t ticket) {
    struct slot *slot = &st->slots[st->segments[index].slot];
    pthread_mutex_lock(&st->lock);
    if (ticket > slot->ticket) slot->ticket = ticket;
    slot->pinned = false;
    pthread_cond_broadcast(&st->changed);
    pthread_mutex_unlock(&st->lock);
}

void fum_stream_get_stats(const fum_stream *st, struct fum_stream_stats *stats) {
    *stats = (struct fum_stream_stats){
        .slot_bytes = (uint64_t)(st->num_slots + (st->device_slot != NULL)) * st->slot_bytes};
    for (int i = 0; i < st->num_segments; i++) {
        stats->stage_bytes[st->segments[i].stage] += st->segments[i].bytes;
        stats->stage_segments[st->segments[i].stage]++;
    }
}
