// SPDX-License-Identifier: MIT
#include "graph/weights.h"

#include "base/error.h"
#include "base/file.h"
#include "base/thread.h"
#include "graph/pack.h"
#include "graph/unpack.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

// A loaded tensor. Constants have no name in the files and are keyed by their node.
struct entry {
    char *name;
    const fum_tensor *constant;
    enum fum_pack pack;
    struct fum_desc desc;
    struct fum_binding binding;
};

struct fum_weights {
    struct fum_weights_params params;
    char *label;
    struct entry *entries;
    size_t count, capacity;
    fum_buffer **blocks;
    size_t num_blocks, block_capacity;
    uint64_t bytes, done;
};

// Blocks of this size keep the number of allocations small and fit every device that can hold the
// model at all.
#define BLOCK_BYTES (UINT64_C(256) << 20)

enum fum_result fum_weights_create(fum_weights **out, const struct fum_weights_params *params,
                                   struct fum_error *err) {
    fum_weights *weights = fum_calloc(1, sizeof *weights);
    *out = weights;
    if (weights) weights->label = fum_strdup(params->label);
    if (!weights || !weights->label) {
        fum_weights_destroy(out);
        return fum_error_set(err, FUM_ERR_NOMEM, "no memory for the weights of %s", params->label);
    }
    weights->params = *params;
    return FUM_OK;
}

void fum_weights_clear(fum_weights *w) {
    for (size_t i = 0; i < w->num_blocks; i++) fum_buffer_destroy(&w->blocks[i]);
    for (size_t i = 0; i < w->count; i++) fum_free(w->entries[i].name);
    w->num_blocks = w->count = 0;
    w->bytes = w->done = 0;
}

void fum_weights_destroy(fum_weights **weights) {
    if (!weights || !*weights) return;
    fum_weights *w = *weights;
    fum_weights_clear(w);
    fum_free(w->blocks);
    fum_free(w->entries);
    fum_free(w->label);
    fum_free(w);
    *weights = NULL;
}

static struct entry *find(const fum_weights *w, const fum_tensor *t) {
    for (size_t i = 0; i < w->count; i++) {
        struct entry *e = &w->entries[i];
        if (e->desc.dtype != t->desc.dtype || !fum_shape_same(&e->desc.shape, &t->desc.shape))
            continue;
        if (t->kind == FUM_TENSOR_CONSTANT
                ? e->constant == t
                : e->name && e->pack == t->pack && !strcmp(e->name, t->name))
            return e;
    }
    return NULL;
}

struct fum_binding fum_weights_find(const fum_weights *weights, const fum_tensor *tensor) {
    const struct entry *e = find(weights, tensor);
    return e ? e->binding : (struct fum_binding){0};
}

uint64_t fum_weights_bytes(const fum_weights *weights) {
    return weights->bytes;
}

const struct fum_weights_params *fum_weights_get_params(const fum_weights *weights) {
    return &weights->params;
}

const char *fum_weights_label(const fum_weights *weights) {
    return weights->label;
}

uint64_t fum_weights_missing(const fum_weights *w, const fum_graph *graph,
                             enum fum_tensor_kind kind) {
    uint64_t bytes = 0;
    for (int i = 0; i < graph->count; i++) {
        const fum_tensor *t = graph->tensors[i];
        if (!t->live || t->kind != kind || find(w, t)) continue;
        bytes += fum_buffer_align(fum_desc_bytes(&t->desc));
    }
    return bytes;
}

static enum fum_result view_of(const fum_weights *w, const fum_tensor *t, struct fum_view *view,
                               struct fum_error *err) {
    char why[256];
    if (t->kind == FUM_TENSOR_CONSTANT) {
        *view = (struct fum_view){.dtype = FUM_F32, .rank = t->desc.shape.rank, .data = t->data};
        for (int i = 0; i < view->rank; i++) view->dim[i] = t->desc.shape.dim[i];
        return FUM_OK;
    }
    if (!w->params.source.find || !w->params.source.find(w->params.source.user, t->name, view))
        return fum_error_set(err, FUM_ERR_FORMAT, "%s: tensor %s is missing from the model's files",
                             w->label, t->name);
    if (!fum_pack_check(view, t->pack, &t->desc.shape, why, sizeof why))
        return fum_error_set(err, FUM_ERR_FORMAT, "%s: tensor %s: %s", w->label, t->name, why);
    return FUM_OK;
}

