// SPDX-License-Identifier: MIT
// Opens a set of adapters and lists which weights they change. A weight's new values are computed
// when it loads, so that no second copy of the model is in memory.
#include "adapter/adapter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapter/change.h"
#include "adapter/file.h"
#include "adapter/peft.h"
#include "adapter/products.h"
#include "base/error.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/require.h"
#include "base/text.h"

// A weight that is changed.
struct changed {
    const char *component, *name;
    struct fum_view base; // as the model has it
    struct fum_computed computed;
    const struct fum_adapter_change *changes;
    size_t count;
};

struct fum_adapters {
    fum_arena *arena;
    struct fum_adapter *list; // in the arena, as all that follows
    int count;
    const char *dir;
    bool beside;
    struct fum_adapter_file *files; // `count` of them
    fum_adapter_targets *targets;
    struct fum_adapter_change *changes;
    size_t num_changes, capacity;
    struct changed *changed; // by component and name
    size_t num_changed;
    struct fum_adapter_change *beside_changes; // not in the arena
    fum_adapter_products *products;            // NULL: none
};

static enum fum_result no_memory(struct fum_error *err) {
    return fum_error_set(err, FUM_ERR_NOMEM, "no memory for adapters");
}

// ---- matching ----

// Describes the view of a weight or bias.
static struct fum_adapter_shape shape_of(const struct fum_view *view) {
    struct fum_adapter_shape s = {.rows = view->rank ? view->dim[0] : 1, .columns = 1, .taps = 1};
    for (int i = 1; i < view->rank; i++) s.columns *= view->dim[i];
    for (int i = 2; i < view->rank; i++) s.taps *= view->dim[i];
    return s;
}

// What the groups of one file come to.
struct matching {
    fum_adapters *set;
    const struct fum_adapter *adapter;
    const struct fum_adapter_file *file;
    const struct fum_adapter_group *group;      // that is matched now
    struct fum_adapter_layer layer;             // what it has for its module
    const struct fum_adapter_group **unmatched; // in the arena
    size_t num_unmatched;
    struct fum_why why; // of the first that has a module here but does not fit; "": none
    // A parameter that the group changes and the model does not have; NULL: none. Such groups,
    // which change other parameters too, and the parameter of the first.
    const char *missing, *first_missing;
    size_t num_missing;
};

static bool add_change(fum_adapters *set, const struct fum_adapter_change *change) {
    if (!fum_grow((void **)&set->changes, &set->capacity, set->num_changes, sizeof *set->changes))
        return false;
    set->changes[set->num_changes] = *change;
    set->changes[set->num_changes].order = set->num_changes;
    set->num_changes++;
    return true;
}

static bool is_known(const struct fum_adapter_group *group) {
    for (int i = 0; i < FUM_ADAPTER_ROLES; i++)
        if (group->tensors[i] && group->tensors[i]->view.dtype == FUM_DTYPE_UNKNOWN) return false;
    return true;
}

// Tries the group as an adapter of this kind. *matched: it is one, and fits its weight. Sets
// m->missing if the model has no such weight.
static enum fum_result match_kind(struct matching *m, const struct fum_adapter_target *target,
                                  const struct fum_adapter_kind *kind, bool *matched,
                                  struct fum_error *err) {
    struct fum_adapter_change change = {.target = target, .layer = m->layer};
    struct fum_view view;
    struct fum_why *why = m->why.text[0] ? NULL : &m->why;
    change.layer.kind = kind;
    if (!kind->present(&change.layer)) return FUM_OK;
    change.weight = fum_arena_printf(m->set->arena, "%s.%s", target->module, kind->parameter);
    if (!change.weight) return no_memory(err);
    if (!target->source.find(target->source.user, change.weight, &view)) {
        m->missing = change.weight;
        return FUM_OK;
    }
    const struct fum_adapter_shape shape = shape_of(&view);
    if (!kind->fits(&change.layer, &shape, why) ||
        !fum_adapter_dora_fits(&change.layer, &shape, why))
        return FUM_OK;
    *matched = true;
    return add_change(m->set, &change) ? FUM_OK : no_memory(err);
}

