// SPDX-License-Identifier: MIT
// Gives parameters their first values: from a checkpoint, from the user's file, or drawn.
#include "train/training.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/desc.h"
#include "base/error.h"
#include "base/rng.h"
#include "graph/graph.h"

struct fum_train_initial {
    struct fum_training *training;
    float **drawn; // arrays that views point to
    size_t count, capacity;
};

static const char *after(const char *name, const char *prefix) {
    size_t length = strlen(prefix);
    return strncmp(name, prefix, length) ? NULL : name + length;
}

// Returns the network's parameter whose values a companion begins with, or NULL for one of the
// optimiser.
static const char *network_name(const char *name) {
    if (after(name, "optimiser.")) return NULL;
    const char *averaged = after(name, "ema.");
    return averaged ? averaged : name;
}

static int64_t fan_in(const fum_tensor *weight) {
    const struct fum_shape *shape = &weight->desc.shape;
    return fum_shape_rows(shape);
}

static bool is_product(const fum_tensor *weight) {
    return weight &&
           (weight->packing == &fum_packing_linear || weight->packing == &fum_packing_conv);
}

// Returns how PyTorch's layer of that shape begins. Linear and Conv2d are uniform within 1 over the
// root of the fan-in, Embedding is normal, norms are 1 and 0. An optimiser's moments are 0.
static struct fum_initial default_initial(const struct fum_training *t, const fum_tensor *param) {
    const char *dot = strrchr(param->name, '.');
    bool bias = dot && !strcmp(dot, ".bias");
    if (!network_name(param->name)) return (struct fum_initial){.kind = FUM_INITIAL_CONSTANT};
    const fum_tensor *weight = param;
    if (bias) {
        char *name =
            fum_arena_printf(t->arena, "%.*s.weight", (int)(dot - param->name), param->name);
        weight = name ? fum_graph_find(t->now->graph, name) : NULL;
    }
    if (is_product(weight))
        return (struct fum_initial){.kind = FUM_INITIAL_UNIFORM,
                                    .value = 1 / sqrt((double)fan_in(weight))};
    if (bias) return (struct fum_initial){.kind = FUM_INITIAL_CONSTANT};
    if (param->desc.shape.rank > 1)
        return (struct fum_initial){.kind = FUM_INITIAL_NORMAL, .value = 1};
    return (struct fum_initial){.kind = FUM_INITIAL_CONSTANT, .value = 1};
}

static struct fum_initial choose_initial(const struct fum_training *t, const fum_tensor *param) {
    struct fum_initial initial = default_initial(t, param);
    if (t->recipe->initialise) t->recipe->initialise(t, param->name, &initial);
    return initial;
}

// Hashes a name (FNV-1a), so that each parameter has its own draws whatever the others are.
static uint64_t hash_name(const char *name) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (; *name; name++) hash = (hash ^ (uint8_t)*name) * 0x100000001b3u;
    return hash;
}

static void draw_values(const struct fum_training *t, const fum_tensor *param, float *values,
                        size_t count) {
    struct fum_initial initial = choose_initial(t, param);
    struct fum_rng rng;
    fum_rng_init(&rng, FUM_RNG_CUDA, t->options.seed ^ hash_name(param->name));
    if (initial.kind == FUM_INITIAL_UNIFORM) {
        fum_rng_uniform(&rng, values, count);
        for (size_t i = 0; i < count; i++) values[i] = (float)(initial.value * (2 * values[i] - 1));
    } else if (initial.kind == FUM_INITIAL_NORMAL) {
        fum_rng_normal(&rng, values, count);
        for (size_t i = 0; i < count; i++) values[i] *= (float)initial.value;
    } else {
        for (size_t i = 0; i < count; i++) values[i] = (float)initial.value;
    }
}

// Draws a parameter. The values stay until the store has copied them.
static bool find_drawn(struct fum_train_initial *from, const fum_tensor *param,
                       struct fum_view *view) {
    size_t count = (size_t)fum_shape_count(&param->desc.shape);
    float *values = fum_alloc(count, sizeof *values);
    if (!values || !fum_grow((void **)&from->drawn, &from->capacity, from->count, sizeof values)) {
        fum_free(values);
        return false;
    }
    from->drawn[from->count++] = values;
    draw_values(from->training, param, values, count);
    *view = param->packing->file_view(&param->desc.shape);
    view->dtype = FUM_F32;
    view->data = values;
    return true;
}

