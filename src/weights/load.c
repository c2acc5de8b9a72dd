// SPDX-License-Identifier: MIT
#include "weights/load.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "base/macros.h"
#include "base/thread.h"
#include "weights/device_pack.h"
#include "weights/packing.h"

#include <pthread.h>
#include <stdatomic.h>

enum { DEFAULT_THREADS = 8, MAX_THREADS = 64 };
#define THREADED_BYTES    (UINT64_C(8) << 20) // less is not worth a thread
#define DEVICE_PACK_BYTES (UINT64_C(1) << 20) // nor a kernel

// Threads take the places one by one. Only the caller's thread reports progress.
struct loading {
    const struct fum_weights_params *params;
    const struct fum_weight_place *places;
    int count;
    uint64_t total; // of the progress, with what was there before
    // NULL: the device's memory is written directly, or there is little to load
    fum_device_packer *packer;
    atomic_int next;
    atomic_uint_fast64_t done;
    atomic_bool stop;
    pthread_mutex_t lock; // guards what follows
    enum fum_result result;
    struct fum_error error;
};

// ---- one weight ----

// Finds one tensor of the files, or the values of a constant.
static enum fum_result find_part(const struct fum_weights_params *params,
                                 const struct fum_weight *part, struct fum_view *view,
                                 struct fum_error *err) {
    const struct fum_shape *shape = &part->desc.shape;
    const struct fum_weight_source *source = &params->source;
    struct fum_why why;
    if (part->values) {
        *view = (struct fum_view){.dtype = FUM_F32, .rank = shape->rank, .data = part->values};
        for (int i = 0; i < view->rank; i++) view->dim[i] = shape->dim[i];
        return FUM_OK;
    }
    if (!source->find || !source->find(source->user, part->name, view))
        return fum_error_set(err, FUM_ERR_FORMAT, "%s: tensor %s is missing from the model's files",
                             params->label, part->name);
    if (!fum_packing_check(part, view, &why))
        return fum_error_set(err, FUM_ERR_FORMAT, "%s: tensor %s: %s", params->label, part->name,
                             why.text);
    return FUM_OK;
}

// Finds a tensor, in memory if its values are computed: *copy is then to be freed.
static enum fum_result open_part(const struct fum_weights_params *params,
                                 const struct fum_weight *part, struct fum_view *view, void **copy,
                                 struct fum_error *err) {
    *copy = NULL;
    enum fum_result result = find_part(params, part, view, err);
    if (result || !view->computed) return result;
    return fum_view_load(view, fum_view_bytes(view), copy, err);
}

enum fum_result fum_weight_check(const struct fum_weights_params *params,
                                 const struct fum_weight *weight, struct fum_error *err) {
    enum fum_result result = FUM_OK;
    for (int i = 0; i < fum_weight_parts(weight) && !result; i++) {
        const struct fum_weight part = fum_weight_part(weight, i);
        struct fum_view view;
        result = find_part(params, &part, &view, err);
    }
    return result;
}

static struct fum_pack_target whole_target(const struct fum_weight *part, void *data) {
    return (struct fum_pack_target){.data = data,
                                    .type = part->desc.dtype,
                                    .row_elements = fum_shape_row_quads(&part->desc.shape) * 4,
                                    .count = fum_shape_rows(&part->desc.shape)};
}

enum fum_result fum_weight_write(const struct fum_weights_params *params,
                                 const struct fum_weight *weight, void *where,
                                 struct fum_error *err) {
    enum fum_result result = FUM_OK;
    uint8_t *data = where;
    for (int i = 0; i < fum_weight_parts(weight) && !result; i++) {
        const struct fum_weight part = fum_weight_part(weight, i);
        struct fum_view view;
        void *copy;
        const struct fum_pack_target to = whole_target(&part, data);
        result = open_part(params, &part, &view, &copy, err);
        if (!result) result = fum_pack_tensor(&part, &view, &to, err);
        fum_free(copy);
        data += fum_desc_bytes(&part.desc);
    }
    return result;
}

// Streams one tensor through the staging ring, by as many rows as fit at a time.
static enum fum_result upload(const struct fum_weights_params *params,
                              const struct fum_weight *part, struct fum_view view,
                              const struct fum_binding *to, struct fum_error *err) {
    void *copy = NULL;
    enum fum_result result = fum_packing_load(part->packing, &view, &copy, err);
    struct fum_pack_target target = whole_target(part, NULL);
    uint64_t row_bytes = fum_desc_row_bytes(&part->desc);
    int64_t rows = target.count;
    int64_t each = row_bytes ? (int64_t)(FUM_STAGING_BYTES / row_bytes) : rows;
    if (!result && each == 0)
        result = fum_error_set(err, FUM_ERR_UNSUPPORTED, "%s: tensor %s has rows of %llu bytes",
                               params->label, part->name, (unsigned long long)row_bytes);
    for (int64_t first = 0; first < rows && row_bytes && !result; first += each) {
        target.first = first;
        target.count = FUM_MIN(rows - first, each);
        result = fum_buffer_upload_begin(to->buffer, to->offset + (uint64_t)first * row_bytes,
                                         (uint64_t)target.count * row_bytes, &target.data, err);
        if (result) break;
        fum_pack_rows(part, &view, &target);
        result = fum_buffer_upload_end(to->buffer, err);
    }
    fum_free(copy);
    return result;
}

