// SPDX-License-Identifier: MIT
// Lists the tensors of a result, and writes them.
#include "model/convert/convert.h"

#include "base/error.h"
#include "base/text.h"
#include "graph/graph.h"
#include "io/gguf_write.h"
#include "model/scales.h"
#include "weights/packing.h"

#include <string.h>

enum { FILE_TYPE_F32 = 0, FILE_TYPE_F16 = 1, FILE_TYPE_BF16 = 32 }; // GGUF's numbers

enum fum_result fum_convert_add(struct fum_converter *c, struct fum_convert_file *file,
                                const char *name, const struct fum_view *view) {
    char *copy = fum_arena_strdup(c->arena, name);
    if (!copy ||
        !fum_grow((void **)&file->tensors, &file->capacity, file->count, sizeof *file->tensors))
        return fum_convert_no_memory(c);
    file->tensors[file->count++] = (struct fum_convert_tensor){.name = copy, .view = *view};
    return FUM_OK;
}

enum fum_result fum_convert_add_text(struct fum_converter *c, struct fum_convert_file *file,
                                     const char *key, const char *value) {
    struct fum_safetensors_text text = {fum_arena_strdup(c->arena, key),
                                        fum_arena_strdup(c->arena, value)};
    if (!text.key || !text.value ||
        !fum_grow((void **)&file->texts, &file->text_capacity, file->text_count,
                  sizeof *file->texts))
        return fum_convert_no_memory(c);
    file->texts[file->text_count++] = text;
    return FUM_OK;
}

void fum_convert_free_file(struct fum_convert_file *file) {
    fum_free(file->tensors);
    fum_free(file->texts);
    fum_scales_destroy(&file->scales);
    *file = (struct fum_convert_file){0};
}

// ---- sources ----

static enum fum_result change_view(struct fum_converter *c, struct fum_view *view) {
    return c->change ? c->change->replace(c->change->user, view, c->err) : FUM_OK;
}

// True for a text that the format itself defines, which the writer adds anew.
static bool is_of_format(const char *key) {
    return !strncmp(key, "general.", 8) || !strcmp(key, "format");
}

enum fum_result fum_convert_list_loader(struct fum_converter *c, const fum_loader *loader,
                                        struct fum_convert_file *file) {
    enum fum_result result = FUM_OK;
    const char *key, *value;
    for (size_t i = 0; i < fum_loader_count(loader) && !result; i++) {
        const struct fum_loader_tensor *t = fum_loader_at(loader, i);
        struct fum_view view = t->view;
        result = change_view(c, &view);
        if (!result) result = fum_convert_add(c, file, t->name, &view);
    }
    for (size_t i = 0; !result && (value = fum_loader_text(loader, i, &key)); i++)
        if (!is_of_format(key)) result = fum_convert_add_text(c, file, key, value);
    return result ? result : fum_convert_leave_8_bits(c, loader, file);
}

// Finds a weight, whose shape its builder can read.
static enum fum_result find_weight(struct fum_converter *c,
                                   const struct fum_model_component *component,
                                   const struct fum_weight *weight, struct fum_view *view) {
    struct fum_why why;
    if (!fum_names_find(component->names, weight->name, view, NULL))
        return fum_error_set(c->err, FUM_ERR_FORMAT, "%s: tensor %s is missing", component->file,
                             weight->name);
    if (fum_packing_check(weight, view, &why)) return change_view(c, view);
    return fum_error_set(c->err, FUM_ERR_FORMAT, "%s: tensor %s: %s", component->file, weight->name,
                         why.text);
}

static enum fum_result list_graph(struct fum_converter *c, const fum_graph *graph,
                                  const struct fum_model_component *component,
                                  fum_convert_add_fn add, void *user) {
    enum fum_result result = FUM_OK;
    for (int i = 0; i < graph->count; i++) {
        if (graph->tensors[i]->kind != FUM_TENSOR_WEIGHT) continue;
        const struct fum_weight weight = fum_tensor_weight(graph->tensors[i]);
        for (int k = 0; k < fum_weight_parts(&weight) && !result; k++) {
            const struct fum_weight part = fum_weight_part(&weight, k);
            struct fum_view view;
            result = find_weight(c, component, &part, &view);
            if (!result) result = add(c, user, part.name, &view);
        }
        if (result) return result;
    }
    return FUM_OK;
}

