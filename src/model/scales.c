// SPDX-License-Identifier: MIT
#include "model/scales.h"

#include "base/alloc.h"
#include "base/dtype.h"
#include "base/error.h"
#include "base/macros.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_NAME = 512 };

struct entry {
    size_t index; // of the weight in the loader
    float *values;
    uint64_t count;
};

struct fum_scales {
    const fum_loader *loader;
    fum_arena *arena;
    struct entry *entries; // by index
    size_t count, capacity;
};

static enum fum_result no_memory(const fum_loader *loader, struct fum_error *err) {
    return fum_error_set(err, FUM_ERR_NOMEM, "%s: no memory for the scales of its weights",
                         fum_loader_path(loader));
}

// Returns the tensor that is named `part` where `name` ends in `own`.
static const struct fum_loader_tensor *find_beside(const fum_loader *loader, const char *name,
                                                   const char *own, const char *part) {
    char text[MAX_NAME];
    if (!fum_text_ends_with(name, own)) return NULL;
    int n = snprintf(text, sizeof text, "%.*s%s", (int)(strlen(name) - strlen(own)), name, part);
    return n > 0 && (size_t)n < sizeof text ? fum_loader_find(loader, text) : NULL;
}

const struct fum_loader_tensor *fum_scales_find(const fum_loader *loader, const char *weight) {
    const struct fum_loader_tensor *t = find_beside(loader, weight, ".weight", ".scale_weight");
    return t ? t : find_beside(loader, weight, ".weight", ".weight_scale");
}

const struct fum_loader_tensor *fum_scales_find_named(const fum_loader *loader, const char *name) {
    return find_beside(loader, name, ".comfy_quant", ".weight");
}

static enum fum_result read_factors(fum_scales *s, size_t index, const struct fum_loader_tensor *t,
                                    struct fum_error *err) {
    const struct fum_view *weight = &fum_loader_at(s->loader, index)->view;
    struct fum_view view = t->view;
    uint64_t count = fum_view_count(&view), rows = weight->rank ? (uint64_t)weight->dim[0] : 1;
    void *copy = NULL;
    if (view.dtype == FUM_DTYPE_UNKNOWN || (count != 1 && count != rows))
        return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                             "%s: tensor %s holds %llu factors as %s; one is supported, or one for "
                             "each of the weight's %llu rows",
                             fum_loader_path(s->loader), fum_text_show(t->name).text,
                             (unsigned long long)count, fum_text_show(t->type).text,
                             (unsigned long long)rows);
    if (!fum_grow((void **)&s->entries, &s->capacity, s->count, sizeof *s->entries))
        return no_memory(s->loader, err);
    float *values = fum_arena_alloc(s->arena, (size_t)count, sizeof *values);
    if (!values) return no_memory(s->loader, err);
    enum fum_result result = fum_view_load(&view, fum_view_bytes(&t->view), &copy, err);
    if (!result) fum_convert_to_f32(values, view.data, view.dtype, (size_t)count);
    if (!result) s->entries[s->count++] = (struct entry){index, values, count};
    fum_free(copy);
    return result;
}

enum fum_result fum_scales_create(fum_scales **scales, const fum_loader *loader, const char *prefix,
                                  struct fum_error *err) {
    size_t first = 0, count = fum_loader_count_prefix(loader, prefix, &first);
    fum_scales *s = *scales = fum_calloc(1, sizeof *s);
    if (s) s->arena = fum_arena_create();
    if (!s || !s->arena) {
        fum_scales_destroy(scales);
        return no_memory(loader, err);
    }
    s->loader = loader;
    enum fum_result result = FUM_OK;
    for (size_t i = first; i < first + count && !result; i++) {
        const struct fum_loader_tensor *t = fum_scales_find(loader, fum_loader_at(loader, i)->name);
        if (t) result = read_factors(s, i, t, err);
    }
    if (result) fum_scales_destroy(scales);
    return result;
}

void fum_scales_destroy(fum_scales **scales) {
    if (!scales || !*scales) return;
    fum_arena_destroy(&(*scales)->arena);
    fum_free((*scales)->entries);
    fum_free(*scales);
    *scales = NULL;
}

static int compare_index(const void *key, const void *entry) {
    size_t wanted = *(const size_t *)key, index = ((const struct entry *)entry)->index;
    return (wanted > index) - (wanted < index);
}

void fum_scales_apply(const fum_scales *s, size_t index, struct fum_view *view) {
    const struct entry *e = NULL;
    if (s->count) e = bsearch(&index, s->entries, s->count, sizeof *e, compare_index);
    if (!e) return;
    uint64_t elements = fum_view_count(view);
    view->scales = e->values;
    view->scale_each = e->count > 1 && elements ? elements / e->count : 0;
}