static bool find_in_file(const fum_loader *loader, const char *name, struct fum_view *view) {
    const struct fum_loader_tensor *tensor = name ? fum_loader_find(loader, name) : NULL;
    if (tensor) *view = tensor->view;
    return tensor != NULL;
}

// Finds a value in the checkpoint. Averages that it lacks begin as the weights.
static bool find_resumed(const struct fum_training *t, const char *name, struct fum_view *view) {
    const char *network = network_name(name);
    if (network != name && find_in_file(t->resumed, name, view)) return true;
    const char *stored = network ? fum_arena_printf(t->arena, "model.%s", network) : NULL;
    return stored && find_in_file(t->resumed, stored, view);
}

static bool find_value(void *user, const char *name, struct fum_view *view) {
    struct fum_train_initial *from = user;
    struct fum_training *t = from->training;
    const fum_tensor *param = fum_graph_find(t->now->graph, name);
    if (!param) return false;
    const char *like = choose_initial(t, param).like, *network = like ? like : network_name(name);
    if (t->resumed) return find_resumed(t, name, view);
    if (network && t->initial) {
        const struct fum_loader_tensor *tensor = fum_train_find_spelled(t->initial, network);
        if (tensor) *view = tensor->view;
        return tensor != NULL;
    }
    if (network && t->recipe->find_initial && t->recipe->find_initial(t, network, view))
        return true;
    return find_drawn(from, network ? fum_graph_find(t->now->graph, network) : param, view);
}

// Adds a name to a list that ends in "…" when it is long.
static void list_name(char *list, size_t size, const char *name) {
    size_t at = strlen(list);
    if (at + strlen(name) + 8 < size)
        snprintf(list + at, size - at, "%s%s", at ? ", " : "", name);
    else if (at >= 3 && strcmp(list + at - 3, "…"))
        snprintf(list + at, size - at, " …");
}

// Refuses a file of first weights whose names are not those of the network.
static enum fum_result check_names(const struct fum_training *t, struct fum_error *err) {
    char missing[180] = "", unknown[180] = "";
    size_t count = fum_loader_count(t->initial);
    bool *used = fum_calloc(count ? count : 1, sizeof *used);
    if (!used) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for the first weights");
    for (int i = 0; i < t->now->num_network; i++) {
        const struct fum_loader_tensor *tensor =
            fum_train_find_spelled(t->initial, t->now->network[i]->name);
        if (tensor) used[fum_loader_index(t->initial, tensor)] = true;
        if (!tensor) list_name(missing, sizeof missing, t->now->network[i]->name);
    }
    for (size_t i = 0; i < count; i++) {
        const char *name = fum_loader_at(t->initial, i)->name;
        bool known = used[i] || (t->recipe->ignores && t->recipe->ignores(name));
        if (!known) list_name(unknown, sizeof unknown, name);
    }
    fum_free(used);
    if (!*missing && !*unknown) return FUM_OK;
    return fum_error_set(err, FUM_ERR_FORMAT, "%s: missing: %s; unknown: %s", t->params.init,
                         *missing ? missing : "none", *unknown ? unknown : "none");
}

enum fum_result fum_train_create_parameters(struct fum_training *t, struct fum_error *err) {
    struct fum_train_initial from = {.training = t};
    const struct fum_weight_source source = {.find = find_value, .user = &from};
    enum fum_result result = t->initial && !t->resumed ? check_names(t, err) : FUM_OK;
    if (!result) result = fum_parameters_create_from(&t->parameters, t->device, &source, err);
    for (int i = 0; i < t->now->graph->count && !result; i++) {
        if (t->now->graph->tensors[i]->kind != FUM_TENSOR_PARAMETER) continue;
        const struct fum_weight weight = fum_tensor_weight(t->now->graph->tensors[i]);
        result = fum_parameters_load(t->parameters, &weight, err);
    }
    for (size_t i = 0; i < from.count; i++) fum_free(from.drawn[i]);
    fum_free(from.drawn);
    if (result == FUM_ERR_FORMAT && t->resumed)
        fum_error_prefix(err, "%s/checkpoint/state.safetensors", t->params.resume);
    return result;
}
