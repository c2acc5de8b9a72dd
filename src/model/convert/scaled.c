// SPDX-License-Identifier: MIT
// Weights of 8 bits that get another type. They are multiplied by their factors (model/scales.h),
// which other programs would not look for then. ComfyUI's names of their formats go, too. These are
// the tensor X.comfy_quant for X.weight, and the tensor scaled_fp8 for the file. The text
// _quantization_metadata names those of all layers:
// {"layers": {"X": {"format": "float8_e4m3fn"}}}.
#include "model/convert/convert.h"

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "model/scales.h"

#include <string.h>

static const char weight[] = ".weight", table[] = "_quantization_metadata", all[] = "scaled_fp8";

// A file of a result, and which of its tensors leave 8 bits.
struct leaving {
    struct fum_converter *c;
    const fum_loader *loader;
    struct fum_convert_file *file;
    size_t *weights, count; // their indices
    const char **removed;   // names of what goes with them
    size_t num_removed;
};

static bool is_8_bits(enum fum_dtype dtype) {
    return dtype == FUM_F8_E4M3 || dtype == FUM_F8_E5M2;
}

// True if tensor i of the loader has 8 bits, and that of the result has not.
static bool leaves(const struct leaving *l, size_t i) {
    const struct fum_convert_tensor *t = &l->file->tensors[i];
    const struct fum_convert_type type = fum_convert_type_of(l->c, t);
    return is_8_bits(fum_loader_at(l->loader, i)->view.dtype) &&
           (type.blocks || !is_8_bits(type.dtype)) && fum_text_ends_with(t->name, weight);
}

// True for the tensor scaled_fp8, which has 8 bits and no values.
static bool is_mark(const char *name) {
    const char *dot = strrchr(name, '.');
    return !strcmp(dot ? dot + 1 : name, all);
}

static void find_weights(struct leaving *l) {
    size_t of_8_bits = 0;
    for (size_t i = 0; i < l->file->count; i++) {
        of_8_bits += is_8_bits(fum_loader_at(l->loader, i)->view.dtype) &&
                     !is_mark(l->file->tensors[i].name);
        if (leaves(l, i)) l->weights[l->count++] = i;
    }
    for (size_t i = 0; i < l->file->count && l->count == of_8_bits; i++)
        if (is_mark(l->file->tensors[i].name))
            l->removed[l->num_removed++] = l->file->tensors[i].name;
}

// Multiplies a weight by its factors, which go then. A merge has applied them to what it computed.
static void apply(struct leaving *l, size_t i) {
    struct fum_convert_tensor *t = &l->file->tensors[i];
    if (t->view.computed) return;
    fum_scales_apply(l->file->scales, i, &t->view);
    if (t->view.scales) l->removed[l->num_removed++] = fum_scales_find(l->loader, t->name)->name;
}

static bool is_removed(const struct leaving *l, const char *name) {
    const struct fum_loader_tensor *named = fum_scales_find_named(l->loader, name);
    for (size_t i = 0; i < l->num_removed; i++)
        if (!strcmp(l->removed[i], name)) return true;
    for (size_t i = 0; named && i < l->count; i++)
        if (fum_loader_at(l->loader, l->weights[i]) == named) return true;
    return false;
}

// ---- the table of all layers ----

static bool leaves_layer(const struct leaving *l, const char *layer) {
    size_t length = strlen(layer);
    for (size_t i = 0; i < l->count; i++) {
        const char *name = l->file->tensors[l->weights[i]].name;
        if (!strncmp(name, layer, length) && !strcmp(name + length, weight)) return true;
    }
    return false;
}

static void reduce_layers(const struct leaving *l, cJSON *layers) {
    cJSON *next = NULL;
    for (cJSON *layer = layers ? layers->child : NULL; layer; layer = next) {
        next = layer->next;
        if (layer->string && leaves_layer(l, layer->string))
            cJSON_Delete(cJSON_DetachItemViaPointer(layers, layer));
    }
}

// Takes the layers out of the text. What is no JSON stays as it is.
static bool reduce_table(const struct leaving *l, struct fum_safetensors_text *text) {
    cJSON *json = NULL;
    struct fum_error why;
    enum fum_result result = fum_json_parse(&json, text->value, strlen(text->value), table, &why);
    if (result) return result != FUM_ERR_NOMEM;
    reduce_layers(l, cJSON_GetObjectItemCaseSensitive(json, "layers"));
    char *printed = cJSON_PrintUnformatted(json);
    text->value = printed ? fum_arena_strdup(l->c->arena, printed) : NULL;
    cJSON_free(printed);
    cJSON_Delete(json);
    return text->value != NULL;
}

static bool leave(struct leaving *l) {
    struct fum_convert_file *file = l->file;
    size_t kept = 0;
    for (size_t i = 0; i < l->count; i++) apply(l, l->weights[i]);
    for (size_t i = 0; i < file->text_count; i++)
        if (!strcmp(file->texts[i].key, table) && !reduce_table(l, &file->texts[i])) return false;
    for (size_t i = 0; i < file->count; i++)
        if (!is_removed(l, file->tensors[i].name)) file->tensors[kept++] = file->tensors[i];
    file->count = kept;
    return true;
}

enum fum_result fum_convert_leave_8_bits(struct fum_converter *c, const fum_loader *loader,
                                         struct fum_convert_file *file) {
    struct leaving l = {.c = c, .loader = loader, .file = file};
    l.weights = fum_arena_alloc(c->arena, file->count + 1, sizeof *l.weights);
    l.removed = fum_arena_alloc(c->arena, 2 * file->count + 1, sizeof *l.removed);
    if (!l.weights || !l.removed) return fum_convert_no_memory(c);
    find_weights(&l);
    if (!l.count) return FUM_OK;
    enum fum_result result = fum_scales_create(&file->scales, loader, "", c->err);
    if (result) return result;
    return leave(&l) ? FUM_OK : fum_convert_no_memory(c);
}
