// SPDX-License-Identifier: MIT
#include "exec/stream.h"

#include "base/alloc.h"
#include "base/error.h"
#include "exec/segments.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

// Two threads share a buffer: `holds`, `fresh` and `pinned` are guarded by the stream's lock, the
// bytes belong to the worker while it fills them.
struct stream_buffer {
    fum_buffer *landing; // what the worker fills
    int holds;           // segment; -1: none
    unsigned version;    // of the weights that it holds
    bool fresh;          // filled, not yet acquired
    bool pinned;         // acquired, not yet released
    uint64_t ticket;     // of the last submission that read it
};

enum { MAX_BUFFERS = 2, NOTHING = -1 };

struct fum_stream {
    fum_device *device;
    fum_weights *weights;
    struct fum_segments segments;
    fum_command **copies; // by segment: from the host's buffer to the device's; NULL: not needed
    fum_buffer *device_buffer; // NULL: the landing buffers are read directly
    struct stream_buffer buffers[MAX_BUFFERS];

    pthread_t worker;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool started, locks_made, stop;
    int demanded, predicted; // segments to fill; -1: none
    // the segment that could not be filled, until it is needed again; -1: none
    int failed;
    struct fum_error failure; // why
};

uint64_t fum_stream_least(const fum_device *device, const fum_graph *graph, const fum_plan *plan) {
    return fum_segments_least(graph, plan, fum_device_get_info(device)->unified_memory);
}

static enum fum_result make_buffers(fum_stream *st, struct fum_error *err) {
    bool unified = fum_device_get_info(st->device)->unified_memory;
    const char *label = fum_weights_get_params(st->weights)->label;
    enum fum_result result = FUM_OK;
    if (!unified)
        result = fum_buffer_create(&st->device_buffer, st->device,
                                   &(struct fum_buffer_params){.bytes = st->segments.buffer_bytes,
                                                               .use = FUM_BUFFER_DEVICE,
                                                               .label = label},
                                   err);
    for (int i = 0; i < st->segments.num_buffers && !result; i++)
        result = fum_buffer_create(
            &st->buffers[i].landing, st->device,
            &(struct fum_buffer_params){.bytes = st->segments.buffer_bytes,
                                        .use = unified ? FUM_BUFFER_DEVICE : FUM_BUFFER_HOST,
                                        .label = label},
            err);
    return result;
}

// Records a copy before each segment, from the host's buffer to the device's.
static enum fum_result make_copies(fum_stream *st, struct fum_error *err) {
    const char *label = fum_weights_get_params(st->weights)->label;
    st->copies = fum_calloc((size_t)st->segments.count, sizeof *st->copies);
    if (!st->copies) return fum_error_set(err, FUM_ERR_NOMEM, "no memory to stream weights");
    enum fum_result result = FUM_OK;
    for (int i = 0; i < st->segments.count && !result && st->device_buffer; i++) {
        const struct fum_segment *segment = &st->segments.list[i];
        if (!segment->bytes) continue;
        const struct fum_buffer_copy copy = {.src = st->buffers[segment->buffer].landing,
                                             .dst = st->device_buffer,
                                             .bytes = segment->bytes};
        result = fum_command_create(&st->copies[i], st->device, label, err);
        if (!result) result = fum_command_copy(st->copies[i], &copy, err);
        if (!result) result = fum_command_end(st->copies[i], err);
    }
    return result;
}

// Loads the weights that stay. Those that are streamed are only checked.
static enum fum_result load_kept(fum_stream *st, struct fum_error *err) {
    size_t live = (size_t)fum_graph_list_weights(st->segments.graph, FUM_TENSOR_WEIGHT, NULL);
    struct fum_weight *list = fum_alloc(live, sizeof *list);
    int kept = 0, streamed = (int)live; // from the front, and from the back
    if (!list) return fum_error_set(err, FUM_ERR_NOMEM, "no memory to stream weights");
    for (int i = 0; i < st->segments.graph->count; i++) {
        const fum_tensor *t = st->segments.graph->tensors[i];
        if (t->live && t->kind == FUM_TENSOR_WEIGHT)
            list[st->segments.streamed[i] ? --streamed : kept++] = fum_tensor_weight(t);
    }
    enum fum_result result =
        fum_weights_check(st->weights, list + streamed, (int)live - streamed, err);
    if (!result) result = fum_weights_load(st->weights, list, kept, err);
    fum_free(list);
    return result;
}