// Loads a part through the packer or the staging ring.
static enum fum_result load_part(struct loading *l, const struct fum_weight *part,
                                 const struct fum_binding *to, struct fum_error *err) {
    const struct fum_device_info *info = fum_device_get_info(l->params->device);
    struct fum_view view;
    void *copy;
    enum fum_result result = open_part(l->params, part, &view, &copy, err);
    // The kernel's binding starts where the part does.
    bool aligned = to->offset % (info->binding_align ? info->binding_align : 1) == 0;
    if (!result && aligned && l->packer && fum_device_pack_possible(info, part, &view))
        result = fum_device_pack(l->packer, part, &view, to, err);
    else if (!result)
        result = upload(l->params, part, view, to, err);
    fum_free(copy);
    return result;
}

static enum fum_result load_one(struct loading *l, const struct fum_weight_place *place,
                                struct fum_error *err) {
    const struct fum_weight *weight = &place->weight;
    struct fum_binding part_to = place->binding;
    double start = fum_time_now();
    uint8_t *map = fum_buffer_map(part_to.buffer);
    enum fum_result result = FUM_OK;
    if (map) {
        result = fum_weight_write(l->params, weight, map + part_to.offset, err);
        if (!result) fum_buffer_wrote(part_to.buffer, weight->name, part_to.bytes, start);
        return result;
    }
    for (int i = 0; i < fum_weight_parts(weight) && !result; i++) {
        const struct fum_weight part = fum_weight_part(weight, i);
        part_to.bytes = fum_desc_bytes(&part.desc);
        result = load_part(l, &part, &part_to, err);
        part_to.offset += part_to.bytes;
    }
    return result;
}

// ---- all weights ----

static enum fum_result report(const struct loading *l, uint64_t done, struct fum_error *err) {
    const struct fum_weights_params *params = l->params;
    if (!params->on_progress || params->on_progress(params->user, done, l->total)) return FUM_OK;
    return fum_error_set(err, FUM_ERR_CANCELLED, "loading %s was cancelled", params->label);
}

static void stop_with(struct loading *l, enum fum_result result, const struct fum_error *err) {
    atomic_store(&l->stop, true);
    pthread_mutex_lock(&l->lock);
    if (!l->result) {
        l->result = result;
        l->error = *err;
    }
    pthread_mutex_unlock(&l->lock);
}

static void load_some(struct loading *l, bool reports) {
    for (;;) {
        int i = atomic_fetch_add(&l->next, 1);
        if (i >= l->count || atomic_load(&l->stop)) return;
        struct fum_error err = {0};
        enum fum_result result = load_one(l, &l->places[i], &err);
        uint64_t bytes = fum_desc_bytes(&l->places[i].weight.desc),
                 done = atomic_fetch_add(&l->done, bytes) + bytes;
        // The end is reported only after every thread has finished.
        if (!result && reports && done < l->total) result = report(l, done, &err);
        if (result) stop_with(l, result, &err);
    }
}

static void *load_thread(void *user) {
    load_some(user, false);
    return NULL;
}

// Returns how many threads prepare `bytes` of weights: one where the device packs them or there is
// little to do.
static int count_threads(const struct fum_weights_params *params, bool direct, uint64_t bytes) {
    if (!direct || bytes < THREADED_BYTES) return 1;
    if (params->threads > 0) return params->threads < MAX_THREADS ? params->threads : MAX_THREADS;
    int processors = fum_cpu_count();
    return processors < DEFAULT_THREADS ? processors : DEFAULT_THREADS;
}

static void load_on_threads(struct loading *l, int wanted) {
    pthread_t threads[MAX_THREADS];
    int started = 0;
    // This thread works too; one that does not start is no loss.
    while (started < wanted - 1 && !pthread_create(&threads[started], NULL, load_thread, l))
        started++;
    load_some(l, true); // ends at once where one of them has failed
    for (int i = 0; i < started; i++) pthread_join(threads[i], NULL);
}

enum fum_result fum_weight_load_places(const struct fum_weights_params *params,
                                       const struct fum_weight_place *places, int count,
                                       uint64_t *done, struct fum_error *err) {
    struct loading l = {.params = params, .places = places, .count = count, .total = *done};
    enum fum_result result = FUM_OK;
    for (int i = 0; i < count; i++) l.total += fum_desc_bytes(&places[i].weight.desc);
    atomic_init(&l.done, *done);
    if (count) result = report(&l, *done, err);
    if (result) return result;
    uint64_t bytes = l.total - *done;
    bool direct = fum_device_get_info(params->device)->unified_memory;
    if (pthread_mutex_init(&l.lock, NULL))
        return fum_error_set(err, FUM_ERR_NOMEM, "no lock to load %s", params->label);
    // Without a packer the host packs. A lost device is found by what follows.
    if (!direct && bytes >= DEVICE_PACK_BYTES)
        fum_device_packer_create(&l.packer, params->device, &l.error);
    load_on_threads(&l, count_threads(params, direct, bytes));
    if (l.packer && !l.result) l.result = fum_device_packer_finish(l.packer, &l.error);
    fum_device_packer_destroy(&l.packer);
    pthread_mutex_destroy(&l.lock);
    *done = atomic_load(&l.done);
    if (l.result) return fum_error_set(err, l.result, "%s", l.error.text);
    return count ? report(&l, *done, err) : FUM_OK;
}
