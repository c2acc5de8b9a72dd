// SPDX-License-Identifier: MIT
#include "weights/store.h"

#include "base/alloc.h"
#include "base/error.h"
#include "weights/load.h"

#include <stdatomic.h>
#include <string.h>

struct fum_weights {
    struct fum_weights_params params;
    char *label;
    struct fum_weight_place *places; // with names of their own; not for constants
    size_t count, capacity;
    size_t *table;     // open addressing by the hash of a weight: index in places + 1; 0: free
    size_t table_size; // a power of two, at least twice the places; 0: none yet
    fum_buffer **blocks;
    size_t num_blocks, block_capacity;
    uint64_t bytes, done;
    atomic_uint version; // grows with every rewriting
};

// Blocks of this size keep the number of allocations small and fit every device that can hold the
// model at all.
#define BLOCK_BYTES (UINT64_C(256) << 20)

static enum fum_result no_memory(const char *label, struct fum_error *err) {
    return fum_error_set(err, FUM_ERR_NOMEM, "no memory for the weights of %s", label);
}

enum fum_result fum_weights_create(fum_weights **out, const struct fum_weights_params *params,
                                   struct fum_error *err) {
    fum_weights *weights = fum_calloc(1, sizeof *weights);
    *out = weights;
    if (weights) weights->label = fum_strdup(params->label);
    if (!weights || !weights->label) {
        fum_weights_destroy(out);
        return no_memory(params->label, err);
    }
    weights->params = *params;
    weights->params.label = weights->label;
    return FUM_OK;
}

static bool is_constant(const struct fum_weight *weight) {
    return weight->values != NULL;
}

// ---- the table ----

// Hashes by FNV-1a.
static uint64_t hash_bytes(const void *data, size_t count) {
    const uint8_t *bytes = data;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < count; i++) hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static uint64_t hash_weight(const struct fum_weight *weight) {
    if (is_constant(weight)) return hash_bytes(&weight->values, sizeof weight->values);
    return hash_bytes(weight->name, strlen(weight->name));
}

static bool same_weight(const struct fum_weight *a, const struct fum_weight *b) {
    if (a->desc.dtype != b->desc.dtype || !fum_shape_same(&a->desc.shape, &b->desc.shape))
        return false;
    if (is_constant(a) || is_constant(b)) return a->values == b->values;
    return a->packing == b->packing && !strcmp(a->name, b->name);
}

// Returns the table's slot that holds the weight, or the free one where it belongs.
static size_t *find_slot(const fum_weights *w, const struct fum_weight *weight) {
    size_t i = (size_t)hash_weight(weight);
    for (;; i++) {
        size_t *slot = &w->table[i & (w->table_size - 1)];
        if (!*slot || same_weight(&w->places[*slot - 1].weight, weight)) return slot;
    }
}

static void fill_table(fum_weights *w) {
    memset(w->table, 0, w->table_size * sizeof *w->table);
    for (size_t i = 0; i < w->count; i++) *find_slot(w, &w->places[i].weight) = i + 1;
}

// Makes room for one more place.
static bool grow_table(fum_weights *w) {
    if (2 * (w->count + 1) <= w->table_size) return true;
    size_t size = w->table_size ? 2 * w->table_size : 64;
    size_t *table = fum_realloc(w->table, size, sizeof *table);
    if (!table) return false;
    w->table = table;
    w->table_size = size;
    fill_table(w);
    return true;
}

static const struct fum_weight_place *find(const fum_weights *w, const struct fum_weight *weight) {
    size_t slot = w->table_size ? *find_slot(w, weight) : 0;
    return slot ? &w->places[slot - 1] : NULL;
}

// ---- the store ----

static void free_names(struct fum_weight *weight) {
    if (is_constant(weight)) return;
    for (int i = 0; weight->parts && i < weight->num_parts; i++) fum_free((char *)weight->parts[i]);
    fum_free((void *)weight->parts);
    fum_free((char *)weight->name);
}