static enum fum_result make_locks(fum_stream *st, struct fum_error *err) {
    if (pthread_mutex_init(&st->lock, NULL))
        return fum_error_set(err, FUM_ERR_NOMEM, "no memory to stream weights");
    if (pthread_cond_init(&st->changed, NULL)) {
        pthread_mutex_destroy(&st->lock);
        return fum_error_set(err, FUM_ERR_NOMEM, "no memory to stream weights");
    }
    st->locks_made = true;
    return FUM_OK;
}

enum fum_result fum_stream_create(fum_stream **out, const struct fum_stream_params *params,
                                  struct fum_error *err) {
    const struct fum_segments_params cutting = {
        .graph = params->graph,
        .plan = params->plan,
        .label = fum_weights_get_params(params->weights)->label,
        .unified_memory = fum_device_get_info(params->device)->unified_memory,
        .room = params->room};
    *out = NULL;
    fum_stream *st = fum_calloc(1, sizeof *st);
    if (!st) return fum_error_set(err, FUM_ERR_NOMEM, "no memory to stream weights");
    *st = (fum_stream){.device = params->device,
                       .weights = params->weights,
                       .demanded = NOTHING,
                       .predicted = NOTHING,
                       .failed = NOTHING};
    for (int i = 0; i < MAX_BUFFERS; i++) st->buffers[i].holds = NOTHING;
    enum fum_result result = make_locks(st, err);
    if (!result) result = fum_segments_create(&st->segments, &cutting, err);
    if (!result) result = make_buffers(st, err);
    if (!result) result = make_copies(st, err);
    if (!result) result = load_kept(st, err);
    if (result) fum_stream_destroy(&st);
    *out = st;
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
    for (int i = 0; i < st->segments.num_buffers; i++)
        if (st->buffers[i].ticket) fum_device_wait(st->device, st->buffers[i].ticket, NULL);
    for (int i = 0; st->copies && i < st->segments.count; i++) fum_command_destroy(&st->copies[i]);
    fum_free(st->copies);
    for (int i = 0; i < MAX_BUFFERS; i++) fum_buffer_destroy(&st->buffers[i].landing);
    fum_buffer_destroy(&st->device_buffer);
    if (st->locks_made) {
        pthread_mutex_destroy(&st->lock);
        pthread_cond_destroy(&st->changed);
    }
    fum_segments_destroy(&st->segments);
    fum_free(st);
    *stream = NULL;
}

int fum_stream_segment(const fum_stream *stream, int step) {
    return stream->segments.segment_of[step];
}

struct fum_binding fum_stream_find(const fum_stream *st, int step, const fum_tensor *tensor) {
    const struct fum_weight weight = fum_tensor_weight(tensor);
    if (!st->segments.streamed[tensor->id]) return fum_weights_find(st->weights, &weight);
    const struct fum_segment *segment = &st->segments.list[st->segments.segment_of[step]];
    for (int i = segment->first_item; i < segment->first_item + segment->num_items; i++)
        if (st->segments.items[i].tensor == tensor)
            return (struct fum_binding){.buffer = st->device_buffer
                                                      ? st->device_buffer
                                                      : st->buffers[segment->buffer].landing,
                                        .offset = st->segments.items[i].offset,
                                        .bytes = fum_tensor_bytes(tensor)};
    return (struct fum_binding){0};
}

// ---- the worker ----

static enum fum_result fill_segment(fum_stream *st, int index, uint64_t ticket,
                                    struct fum_error *err) {
    const struct fum_segment *segment = &st->segments.list[index];
    // The device may still read what the buffer held.
    enum fum_result result = ticket ? fum_device_wait(st->device, ticket, err) : FUM_OK;
    fum_buffer *landing = st->buffers[segment->buffer].landing;
    for (int i = segment->first_item; i < segment->first_item + segment->num_items && !result;
         i++) {
        const fum_tensor *t = st->segments.items[i].tensor;
        void *where = NULL;
        fum_buffer_set_label(landing, t->name);
        result = fum_buffer_upload_begin(landing, st->segments.items[i].offset, fum_tensor_bytes(t),
                                         &where, err);
        if (result) break;
        const struct fum_weight weight = fum_tensor_weight(t);
        result = fum_weights_write(st->weights, &weight, where, err);
        enum fum_result ended = fum_buffer_upload_end(landing, result ? NULL : err);
        if (!result) result = ended;
    }
    return result;
}

// True if the buffer holds the segment with its weights as they are now.
static bool is_held(const fum_stream *st, const struct stream_buffer *buffer, int segment) {
    return buffer->holds == segment && buffer->version == fum_weights_version(st->weights);
}

