// SPDX-License-Identifier: MIT
// Writes a diffusers folder as a single file of the original layout. Small files of the folder
// become texts of the file, so that fum_convert_to_folder can restore them.
#include "model/convert/convert.h"

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "model/embedded.h"

#include <stdio.h>
#include <string.h>

// ---- names ----

// Returns the family in whose single files the folder's components have a place.
static const struct fum_family *find_family(const fum_model *model) {
    const struct fum_model_component *xl = fum_model_find_component(model, "text_encoder_2"),
                                     *text = fum_model_find_component(model, "text_encoder");
    const char *act = text ? fum_json_string(text->config, "hidden_act", "") : "";
    if (xl) return fum_family_find(text ? "sdxl" : "sdxl-refiner");
    return fum_family_find(strcmp(act, "gelu") ? "sd1" : "sd2");
}

// Finds where a component lies in the family's files. False: such files do not have it.
static bool find_place(const struct fum_family *family, const char *component,
                       struct fum_names_place *place) {
    *place = (struct fum_names_place){.component = component};
    if (!strcmp(component, "unet")) place->prefix = "model.diffusion_model.";
    if (!strcmp(component, "vae")) place->prefix = "first_stage_model.";
    for (int i = 0; i < FUM_MODEL_MAX_TEXT; i++) {
        if (strcmp(component, fum_model_roles[i].name)) continue;
        place->prefix = family->file.text[i].prefix;
        place->openclip = family->file.text[i].openclip;
    }
    return place->prefix != NULL;
}

// ---- tensors that differ in more than their names ----

// Three tensors one after the other, or a matrix that is transposed.
struct joined {
    struct fum_computed computed;
    struct fum_view parts[3];
};

static enum fum_result write_joined(const void *user, float *values, struct fum_error *err) {
    const struct joined *joined = user;
    enum fum_result result = FUM_OK;
    for (int i = 0; i < 3 && !result; i++) {
        result = fum_view_read_f32(&joined->parts[i], values, err);
        values += fum_view_count(&joined->parts[i]);
    }
    return result;
}

static enum fum_result write_transposed(const void *user, float *values, struct fum_error *err) {
    const struct fum_view *view = &((const struct joined *)user)->parts[0];
    size_t rows = (size_t)view->dim[0], columns = (size_t)view->dim[1];
    float *read = fum_alloc(rows * columns, sizeof *read);
    if (!read) return fum_error_set(err, FUM_ERR_NOMEM, "no memory to transpose a tensor");
    enum fum_result result = fum_view_read_f32(view, read, err);
    for (size_t i = 0; i < rows && !result; i++)
        for (size_t k = 0; k < columns; k++) values[k * rows + i] = read[i * columns + k];
    fum_free(read);
    return result;
}

// Points a view to values that are computed of others.
static struct joined *compute_view(struct fum_converter *c, struct fum_view *view,
                                   enum fum_result (*write)(const void *, float *,
                                                            struct fum_error *)) {
    struct joined *joined = fum_arena_alloc(c->arena, 1, sizeof *joined);
    if (!joined) return NULL;
    *joined = (struct joined){.computed = {write, joined}};
    view->computed = &joined->computed;
    view->blocks = NULL;
    view->data = NULL;
    view->scales = NULL;
    return joined;
}

// ---- listing ----

struct listing {
    struct fum_convert_file *file;
    const fum_names *names;
    bool vae, openclip;
};

static struct fum_convert_tensor *find_tensor(const struct fum_convert_file *file,
                                              const char *name) {
    for (size_t i = file->count; i-- > 0;)
        if (!strcmp(file->tensors[i].name, name)) return &file->tensors[i];
    return NULL;
}

// Adds a third of a fused tensor, which the first one begins.
static enum fum_result add_third(struct fum_converter *c, struct fum_convert_file *file,
                                 const struct fum_file_name *name, const struct fum_view *view) {
    struct fum_convert_tensor *t = find_tensor(file, name->text);
    if (!t) {
        struct fum_view fused = *view;
        fused.dim[0] *= 3;
        if (!compute_view(c, &fused, write_joined)) return fum_convert_no_memory(c);
        enum fum_result result = fum_convert_add(c, file, name->text, &fused);
        if (result) return result;
        t = &file->tensors[file->count - 1];
    }
    struct joined *joined = (struct joined *)(void *)t->view.computed;
    joined->parts[name->third] = *view;
    return FUM_OK;
}