// Streams one tensor through the staging ring, by as many rows as fit at a time.
static enum fum_result upload(fum_weights *w, const fum_tensor *t, const struct fum_binding *to,
                              struct fum_error *err) {
    struct fum_view view;
    void *copy = NULL;
    enum fum_result result = view_of(w, t, &view, err);
    if (!result)
        result =
            fum_view_load(&view, fum_view_count(&view) * fum_dtype_size(view.dtype), &copy, err);
    uint64_t row_bytes = fum_desc_row_bytes(&t->desc);
    int64_t rows = fum_shape_rows(&t->desc.shape);
    int64_t each = row_bytes ? (int64_t)(FUM_STAGING_BYTES / row_bytes) : rows;
    if (!result && each == 0)
        result = fum_error_set(err, FUM_ERR_UNSUPPORTED, "%s: tensor %s has rows of %llu bytes",
                               w->label, t->name, (unsigned long long)row_bytes);
    for (int64_t first = 0; first < rows && row_bytes && !result; first += each) {
        int64_t count = rows - first < each ? rows - first : each;
        void *where = NULL;
        result = fum_buffer_upload_begin(to->buffer, to->offset + (uint64_t)first * row_bytes,
                                         (uint64_t)count * row_bytes, &where, err);
        if (result) break;
        fum_pack_rows(&view, t->pack, &t->desc.shape, first, count, where, t->desc.dtype,
                      fum_shape_row_quads(&t->desc.shape) * 4);
        result = fum_buffer_upload_end(to->buffer, err);
    }
    fum_free(copy);
    return result;
}

enum fum_result fum_weights_write(const fum_weights *w, const fum_tensor *t, void *where,
                                  struct fum_error *err) {
    enum fum_result result = FUM_OK;
    uint8_t *data = where;
    for (int i = 0; i < fum_weight_parts(t) && !result; i++) {
        const fum_tensor part = fum_weight_part(t, i);
        struct fum_view view;
        struct fum_pack_target to = {data, part.desc.dtype,
                                     fum_shape_row_quads(&part.desc.shape) * 4};
        result = view_of(w, &part, &view, err);
        if (!result) result = fum_pack_tensor(&view, part.pack, &part.desc.shape, &to, err);
        data += fum_desc_bytes(&part.desc);
    }
    return result;
}

// ---- loading on several threads, where the device's memory can be written directly ----

enum { DEFAULT_THREADS = 8, MAX_THREADS = 64 };
#define THREADED_BYTES (UINT64_C(8) << 20) // less is not worth a thread
#define UNPACKED_BYTES (UINT64_C(1) << 20) // nor a kernel

// Threads take the tensors one by one. Only the caller's thread reports progress.
struct loading {
    fum_weights *weights;
    const fum_tensor *const *tensors;
    int count;
    uint64_t total; // as progress tells it, with what was there before
    // NULL: the device's memory is written directly, or there is little to load
    fum_unpacker *unpacker;
    atomic_int next;
    atomic_uint_fast64_t done;
    atomic_bool stop;
    pthread_mutex_t lock; // guards what follows
    enum fum_result result;
    struct fum_error error;
};

// Loads a part through the unpacker or the staging ring.
static enum fum_result load_part(struct loading *l, const fum_tensor *t,
                                 const struct fum_binding *to, struct fum_error *err) {
    fum_weights *w = l->weights;
    const struct fum_device_info *info = fum_device_get_info(w->params.device);
    const char *name = t->kind == FUM_TENSOR_CONSTANT ? "constant" : t->name;
    struct fum_view view;
    enum fum_result result = view_of(w, t, &view, err);
    if (result) return result;
    // The kernel's binding starts where the part does.
    bool aligned = to->offset % (info->binding_align ? info->binding_align : 1) == 0;
    if (aligned && l->unpacker && fum_unpack_possible(info, &view, t->pack, &t->desc))
        return fum_unpack(l->unpacker, &view, t->pack, &t->desc, to, name, err);
    return upload(w, t, to, err);
}

static enum fum_result load_one(struct loading *l, const fum_tensor *t, struct fum_error *err) {
    fum_weights *w = l->weights;
    struct fum_binding to = fum_weights_find(w, t), part_to = to;
    double start = fum_time_now();
    uint8_t *map = fum_buffer_map(to.buffer);
    enum fum_result result = map ? fum_weights_write(w, t, map + to.offset, err) : FUM_OK;
    for (int i = 0; !map && i < fum_weight_parts(t) && !result; i++) {
        const fum_tensor part = fum_weight_part(t, i);
        part_to.bytes = fum_desc_bytes(&part.desc);
        result = load_part(l, &part, &part_to, err);
        part_to.offset += part_to.bytes;
    }
    if (map && !result) fum_buffer_wrote(to.buffer, t->name, to.bytes, start);
    return result;
}