// Chooses what to fill, under the lock: the segment that is waited for, else probably the next one.
// A prefetch must not overwrite what is still needed.
static int take_work(fum_stream *st) {
    int k = st->demanded;
    if (k >= 0 && !is_held(st, &st->buffers[st->segments.list[k].buffer], k)) return k;
    st->demanded = NOTHING;
    k = st->predicted;
    if (k < 0) return NOTHING;
    const struct stream_buffer *buffer = &st->buffers[st->segments.list[k].buffer];
    bool needed = buffer->pinned || (buffer->fresh && is_held(st, buffer, buffer->holds));
    return needed || is_held(st, buffer, k) ? NOTHING : k;
}

// Returns the next segment with something to fill.
static int find_next(const fum_stream *st, int index) {
    for (int tries = 0; tries < st->segments.count; tries++) {
        index = st->segments.list[index].next;
        if (index >= st->segments.count) return NOTHING;
        if (st->segments.list[index].bytes) return index;
    }
    return NOTHING;
}

static void *fill_segments(void *user) {
    fum_stream *st = user;
    pthread_mutex_lock(&st->lock);
    while (!st->stop) {
        int k = take_work(st);
        if (k == NOTHING) {
            pthread_cond_wait(&st->changed, &st->lock);
            continue;
        }
        struct stream_buffer *buffer = &st->buffers[st->segments.list[k].buffer];
        uint64_t ticket = buffer->ticket;
        struct fum_error failure = {0};
        buffer->holds = NOTHING;
        buffer->fresh = false; // what was predicted wrongly
        buffer->version = fum_weights_version(st->weights);
        pthread_mutex_unlock(&st->lock);
        enum fum_result result = fill_segment(st, k, ticket, &failure);
        pthread_mutex_lock(&st->lock);
        if (st->demanded == k) st->demanded = NOTHING;
        if (result) {
            st->failed = k;
            st->failure = failure;
            st->failure.code = result;
            st->predicted = NOTHING;
        } else {
            buffer->holds = k;
            buffer->fresh = true;
            st->predicted = find_next(st, k);
        }
        pthread_cond_broadcast(&st->changed);
    }
    pthread_mutex_unlock(&st->lock);
    return NULL;
}

enum fum_result fum_stream_acquire(fum_stream *st, int index, struct fum_error *err) {
    const struct fum_segment *segment = &st->segments.list[index];
    struct stream_buffer *buffer = &st->buffers[segment->buffer];
    if (!segment->bytes) return FUM_OK;
    pthread_mutex_lock(&st->lock);
    if (!st->started && pthread_create(&st->worker, NULL, fill_segments, st)) {
        pthread_mutex_unlock(&st->lock);
        return fum_error_set(err, FUM_ERR_NOMEM, "no thread to stream weights");
    }
    st->started = true;
    // Only its own failure counts, and only one from now on. A failed prefetch of another segment
    // is reported only if that one is needed and fails again.
    st->failed = NOTHING;
    while (!is_held(st, buffer, index) && st->failed != index) {
        st->demanded = index;
        pthread_cond_broadcast(&st->changed);
        pthread_cond_wait(&st->changed, &st->lock);
    }
    enum fum_result result = is_held(st, buffer, index) ? FUM_OK : st->failure.code;
    if (result) {
        st->demanded = NOTHING;
        fum_error_set(err, result, "%s", st->failure.text);
    } else {
        buffer->fresh = false;
        buffer->pinned = true;
    }
    pthread_mutex_unlock(&st->lock);
    if (result || !st->copies[index]) return result;
    uint64_t ticket = 0;
    if ((result = fum_command_submit(st->copies[index], &ticket, err))) {
        fum_stream_release(st, index, ticket);
        return result;
    }
    // The copy reads the buffer, whether or not anything is submitted after it.
    pthread_mutex_lock(&st->lock);
    if (ticket > buffer->ticket) buffer->ticket = ticket;
    pthread_mutex_unlock(&st->lock);
    return FUM_OK;
}

void fum_stream_release(fum_stream *st, int index, uint64_t ticket) {
    struct stream_buffer *buffer = &st->buffers[st->segments.list[index].buffer];
    pthread_mutex_lock(&st->lock);
    if (ticket > buffer->ticket) buffer->ticket = ticket;
    buffer->pinned = false;
    pthread_cond_broadcast(&st->changed);
    pthread_mutex_unlock(&st->lock);
}

void fum_stream_get_stats(const fum_stream *st, struct fum_stream_stats *stats) {
    *stats = (struct fum_stream_stats){
        .buffer_bytes = (uint64_t)(st->segments.num_buffers + (st->device_buffer != NULL)) *
                        st->segments.buffer_bytes};
    for (int i = 0; i < st->segments.count; i++) {
        stats->stage_bytes[st->segments.list[i].stage] += st->segments.list[i].bytes;
        stats->stage_segments[st->segments.list[i].stage]++;
    }
}