// Describes what the group has for its module, of no kind yet.
static void describe_layer(struct matching *m, const struct fum_adapter_target *target) {
    m->layer = (struct fum_adapter_layer){
        .strength = (double)(target->text ? m->adapter->text_weight : m->adapter->unet_weight)};
    memcpy(m->layer.tensors, m->group->tensors, sizeof m->layer.tensors);
    fum_adapter_peft_read(m->file->metadata, target, &m->layer);
}

static enum fum_result match_group(struct matching *m, const struct fum_adapter_group *group,
                                   struct fum_error *err) {
    const struct fum_adapter_target *target =
        fum_adapter_targets_find(m->set->targets, group->module);
    enum fum_result result = FUM_OK;
    bool matched = false;
    m->group = group;
    m->missing = NULL;
    if (target) describe_layer(m, target);
    for (int i = 0; target && is_known(group) && fum_adapter_kinds[i] && !result; i++)
        result = match_kind(m, target, fum_adapter_kinds[i], &matched, err);
    if (!matched) m->unmatched[m->num_unmatched++] = group;
    if (matched && m->missing && !m->num_missing++) m->first_missing = m->missing;
    return result;
}

enum { LONGEST_STEM = 256, STEMS_BYTES = 640 }; // in messages

// Writes names of modules that match nothing from the `first` on, as many as a message holds.
// Returns the index behind the last.
static size_t list_unmatched(const struct matching *m, size_t first, char names[STEMS_BYTES]) {
    size_t used = 0, i = first;
    for (; i < m->num_unmatched && used < STEMS_BYTES - LONGEST_STEM - 4; i++) {
        const struct fum_adapter_group *g = m->unmatched[i];
        used += (size_t)snprintf(names + used, STEMS_BYTES - used, "%s%.*s", used ? ", " : "",
                                 FUM_MIN(g->stem, LONGEST_STEM), g->first_name);
    }
    return i;
}

static void log_unmatched(const struct matching *m, const struct fum_log *log) {
    char names[STEMS_BYTES];
    for (size_t i = 0; i < m->num_unmatched;) {
        i = list_unmatched(m, i, names);
        fum_log(log, FUM_LOG_WARN, "%s: %zu of %zu modules match nothing in the model: %s",
                fum_loader_path(m->file->loader), m->num_unmatched, m->file->count, names);
    }
}

// Reports biases of layers that have none.
static void log_missing(const struct matching *m, const struct fum_log *log) {
    if (m->num_missing)
        fum_log(log, FUM_LOG_WARN,
                "%s: %zu of %zu modules also change a parameter that the model does not have; the "
                "first is %s",
                fum_loader_path(m->file->loader), m->num_missing, m->file->count, m->first_missing);
}

static enum fum_result refuse_all(const struct matching *m, struct fum_error *err) {
    char names[STEMS_BYTES];
    const char *path = fum_loader_path(m->file->loader);
    if (m->why.text[0])
        return fum_error_set(err, FUM_ERR_FORMAT, "%s: fits nothing in the model: %s", path,
                             m->why.text);
    size_t listed = list_unmatched(m, 0, names);
    return fum_error_set(err, FUM_ERR_FORMAT, "%s: matches nothing in the model: %s%s", path, names,
                         listed < m->num_unmatched ? ", …" : "");
}

static enum fum_result match_file(fum_adapters *set, int index, const struct fum_log *log,
                                  struct fum_error *err) {
    struct matching m = {.set = set, .adapter = &set->list[index], .file = &set->files[index]};
    enum fum_result result =
        fum_adapter_file_open(&set->files[index], set->arena, set->dir, m.adapter->name, err);
    if (result) return result;
    m.unmatched = fum_arena_alloc(set->arena, m.file->count, sizeof *m.unmatched);
    if (!m.unmatched) return no_memory(err);
    for (size_t i = 0; i < m.file->count && !result; i++)
        result = match_group(&m, &m.file->groups[i], err);
    if (!result && m.num_unmatched == m.file->count) return refuse_all(&m, err);
    if (result) return result;
    log_unmatched(&m, log);
    log_missing(&m, log);
    return FUM_OK;
}