static void load_some(struct loading *l, bool report) {
    fum_weights *w = l->weights;
    for (;;) {
        int i = atomic_fetch_add(&l->next, 1);
        if (i >= l->count || atomic_load(&l->stop)) return;
        struct fum_error err = {0};
        enum fum_result result = load_one(l, l->tensors[i], &err);
        uint64_t bytes = fum_desc_bytes(&l->tensors[i]->desc),
                 done = atomic_fetch_add(&l->done, bytes) + bytes;
        // The end is told when all threads have come to it.
        if (!result && report && done < l->total && w->params.on_progress &&
            !w->params.on_progress(w->params.user, done, l->total))
            result = fum_error_set(&err, FUM_ERR_CANCELLED, "loading %s was cancelled", w->label);
        if (!result) continue;
        atomic_store(&l->stop, true);
        pthread_mutex_lock(&l->lock);
        if (!l->result) {
            l->result = result;
            l->error = err;
        }
        pthread_mutex_unlock(&l->lock);
    }
}

static void *load_thread(void *user) {
    load_some(user, false);
    return NULL;
}

// Returns how many threads prepare `bytes` of weights: one where the device unpacks them or there
// is little to do.
static int count_threads(const struct fum_weights_params *params, bool direct, uint64_t bytes) {
    if (!direct || bytes < THREADED_BYTES) return 1;
    if (params->threads > 0) return params->threads < MAX_THREADS ? params->threads : MAX_THREADS;
    int processors = fum_cpu_count();
    return processors < DEFAULT_THREADS ? processors : DEFAULT_THREADS;
}

static enum fum_result load_all(struct loading *l, uint64_t bytes, struct fum_error *err) {
    const struct fum_weights_params *params = &l->weights->params;
    pthread_t threads[MAX_THREADS];
    if (l->count && params->on_progress &&
        !params->on_progress(params->user, l->weights->done, l->total))
        return fum_error_set(err, FUM_ERR_CANCELLED, "loading %s was cancelled", l->weights->label);
    bool direct = fum_device_get_info(params->device)->unified_memory;
    int wanted = count_threads(params, direct, bytes), started = 0;
    if (pthread_mutex_init(&l->lock, NULL))
        return fum_error_set(err, FUM_ERR_NOMEM, "no lock to load %s", l->weights->label);
    // Without it the host packs. A lost device is found by what follows.
    if (!direct && bytes >= UNPACKED_BYTES)
        fum_unpacker_create(&l->unpacker, params->device, &l->error);
    // This thread works too; one that does not start is no loss.
    while (started < wanted - 1 && !pthread_create(&threads[started], NULL, load_thread, l))
        started++;
    load_some(l, true); // ends at once where one of them has failed
    for (int i = 0; i < started; i++) pthread_join(threads[i], NULL);
    if (l->unpacker && !l->result) l->result = fum_unpacker_finish(l->unpacker, &l->error);
    fum_unpacker_destroy(&l->unpacker);
    pthread_mutex_destroy(&l->lock);
    l->weights->done = atomic_load(&l->done);
    if (!l->result && l->count && params->on_progress &&
        !params->on_progress(params->user, l->weights->done, l->total))
        return fum_error_set(err, FUM_ERR_CANCELLED, "loading %s was cancelled", l->weights->label);
    return l->result ? fum_error_set(err, l->result, "%s", l->error.text) : FUM_OK;
}

static enum fum_result add_block(fum_weights *w, uint64_t bytes, struct fum_error *err) {
    if (!fum_grow((void **)&w->blocks, &w->block_capacity, w->num_blocks, sizeof *w->blocks))
        return fum_error_set(err, FUM_ERR_NOMEM, "no memory for the weights of %s", w->label);
    enum fum_result result = fum_buffer_create(&w->blocks[w->num_blocks], w->params.device, bytes,
                                               FUM_BUFFER_DEVICE, w->label, err);
    if (result) return result;
    w->num_blocks++;
    w->bytes += bytes;
    return FUM_OK;
}