static enum fum_result add_weight(struct fum_converter *c, void *user, const char *name,
                                  const struct fum_view *view) {
    const struct listing *l = user;
    struct fum_file_name out;
    struct fum_view own = *view;
    if (!fum_names_rename(l->names, name, &out))
        return fum_error_set(c->err, FUM_ERR_UNSUPPORTED,
                             "%s: the original layout, which single files have, has no place for "
                             "tensor %s; end -o without .safetensors or .gguf for a folder",
                             c->params->path, name);
    if (out.third >= 0) return add_third(c, l->file, &out, view);
    if (find_tensor(l->file, out.text)) return FUM_OK; // of both halves of a VAE
    // The original VAE's attention has convolutions.
    if (l->vae && own.rank == 2 && strstr(out.text, ".attn_1.")) {
        own.dim[2] = own.dim[3] = 1;
        own.rank = 4;
    }
    if (l->openclip && fum_text_ends_with(out.text, "text_projection")) {
        struct joined *joined = compute_view(c, &own, write_transposed);
        if (!joined) return fum_convert_no_memory(c);
        joined->parts[0] = *view;
        own.dim[0] = view->dim[1];
        own.dim[1] = view->dim[0];
    }
    return fum_convert_add(c, l->file, out.text, &own);
}

static enum fum_result list_component(struct fum_converter *c, const fum_model *model,
                                      const struct fum_model_component *component,
                                      struct fum_convert_file *file) {
    struct fum_names_place place;
    fum_names *names = NULL;
    if (!find_place(find_family(model), component->name, &place))
        return fum_error_set(c->err, FUM_ERR_UNSUPPORTED,
                             "%s: single files of the original layout have no place for its %s; "
                             "end -o without .safetensors or .gguf for a folder",
                             c->params->path, component->name);
    enum fum_result result =
        fum_names_create_single(&names, component->loader, &place, component->config, c->err);
    struct listing l = {.file = file,
                        .names = names,
                        .vae = !strcmp(component->name, "vae"),
                        .openclip = place.openclip};
    if (!result) result = fum_convert_each_weight(c, model, component, add_weight, &l);
    fum_names_destroy(&names);
    char key[128];
    bool text = !strncmp(component->name, "text_encoder", 12);
    snprintf(key, sizeof key, FUM_EMBEDDED_BARE "%s", component->name);
    if (!result && text &&
        !fum_loader_find(component->loader, "text_model.final_layer_norm.weight"))
        result = fum_convert_add_text(c, file, key, "1");
    return result;
}

// ---- small files ----

static bool is_small_file(const char *name) {
    return (fum_text_ends_with(name, ".json") && !strstr(name, ".index.")) ||
           fum_text_ends_with(name, ".txt");
}

static enum fum_result embed_file(struct fum_converter *c, const char *path, const char *name,
                                  struct fum_convert_file *file) {
    char *text = NULL, *key = fum_arena_printf(c->arena, FUM_EMBEDDED_FILE "%s", name);
    size_t bytes = 0;
    if (!key) return fum_convert_no_memory(c);
    enum fum_result result = fum_file_read(path, FUM_CONVERT_MAX_EMBEDDED, &text, &bytes, c->err);
    // A larger file, such as CLIP's vocabulary, is one that every installation has.
    if (result == FUM_ERR_FORMAT) return FUM_OK;
    if (!result && strlen(text) == bytes) result = fum_convert_add_text(c, file, key, text);
    fum_free(text);
    return result;
}

// Embeds the small files of a folder and those one level below.
static enum fum_result embed_folder(struct fum_converter *c, const char *dir, const char *below,
                                    struct fum_convert_file *file) {
    struct fum_path_names names = {0};
    enum fum_result result = fum_path_list(c->arena, dir, &names, c->err);
    for (size_t i = 0; i < names.count && !result; i++) {
        const char *name = names.names[i], *path = fum_path_join(c->arena, dir, name),
                   *inner = below ? fum_arena_printf(c->arena, "%s/%s", below, name) : name;
        if (!path || !inner) return fum_convert_no_memory(c);
        if (name[0] == '.') continue;
        if (fum_path_is_dir(path) && !below)
            result = embed_folder(c, path, name, file);
        else if (is_small_file(name))
            result = embed_file(c, path, inner, file);
    }
    return result;
}

enum fum_result fum_convert_to_single(struct fum_converter *c, const fum_model *model) {
    struct fum_convert_file file = {0};
    enum fum_result result = FUM_OK;
    for (int i = 0; i < model->num_components && !result; i++)
        result = list_component(c, model, &model->components[i], &file);
    if (!result) result = embed_folder(c, model->info.path, NULL, &file);
    if (!result) result = fum_convert_write(c, c->params->output, find_family(model)->name, &file);
    fum_convert_free_file(&file);
    return result;
}