// ---- the weights ----

static int compare_names(const char *component_a, const char *a, const char *component_b,
                         const char *b) {
    int order = strcmp(component_a, component_b);
    return order ? order : strcmp(a, b);
}

static int compare_changes(const void *a, const void *b) {
    const struct fum_adapter_change *x = a, *y = b;
    int order = compare_names(x->target->component, x->weight, y->target->component, y->weight);
    return order ? order : (x->order > y->order) - (x->order < y->order);
}

static int compare_changed(const void *a, const void *b) {
    const struct changed *x = a, *y = b;
    return compare_names(x->component, x->name, y->component, y->name);
}

// Writes a weight with all changes added.
static enum fum_result write_changed(const void *user, float *values, struct fum_error *err) {
    const struct changed *c = user;
    const struct fum_adapter_shape shape = shape_of(&c->base);
    size_t count = (size_t)fum_view_count(&c->base);
    // A change may depend on the weight as it was before the others.
    float *copy = c->count > 1 ? fum_alloc(count, sizeof *copy) : NULL;
    if (c->count > 1 && !copy) return no_memory(err);
    enum fum_result result = fum_view_read_f32(&c->base, values, err);
    if (!result && copy) memcpy(copy, values, count * sizeof *copy);
    for (size_t i = 0; i < c->count && !result; i++)
        result = fum_adapter_add(&c->changes[i].layer, &shape, copy ? copy : values, values, err);
    fum_free(copy);
    return result;
}

// Makes products of the changes that can be, and keeps the others as changes of weights. All are
// sorted.
static enum fum_result take_products(fum_adapters *set, struct fum_error *err) {
    size_t kept = 0, taken = 0;
    set->beside_changes = fum_alloc(set->num_changes + 1, sizeof *set->beside_changes);
    if (!set->beside_changes) return no_memory(err);
    for (size_t i = 0; i < set->num_changes; i++) {
        if (fum_adapter_product_serves(&set->changes[i]))
            set->beside_changes[taken++] = set->changes[i];
        else
            set->changes[kept++] = set->changes[i];
    }
    set->num_changes = kept;
    return fum_adapter_products_create(&set->products, set->beside_changes, taken, err);
}

// Lists the weights once each, with their changes in order.
static enum fum_result list_changed(fum_adapters *set, struct fum_error *err) {
    set->changed = fum_arena_alloc(set->arena, set->num_changes + 1, sizeof *set->changed);
    if (!set->changed) return no_memory(err);
    struct changed *last = NULL;
    for (size_t i = 0; i < set->num_changes; i++) {
        const struct fum_adapter_change *change = &set->changes[i];
        const struct fum_adapter_target *target = change->target;
        if (!last ||
            compare_names(last->component, last->name, target->component, change->weight)) {
            last = &set->changed[set->num_changed++];
            *last = (struct changed){target->component, change->weight, .changes = change};
            last->computed = (struct fum_computed){write_changed, last};
            target->source.find(target->source.user, change->weight, &last->base);
        }
        last->count++;
    }
    return FUM_OK;
}

// ---- the set ----

static bool copy_params(fum_adapters *set, const struct fum_adapters_params *params) {
    set->list = fum_arena_alloc(set->arena, (size_t)params->count, sizeof *set->list);
    set->files = fum_arena_alloc(set->arena, (size_t)params->count, sizeof *set->files);
    set->dir = params->dir ? fum_arena_strdup(set->arena, params->dir) : NULL;
    set->beside = params->beside;
    if (!set->list || !set->files || (params->dir && !set->dir)) return false;
    set->count = params->count;
    for (int i = 0; i < params->count; i++) {
        set->list[i] = params->list[i];
        set->list[i].name = fum_arena_strdup(set->arena, params->list[i].name);
        if (!set->list[i].name) return false;
    }
    return true;
}