// Gives a weight of the files names of its own. Returns false without memory.
static bool copy_names(struct fum_weight *weight) {
    const char *const *parts = weight->parts;
    const char **copies = parts ? fum_calloc((size_t)weight->num_parts, sizeof *copies) : NULL;
    weight->name = fum_strdup(weight->name);
    weight->parts = copies;
    bool copied = weight->name && (!parts || copies);
    for (int i = 0; copied && i < weight->num_parts; i++)
        copied = (copies[i] = fum_strdup(parts[i])) != NULL;
    if (!copied) free_names(weight);
    return copied;
}

static void drop_from(fum_weights *w, size_t first) {
    for (size_t i = first; i < w->count; i++) free_names(&w->places[i].weight);
    w->count = first;
    if (w->table_size) fill_table(w);
}

void fum_weights_clear(fum_weights *w) {
    for (size_t i = 0; i < w->num_blocks; i++) fum_buffer_destroy(&w->blocks[i]);
    drop_from(w, 0);
    w->num_blocks = 0;
    w->bytes = w->done = 0;
}

void fum_weights_destroy(fum_weights **weights) {
    if (!weights || !*weights) return;
    fum_weights *w = *weights;
    fum_weights_clear(w);
    fum_free(w->blocks);
    fum_free(w->places);
    fum_free(w->table);
    fum_free(w->label);
    fum_free(w);
    *weights = NULL;
}

struct fum_binding fum_weights_find(const fum_weights *weights, const struct fum_weight *weight) {
    const struct fum_weight_place *place = find(weights, weight);
    return place ? place->binding : (struct fum_binding){0};
}

uint64_t fum_weights_bytes(const fum_weights *weights) {
    return weights->bytes;
}

const struct fum_weights_params *fum_weights_get_params(const fum_weights *weights) {
    return &weights->params;
}

uint64_t fum_weights_missing(const fum_weights *w, const struct fum_weight *list, int count) {
    uint64_t bytes = 0;
    for (int i = 0; i < count; i++)
        if (!find(w, &list[i])) bytes += fum_buffer_align(fum_desc_bytes(&list[i].desc));
    return bytes;
}

enum fum_result fum_weights_write(const fum_weights *w, const struct fum_weight *weight,
                                  void *where, struct fum_error *err) {
    return fum_weight_write(&w->params, weight, where, err);
}

static enum fum_result add_block(fum_weights *w, uint64_t bytes, struct fum_error *err) {
    if (!fum_grow((void **)&w->blocks, &w->block_capacity, w->num_blocks, sizeof *w->blocks))
        return no_memory(w->label, err);
    enum fum_result result = fum_buffer_create(
        &w->blocks[w->num_blocks], w->params.device,
        &(struct fum_buffer_params){.bytes = bytes, .use = FUM_BUFFER_DEVICE, .label = w->label},
        err);
    if (result) return result;
    w->num_blocks++;
    w->bytes += bytes;
    return FUM_OK;
}

// Returns the size of the largest buffer that the device can have.
static uint64_t largest_block(const fum_weights *w) {
    const struct fum_device_info *info = fum_device_get_info(w->params.device);
    return info->max_buffer < info->max_allocation ? info->max_buffer : info->max_allocation;
}

static enum fum_result refuse_large(const fum_weights *w, const struct fum_weight *weight,
                                    struct fum_error *err) {
    return fum_error_set(
        err, FUM_ERR_UNSUPPORTED, "%s: tensor %s needs %llu bytes in one piece, %s allows %llu",
        w->label, fum_weight_label(weight), (unsigned long long)fum_desc_bytes(&weight->desc),
        fum_device_get_info(w->params.device)->name, (unsigned long long)largest_block(w));
}

// Gives entries from `first` on places in new blocks, in order, each block as large as its tensors
// need.
static enum fum_result place_from(fum_weights *w, size_t first, struct fum_error *err) {
    uint64_t limit = largest_block(w), cap = limit < BLOCK_BYTES ? limit : BLOCK_BYTES;
    for (size_t i = first; i < w->count;) {
        uint64_t used = 0;
        size_t end = i;
        for (; end < w->count; end++) {
            struct fum_weight_place *place = &w->places[end];
            uint64_t bytes = fum_desc_bytes(&place->weight.desc), offset = fum_buffer_align(used);
            if (end > i && offset + bytes > cap) break;
            if (offset + bytes > limit) return refuse_large(w, &place->weight, err);
            place->binding = (struct fum_binding){.offset = offset, .bytes = bytes};
            used = offset + bytes;
        }
        enum fum_result result = add_block(w, used ? used : 16, err);
        if (result) return result;
        for (; i < end; i++) w->places[i].binding.buffer = w->blocks[w->num_blocks - 1];
    }
    return FUM_OK;
}

