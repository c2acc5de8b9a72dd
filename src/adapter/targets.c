// SPDX-License-Identifier: MIT
// Finds the module that an adapter's tensor belongs to. A component's graph gives its modules; each
// is known by its own name, and in the UNet by the one of the original layout, too.
#include "adapter/targets.h"

#include "adapter/keys.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/macros.h"
#include "graph/graph.h"
#include "model/components.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fum_adapter_targets {
    fum_arena *arena;
    struct fum_adapter_target *list;
    size_t count, capacity;
    const struct linear_layers *linear; // of the component that is listed now
};

// The paths of a component's linear layers, as its graph builds them.
struct linear_layers {
    fum_arena *arena;
    const char **names;
    size_t count, capacity;
    bool failed; // out of memory
};

// What stands before the module's name, and whose module it is.
static const struct head {
    const char *text, *component;
} heads[] = {
    {"lora_unet_", "unet"}, // kohya
    {"lora_te_", "text_encoder"},
    {"lora_te1_", "text_encoder"},
    {"lora_te2_", "text_encoder_2"},
    {"lycoris_", "unet"}, // LyCORIS
    {"lycoris_", "text_encoder"},
    {"unet_", "unet"}, // diffusers
    {"text_encoder_", "text_encoder"},
    {"text_encoder_2_", "text_encoder_2"},
    {"base_model_model_", "unet"}, // PEFT
    {"base_model_model_", "text_encoder"},
    {"base_model_model_unet_", "unet"},
    {"base_model_model_text_encoder_", "text_encoder"},
    {"base_model_model_text_encoder_2_", "text_encoder_2"},
    {"unet_base_model_model_", "unet"},
    {"text_encoder_base_model_model_", "text_encoder"},
    {"text_encoder_2_base_model_model_", "text_encoder_2"},
    {"diffusion_model_", "unet"}, // the original layout
    {"model_diffusion_model_", "unet"},
    {"", "unet"}, // of a component alone
    {"", "text_encoder"},
};

static enum fum_result no_memory(struct fum_error *err) {
    return fum_error_set(err, FUM_ERR_NOMEM, "no memory for the names of a model's modules");
}

// ---- the list ----

// Adds a module under the name `spelt`, whose dots are replaced.
static bool add_target(fum_adapter_targets *t, const struct fum_adapter_target *like,
                       const char *spelt) {
    if (!fum_grow((void **)&t->list, &t->capacity, t->count, sizeof *t->list)) return false;
    char *flat = fum_arena_strdup(t->arena, spelt);
    if (!flat) return false;
    fum_adapter_flatten(flat);
    struct fum_adapter_target *target = &t->list[t->count++];
    *target = *like;
    target->flat = flat;
    return true;
}

// Cuts ".weight" or ".bias" off. Returns false if the name has neither.
static bool cut_parameter(char *name) {
    char *dot = strrchr(name, '.');
    if (!dot || (strcmp(dot, ".weight") && strcmp(dot, ".bias"))) return false;
    *dot = 0;
    return true;
}

// Notes a linear layer of a graph and leaves it as it is.
static fum_tensor *note_layer(void *user, fum_graph *graph, const struct fum_graph_layer *layer) {
    struct linear_layers *l = user;
    (void)graph;
    const char *name = fum_arena_strdup(l->arena, layer->name);
    if (!name || !fum_grow((void **)&l->names, &l->capacity, l->count, sizeof *l->names))
        l->failed = true;
    else
        l->names[l->count++] = name;
    return layer->y;
}

static bool is_linear(const struct linear_layers *l, const char *name) {
    for (size_t i = 0; i < l->count; i++)
        if (!strcmp(l->names[i], name)) return true;
    return false;
}

// Adds the module of a weight under all its names. `original` may be NULL: names of the original
// layout.
static bool add_module(fum_adapter_targets *t, struct fum_adapter_target like, const char *weight,
                       const fum_names *original) {
    char name[FUM_ADAPTER_NAME], other[FUM_ADAPTER_NAME];
    snprintf(name, sizeof name, "%s", weight);
    if (!cut_parameter(name)) return true;
    like.module = fum_arena_strdup(t->arena, name);
    like.linear = is_linear(t->linear, name);
    if (!like.module || !add_target(t, &like, name)) return false;
    // Versions of transformers differ in the first part of the name.
    static const char text_model[] = "text_model.";
    if (like.text && !strncmp(name, text_model, strlen(text_model)) &&
        !add_target(t, &like, name + strlen(text_model)))
        return false;
    if (!original) return true;
    fum_names_in_file(original, weight, other, sizeof other);
    return !cut_parameter(other) || !strcmp(other, name) || add_target(t, &like, other);
}