enum fum_result fum_adapters_open(fum_adapters **adapters, const fum_model *model,
                                  const struct fum_adapters_params *params, struct fum_error *err) {
    enum fum_result result = FUM_OK;
    *adapters = NULL;
    for (int i = 0; i < params->count; i++)
        if (fum_require(params->list[i].name, "the name of an adapter", err)) return FUM_ERR_ARG;
    fum_adapters *set = *adapters = fum_calloc(1, sizeof *set);
    if (set) set->arena = fum_arena_create();
    if (!set || !set->arena || !copy_params(set, params)) result = no_memory(err);
    if (!result) result = fum_adapter_targets_create(&set->targets, model, err);
    for (int i = 0; i < params->count && !result; i++)
        result = match_file(set, i, params->log, err);
    if (!result && set->num_changes)
        qsort(set->changes, set->num_changes, sizeof *set->changes, compare_changes);
    if (!result && set->beside) result = take_products(set, err);
    if (!result) result = list_changed(set, err);
    if (result) fum_adapters_close(adapters);
    return result;
}

void fum_adapters_close(fum_adapters **adapters) {
    if (!adapters || !*adapters) return;
    fum_adapters *set = *adapters;
    for (int i = 0; i < set->count; i++) fum_adapter_file_close(&set->files[i]);
    fum_adapter_targets_destroy(&set->targets);
    fum_adapter_products_destroy(&set->products);
    fum_free(set->beside_changes);
    fum_free(set->changes);
    fum_arena_destroy(&set->arena);
    fum_free(set);
    *adapters = NULL;
}

static bool same_text(const char *a, const char *b) {
    return a && b ? !strcmp(a, b) : a == b;
}

bool fum_adapters_same(const fum_adapters *set, const struct fum_adapters_params *params) {
    if (!set) return params->count == 0;
    if (set->count != params->count || !same_text(set->dir, params->dir) ||
        set->beside != params->beside)
        return false;
    for (int i = 0; i < set->count; i++) {
        const struct fum_adapter *a = &set->list[i], *b = &params->list[i];
        if (strcmp(a->name, b->name) || a->unet_weight != b->unet_weight ||
            a->text_weight != b->text_weight)
            return false;
    }
    return true;
}

static struct fum_view view_of(const struct changed *changed) {
    struct fum_view view = {.dtype = FUM_F32, .rank = changed->base.rank};
    memcpy(view.dim, changed->base.dim, sizeof view.dim);
    view.computed = &changed->computed;
    return view;
}

bool fum_adapters_find(const fum_adapters *set, const char *component, const char *name,
                       struct fum_view *view) {
    const struct changed wanted = {.component = component, .name = name};
    if (!set) return false;
    const struct changed *found = set->num_changed
                                      ? bsearch(&wanted, set->changed, set->num_changed,
                                                sizeof *set->changed, compare_changed)
                                      : NULL;
    if (!found) return fum_adapter_products_weight(set->products, component, name, view);
    *view = view_of(found);
    return true;
}

bool fum_adapters_get(const fum_adapters *set, size_t index, struct fum_adapters_change *change) {
    if (!set || index >= set->num_changed) return false;
    const struct changed *c = &set->changed[index];
    *change = (struct fum_adapters_change){c->component, c->name, c->base, view_of(c)};
    return true;
}

bool fum_adapters_find_product(const fum_adapters *set, const char *component, const char *module,
                               struct fum_adapters_product *product) {
    return set && fum_adapter_products_find(set->products, component, module, product);
}

bool fum_adapters_have_products(const fum_adapters *set, const char *component) {
    return set && fum_adapter_products_any(set->products, component);
}

bool fum_adapters_same_products(const fum_adapters *a, const fum_adapters *b,
                                const char *component) {
    return fum_adapter_products_same(a ? a->products : NULL, b ? b->products : NULL, component);
}

size_t fum_adapters_list(const fum_adapters *set, const char *component, const char **names) {
    size_t count = 0;
    for (size_t i = 0; set && i < set->num_changed; i++) {
        if (strcmp(set->changed[i].component, component)) continue;
        if (names) names[count] = set->changed[i].name;
        count++;
    }
    if (!set) return 0;
    return count +
           fum_adapter_products_list(set->products, component, names ? names + count : NULL);
}
