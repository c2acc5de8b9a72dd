// SPDX-License-Identifier: MIT
// Extracts a LoRA from two models: the difference of each weight, approximated by a product of low
// rank.
#include <fumarole/adapter.h>

#include "adapter/low_rank.h"
#include "adapter/targets.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/require.h"
#include "io/safetensors.h"

#include <stdio.h>
#include <string.h>

struct extract {
    const fum_model *tuned;
    int rank;
    fum_arena *arena; // of the tensors, too
    struct fum_safetensors_tensor *tensors;
    size_t count, capacity;
    size_t whole; // weights that differ and are no matrices
};

static enum fum_result no_memory(struct fum_error *err) {
    return fum_error_set(err, FUM_ERR_NOMEM, "no memory to extract a LoRA");
}

// Returns the source of the tuned model's weights of a component.
static bool find_source(const fum_model *model, const char *component,
                        struct fum_weight_source *source) {
    const struct fum_model_view *v = fum_model_get_view(model);
    *source = v->unet_weights;
    if (!strcmp(component, "unet")) return source->find != NULL;
    for (int i = 0; i < v->num_text; i++) {
        *source = v->text[i].weights;
        if (!strcmp(v->text[i].component, component)) return true;
    }
    return false;
}

static bool same_shape(const struct fum_view *a, const struct fum_view *b) {
    return fum_view_count(a) == fum_view_count(b) && a->rank && b->rank && a->dim[0] == b->dim[0];
}

// Reads the difference of two weights. *different: some value differs.
static enum fum_result read_difference(const struct fum_view *base, const struct fum_view *tuned,
                                       float **difference, bool *different, struct fum_error *err) {
    size_t count = (size_t)fum_view_count(base);
    float *other = fum_alloc(count, sizeof *other);
    *difference = fum_alloc(count, sizeof **difference);
    *different = false;
    enum fum_result result = other && *difference ? FUM_OK : no_memory(err);
    if (!result) result = fum_view_read_f32(base, other, err);
    if (!result) result = fum_view_read_f32(tuned, *difference, err);
    for (size_t i = 0; i < count && !result; i++) {
        (*difference)[i] -= other[i];
        *different = *different || (*difference)[i] != 0;
    }
    fum_free(other);
    return result;
}

// ---- tensors ----

// Adds a tensor of the shape of `view`, [rows, columns] but for the taps of a convolution.
static bool add_tensor(struct extract *x, const char *module, const char *end,
                       const struct fum_view *view) {
    if (!fum_grow((void **)&x->tensors, &x->capacity, x->count, sizeof *x->tensors)) return false;
    const char *name = fum_arena_printf(x->arena, "%s.%s", module, end);
    x->tensors[x->count++] = (struct fum_safetensors_tensor){name, *view};
    return name != NULL;
}

// Names a module as kohya's scripts do.
static const char *name_module(const struct extract *x, const struct fum_adapter_target *target) {
    const fum_model *model = x->tuned;
    bool several = fum_model_get_view(model)->num_text > 1, second = strchr(target->component, '2');
    if (!target->text) return fum_arena_printf(x->arena, "lora_unet_%s", target->flat);
    const char *number = second ? "2" : "1";
    bool prefixed = !strncmp(target->flat, "text_model_", strlen("text_model_"));
    return fum_arena_printf(x->arena, "lora_te%s_%s%s", several ? number : "",
                            prefixed ? "" : "text_model_", target->flat);
}

// Adds the LoRA of a difference.
static enum fum_result add_product(struct extract *x, const struct fum_adapter_target *target,
                                   const struct fum_view *view, const float *difference,
                                   struct fum_error *err) {
    size_t rows = (size_t)view->dim[0], columns = (size_t)fum_view_count(view) / rows,
           rank = FUM_MIN((size_t)x->rank, FUM_MIN(rows, columns));
    const char *module = name_module(x, target);
    float *up = fum_arena_alloc(x->arena, rows * rank, sizeof *up),
          *down = fum_arena_alloc(x->arena, rank * columns, sizeof *down),
          *alpha = fum_arena_alloc(x->arena, 1, sizeof *alpha);
    if (!module || !up || !down || !alpha) return no_memory(err);
    const struct fum_low_rank job = {difference, rows, columns, rank, up, down};
    enum fum_result result = fum_low_rank_compute(&job, err);
    struct fum_view left = {.dtype = FUM_F32, .rank = view->rank, .data = up},
                    right = {.dtype = FUM_F32, .rank = view->rank, .data = down},
                    scale = {.dtype = FUM_F32, .data = alpha};
    for (int i = 0; i < view->rank; i++) left.dim[i] = 1;
    left.dim[0] = (int64_t)rows;
    left.dim[1] = (int64_t)rank;
    memcpy(right.dim, view->dim, sizeof right.dim);
    right.dim[0] = (int64_t)rank;
    *alpha = (float)rank;
    if (!result &&
        !(add_tensor(x, module, "lora_down.weight", &right) &&
          add_tensor(x, module, "lora_up.weight", &left) && add_tensor(x, module, "alpha", &scale)))
        result = no_memory(err);
    return result;
}