enum fum_result fum_convert_each_weight(struct fum_converter *c, const fum_model *model,
                                        const struct fum_model_component *component,
                                        fum_convert_add_fn add, void *user) {
    fum_graph *graph = NULL;
    struct fum_error built = {0};
    enum fum_result result = fum_graph_create(&graph, FUM_F32, c->err);
    if (!result) fum_model_build_component(graph, model, component->name);
    if (!result && fum_graph_check(graph, &built))
        result = fum_error_set(c->err, FUM_ERR_FORMAT, "%s: %s", component->where, built.text);
    if (!result) result = list_graph(c, graph, component, add, user);
    fum_graph_destroy(&graph);
    return result;
}

// ---- writing ----

static bool on_file_progress(void *user, uint64_t done, uint64_t total) {
    const struct fum_converter *c = user;
    const struct fum_convert_params *params = c->params;
    return !params->on_progress || params->on_progress(params->user, c->writing, done, total);
}

// Returns GGUF's number for the type that most values of matrices have.
static int find_file_type(const struct fum_gguf_tensor *tensors, size_t count) {
    int best = FILE_TYPE_F32;
    uint64_t most = 0;
    for (size_t i = 0; i < count; i++) {
        if (tensors[i].view.rank < 2) continue;
        uint64_t values = 0;
        for (size_t k = i; k < count; k++)
            if (tensors[k].blocks == tensors[i].blocks && tensors[k].view.rank >= 2 &&
                tensors[k].view.dtype == tensors[i].view.dtype)
                values += fum_view_count(&tensors[k].view);
        if (values <= most) continue;
        most = values;
        enum fum_dtype dtype = tensors[i].view.dtype;
        best = dtype == FUM_F16 ? FILE_TYPE_F16 : FILE_TYPE_F32;
        if (dtype == FUM_BF16) best = FILE_TYPE_BF16;
        if (tensors[i].blocks) best = tensors[i].blocks->file_type;
    }
    return best;
}

static enum fum_result write_gguf(struct fum_converter *c, const char *path,
                                  const char *architecture, const struct fum_convert_file *file) {
    struct fum_gguf_tensor *tensors = fum_alloc(file->count, sizeof *tensors);
    struct fum_gguf_text *texts = fum_alloc(file->text_count, sizeof *texts);
    enum fum_result result = tensors && texts ? FUM_OK : fum_convert_no_memory(c);
    for (size_t i = 0; i < file->count && !result; i++)
        tensors[i] = (struct fum_gguf_tensor){file->tensors[i].name, file->tensors[i].view,
                                              file->tensors[i].blocks};
    for (size_t i = 0; i < file->text_count && !result; i++)
        texts[i] = (struct fum_gguf_text){file->texts[i].key, file->texts[i].value};
    struct fum_gguf out = {.architecture = architecture,
                           .texts = texts,
                           .text_count = file->text_count,
                           .tensors = tensors,
                           .count = file->count,
                           .on_progress = on_file_progress,
                           .user = c};
    if (!result) out.file_type = find_file_type(tensors, file->count);
    if (!result) result = fum_gguf_write(path, &out, c->err);
    fum_free(tensors);
    fum_free(texts);
    return result;
}

static enum fum_result write_safetensors(struct fum_converter *c, const char *path,
                                         const struct fum_convert_file *file) {
    struct fum_safetensors_tensor *tensors = fum_alloc(file->count, sizeof *tensors);
    enum fum_result result = tensors ? FUM_OK : fum_convert_no_memory(c);
    for (size_t i = 0; i < file->count && !result; i++)
        tensors[i] = (struct fum_safetensors_tensor){file->tensors[i].name, file->tensors[i].view};
    const struct fum_safetensors out = {.tensors = tensors,
                                        .count = file->count,
                                        .metadata = file->texts,
                                        .metadata_count = file->text_count,
                                        .on_progress = on_file_progress,
                                        .user = c};
    if (!result) result = fum_safetensors_write(path, &out, c->err);
    fum_free(tensors);
    return result;
}

enum fum_result fum_convert_write(struct fum_converter *c, const char *path,
                                  const char *architecture, struct fum_convert_file *file) {
    enum fum_result result = fum_convert_choose_types(c, file);
    c->writing = path;
    if (result) return result;
    if (fum_text_ends_with(path, ".gguf")) return write_gguf(c, path, architecture, file);
    result = fum_convert_add_text(c, file, "format", "pt");
    return result ? result : write_safetensors(c, path, file);
}