// Entries [first, count) get places in new blocks, in order, each block as large as its tensors
// need.
static enum fum_result place(fum_weights *w, size_t first, struct fum_error *err) {
    const struct fum_device_info *info = fum_device_get_info(w->params.device);
    uint64_t limit =
        info->max_buffer < info->max_allocation ? info->max_buffer : info->max_allocation;
    uint64_t cap = limit < BLOCK_BYTES ? limit : BLOCK_BYTES;
    for (size_t i = first; i < w->count;) {
        uint64_t used = 0;
        size_t end = i;
        for (; end < w->count; end++) {
            uint64_t bytes = fum_desc_bytes(&w->entries[end].desc);
            uint64_t offset = fum_buffer_align(used);
            if (end > i && offset + bytes > cap) break;
            if (offset + bytes > limit)
                return fum_error_set(
                    err, FUM_ERR_UNSUPPORTED,
                    "%s: tensor %s needs %llu bytes in one piece, %s allows %llu", w->label,
                    w->entries[end].name ? w->entries[end].name : "constant",
                    (unsigned long long)bytes, info->name, (unsigned long long)limit);
            w->entries[end].binding = (struct fum_binding){.offset = offset, .bytes = bytes};
            used = offset + bytes;
        }
        enum fum_result result = add_block(w, used ? used : 16, err);
        if (result) return result;
        for (; i < end; i++) w->entries[i].binding.buffer = w->blocks[w->num_blocks - 1];
    }
    return FUM_OK;
}

static enum fum_result add_entry(fum_weights *w, const fum_tensor *t, struct fum_error *err) {
    if (!fum_grow((void **)&w->entries, &w->capacity, w->count, sizeof *w->entries))
        return fum_error_set(err, FUM_ERR_NOMEM, "no memory for the weights of %s", w->label);
    struct entry e = {.pack = t->pack, .desc = t->desc};
    if (t->kind == FUM_TENSOR_CONSTANT)
        e.constant = t;
    else if (!(e.name = fum_strdup(t->name)))
        return fum_error_set(err, FUM_ERR_NOMEM, "no memory for the weights of %s", w->label);
    w->entries[w->count++] = e;
    return FUM_OK;
}

// Refuses a tensor that is missing or of another shape.
static enum fum_result check_parts(const fum_weights *w, const fum_tensor *t,
                                   struct fum_error *err) {
    enum fum_result result = FUM_OK;
    for (int i = 0; i < fum_weight_parts(t) && !result; i++) {
        const fum_tensor part = fum_weight_part(t, i);
        struct fum_view view;
        result = view_of(w, &part, &view, err);
    }
    return result;
}

enum fum_result fum_weights_load(fum_weights *w, const fum_graph *graph, enum fum_tensor_kind kind,
                                 const bool *skip, struct fum_error *err) {
    size_t first = w->count, first_block = w->num_blocks;
    uint64_t done_before = w->done;
    enum fum_result result = FUM_OK;
    struct loading l = {.weights = w, .total = w->done};
    const fum_tensor **tensors = fum_alloc((size_t)graph->count, sizeof *tensors);
    if (!tensors)
        return fum_error_set(err, FUM_ERR_NOMEM, "no memory for the weights of %s", w->label);
    l.tensors = tensors;
    // A planning-only device uploads nothing, so it needs no files: shapes come from the graph.
    bool planning = fum_device_get_info(w->params.device)->planning_only;
    for (int i = 0; i < graph->count && !result; i++) {
        const fum_tensor *t = graph->tensors[i];
        if (!t->live || t->kind != kind || find(w, t)) continue;
        if (!planning) result = check_parts(w, t, err);
        if (result || (skip && skip[t->id])) continue;
        result = add_entry(w, t, err);
        tensors[l.count++] = t;
        l.total += fum_desc_bytes(&t->desc);
    }
    if (!result) result = place(w, first, err);
    atomic_init(&l.done, w->done);
    if (!result && !planning) result = load_all(&l, l.total - w->done, err);
    fum_free(tensors);
    if (result) {
        // What was not uploaded whole must not be found later, nor keep its memory.
        for (size_t i = first; i < w->count; i++) fum_free(w->entries[i].name);
        w->count = first;
        w->done = done_before;
        while (w->num_blocks > first_block) {
            w->bytes -= fum_buffer_size(w->blocks[w->num_blocks - 1]);
            fum_buffer_destroy(&w->blocks[--w->num_blocks]);
        }
    }
    return result;
}