// Adds the modules of a weight, several if it is stacked.
static bool add_weight(fum_adapter_targets *t, const struct fum_adapter_target *like,
                       const fum_tensor *tensor, const fum_names *original) {
    const struct fum_weight weight = fum_tensor_weight(tensor);
    bool added = true;
    for (int i = 0; i < fum_weight_parts(&weight) && added; i++)
        added = add_module(t, *like, fum_weight_part(&weight, i).name, original);
    return added;
}

static bool add_graph(fum_adapter_targets *t, const struct fum_adapter_target *like,
                      const fum_graph *graph, const fum_names *original) {
    bool added = true;
    for (int i = 0; i < graph->count && added; i++)
        if (graph->tensors[i]->kind == FUM_TENSOR_WEIGHT)
            added = add_weight(t, like, graph->tensors[i], original);
    return added;
}

static enum fum_result add_component(fum_adapter_targets *t, const fum_model *model,
                                     const struct fum_adapter_target *like, struct fum_error *err) {
    const struct fum_model_component *c = fum_model_find_component(model, like->component);
    fum_graph *graph = NULL;
    fum_names *original = NULL;
    if (!c) return FUM_OK;
    enum fum_result result = fum_graph_create(&graph, FUM_F32, err);
    struct linear_layers linear = {.arena = t->arena};
    if (!result) fum_graph_adapt(graph, note_layer, &linear);
    if (!result) fum_model_build_component(graph, model, like->component);
    if (!result && linear.failed) result = no_memory(err);
    t->linear = &linear;
    if (!result) result = fum_graph_check(graph, err);
    if (!result && !like->text)
        result = fum_names_create_original(&original, c->loader, c->config, err);
    if (!result && !add_graph(t, like, graph, original)) result = no_memory(err);
    t->linear = NULL;
    fum_free(linear.names);
    fum_names_destroy(&original);
    fum_graph_destroy(&graph);
    return result;
}

static int compare(const void *a, const void *b) {
    const struct fum_adapter_target *x = a, *y = b;
    int order = strcmp(x->component, y->component);
    return order ? order : strcmp(x->flat, y->flat);
}

enum fum_result fum_adapter_targets_create(fum_adapter_targets **targets, const fum_model *model,
                                           struct fum_error *err) {
    const struct fum_model_view *v = fum_model_get_view(model);
    fum_adapter_targets *t = *targets = fum_calloc(1, sizeof *t);
    if (t) t->arena = fum_arena_create();
    if (!t || !t->arena) {
        fum_adapter_targets_destroy(targets);
        return no_memory(err);
    }
    struct fum_adapter_target like = {.component = "unet", .source = v->unet_weights};
    enum fum_result result = add_component(t, model, &like, err);
    for (int i = 0; i < v->num_text && !result; i++) {
        like = (struct fum_adapter_target){
            .component = v->text[i].component, .source = v->text[i].weights, .text = true};
        result = add_component(t, model, &like, err);
    }
    if (result)
        fum_adapter_targets_destroy(targets);
    else
        qsort(t->list, t->count, sizeof *t->list, compare);
    return result;
}

void fum_adapter_targets_destroy(fum_adapter_targets **targets) {
    if (!targets || !*targets) return;
    fum_arena_destroy(&(*targets)->arena);
    fum_free((*targets)->list);
    fum_free(*targets);
    *targets = NULL;
}

// ---- lookup ----

const struct fum_adapter_target *fum_adapter_targets_at(const fum_adapter_targets *t,
                                                        size_t index) {
    return index < t->count ? &t->list[index] : NULL;
}

const struct fum_adapter_target *fum_adapter_targets_find(const fum_adapter_targets *t,
                                                          const char *module) {
    for (size_t i = 0; i < FUM_COUNT(heads); i++) {
        size_t length = strlen(heads[i].text);
        if (strncmp(module, heads[i].text, length)) continue;
        const struct fum_adapter_target wanted = {.component = heads[i].component,
                                                  .flat = module + length};
        const struct fum_adapter_target *found =
            bsearch(&wanted, t->list, t->count, sizeof *t->list, compare);
        if (found) return found;
    }
    return NULL;
}