// ---- modules ----

// True for the name of a module that its weights have in the model, not for another spelling.
static bool is_own_name(const struct fum_adapter_target *target) {
    size_t i = 0;
    for (; target->module[i] && target->flat[i]; i++) {
        char c = target->module[i] == '.' ? '_' : target->module[i];
        if (c != target->flat[i]) return false;
    }
    return !target->module[i] && !target->flat[i];
}

// True for a product or a convolution. Tables of embeddings are matrices, too.
static bool is_product(const struct fum_adapter_target *target, const struct fum_view *view) {
    return (view->rank == 2 || view->rank == 4) && !strstr(target->module, "embeddings.");
}

static enum fum_result extract_weight(struct extract *x, const struct fum_adapter_target *target,
                                      const char *parameter, struct fum_error *err) {
    struct fum_weight_source source;
    struct fum_view base, tuned;
    char name[600];
    float *difference = NULL;
    bool different = false;
    snprintf(name, sizeof name, "%s.%s", target->module, parameter);
    if (!target->source.find(target->source.user, name, &base)) return FUM_OK;
    if (!find_source(x->tuned, target->component, &source) ||
        !source.find(source.user, name, &tuned) || !same_shape(&base, &tuned))
        return fum_error_set(err, FUM_ERR_FORMAT,
                             "the models are not of one kind: the tuned one has no %s of %s in the "
                             "shape of the other",
                             name, target->component);
    enum fum_result result = read_difference(&base, &tuned, &difference, &different, err);
    if (!result && different && is_product(target, &base))
        result = add_product(x, target, &base, difference, err);
    else if (!result && different)
        x->whole++;
    fum_free(difference);
    return result;
}

static enum fum_result extract_all(struct extract *x, const fum_adapter_targets *targets,
                                   struct fum_error *err) {
    const struct fum_adapter_target *target;
    enum fum_result result = FUM_OK;
    for (size_t i = 0; !result && (target = fum_adapter_targets_at(targets, i)); i++) {
        const struct fum_adapter_target *last = i ? fum_adapter_targets_at(targets, i - 1) : NULL;
        // Both parameters of a module add it to the list.
        bool again = last && !strcmp(last->flat, target->flat) &&
                     !strcmp(last->component, target->component);
        if (again || !is_own_name(target)) continue;
        result = extract_weight(x, target, "weight", err);
        if (!result) result = extract_weight(x, target, "bias", err);
    }
    return result;
}

enum fum_result fum_adapter_extract(const fum_model *base, const fum_model *tuned,
                                    const struct fum_extract_params *params,
                                    struct fum_error *err) {
    if (fum_require(params->path, "a path", err)) return FUM_ERR_ARG;
    if (params->rank < 1) return fum_error_set(err, FUM_ERR_ARG, "the rank must be at least 1");
    struct extract x = {.tuned = tuned, .rank = params->rank, .arena = fum_arena_create()};
    fum_adapter_targets *targets = NULL;
    enum fum_result result = x.arena ? FUM_OK : no_memory(err);
    if (!result) result = fum_adapter_targets_create(&targets, base, err);
    if (!result) result = extract_all(&x, targets, err);
    if (!result && !x.count)
        result = fum_error_set(err, FUM_ERR_FORMAT,
                               "the two models have the same weights: there is nothing to extract");
    if (!result && x.whole)
        fum_log(params->log, FUM_LOG_WARN,
                "%zu biases, norms and embeddings differ too; a LoRA does not hold them", x.whole);
    const struct fum_safetensors file = {.tensors = x.tensors, .count = x.count};
    if (!result) result = fum_safetensors_write(params->path, &file, err);
    fum_adapter_targets_destroy(&targets);
    fum_free(x.tensors);
    fum_arena_destroy(&x.arena);
    return result;
}