static enum fum_result add_place(fum_weights *w, const struct fum_weight *weight,
                                 struct fum_error *err) {
    if (!fum_grow((void **)&w->places, &w->capacity, w->count, sizeof *w->places) || !grow_table(w))
        return no_memory(w->label, err);
    struct fum_weight_place place = {.weight = *weight};
    if (!is_constant(weight) && !copy_names(&place.weight)) return no_memory(w->label, err);
    *find_slot(w, &place.weight) = w->count + 1;
    w->places[w->count++] = place;
    return FUM_OK;
}

enum fum_result fum_weights_check(const fum_weights *w, const struct fum_weight *list, int count,
                                  struct fum_error *err) {
    enum fum_result result = FUM_OK;
    // A planning-only device uploads nothing, so it needs no files: shapes come from the graph.
    if (fum_device_get_info(w->params.device)->planning_only) return FUM_OK;
    for (int i = 0; i < count && !result; i++)
        if (!find(w, &list[i])) result = fum_weight_check(&w->params, &list[i], err);
    return result;
}

enum fum_result fum_weights_load(fum_weights *w, const struct fum_weight *list, int count,
                                 struct fum_error *err) {
    size_t first = w->count, first_block = w->num_blocks;
    uint64_t done_before = w->done;
    bool planning = fum_device_get_info(w->params.device)->planning_only;
    enum fum_result result = fum_weights_check(w, list, count, err);
    for (int i = 0; i < count && !result; i++)
        if (!find(w, &list[i])) result = add_place(w, &list[i], err);
    if (!result) result = place_from(w, first, err);
    if (!result && !planning && w->count > first)
        result = fum_weight_load_places(&w->params, w->places + first, (int)(w->count - first),
                                        &w->done, err);
    if (!result) return FUM_OK;
    // What was not uploaded whole must not be found later, nor keep its memory.
    drop_from(w, first);
    w->done = done_before;
    while (w->num_blocks > first_block) {
        w->bytes -= fum_buffer_size(w->blocks[w->num_blocks - 1]);
        fum_buffer_destroy(&w->blocks[--w->num_blocks]);
    }
    return result;
}

// ---- rewriting ----

static bool is_named(const struct fum_weight *weight, const char *const *names, int count) {
    for (int i = 0; i < fum_weight_parts(weight); i++) {
        const struct fum_weight part = fum_weight_part(weight, i);
        for (int k = 0; k < count; k++)
            if (!strcmp(part.name, names[k])) return true;
    }
    return false;
}

enum fum_result fum_weights_rewrite(fum_weights *w, const char *const *names, int count,
                                    struct fum_error *err) {
    struct fum_weight_place *chosen = fum_alloc(w->count, sizeof *chosen);
    if (!chosen) return no_memory(w->label, err);
    int num_chosen = 0;
    for (size_t i = 0; i < w->count; i++)
        if (!is_constant(&w->places[i].weight) && is_named(&w->places[i].weight, names, count))
            chosen[num_chosen++] = w->places[i];
    // Whatever was read before may be old, even if loading fails.
    atomic_fetch_add(&w->version, 1);
    struct fum_weights_params params = w->params;
    params.on_progress = NULL;
    uint64_t done = 0;
    enum fum_result result = FUM_OK;
    for (int i = 0; i < num_chosen && !result; i++)
        result = fum_weight_check(&params, &chosen[i].weight, err);
    if (!result && !fum_device_get_info(params.device)->planning_only)
        result = fum_weight_load_places(&params, chosen, num_chosen, &done, err);
    fum_free(chosen);
    return result;
}

unsigned fum_weights_version(const fum_weights *weights) {
    return atomic_load(&weights->version);
}
