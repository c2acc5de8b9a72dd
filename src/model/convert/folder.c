// SPDX-License-Identifier: MIT
// Writes a diffusers folder. It lies beside its place until it is complete.
#include "model/convert/convert.h"

#include "base/error.h"
#include "base/file.h"
#include "base/macros.h"
#include "base/text.h"
#include "model/embedded.h"
#include "text/clip_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// A folder while it is written.
struct folder {
    struct fum_converter *c;
    const fum_model *model;
    const char *path;  // its place
    const char *built; // where it lies until then
    const char **made; // files and folders in it
    size_t num_made, made_capacity;
};

static char *name_in(const struct folder *f, const char *name) {
    return fum_arena_printf(f->c->arena, "%s/%s", f->built, name);
}

// Notes what has to be removed on a failure.
static enum fum_result note_made(struct folder *f, const char *path) {
    if (!path || !fum_grow((void **)&f->made, &f->made_capacity, f->num_made, sizeof *f->made))
        return fum_convert_no_memory(f->c);
    f->made[f->num_made++] = path;
    return FUM_OK;
}

static enum fum_result make_dir(struct folder *f, const char *path) {
    enum fum_result result = note_made(f, path);
    return result ? result : fum_path_make_dir(path, f->c->err);
}

static void remove_made(struct folder *f) {
    while (f->num_made) fum_path_remove(f->made[--f->num_made], NULL);
}

// Writes a small file; `name` may have the folder of a component, which is made.
static enum fum_result write_text(struct folder *f, const char *name, const char *text,
                                  size_t bytes) {
    fum_file_writer *writer = NULL;
    const char *slash = strchr(name, '/'), *path = name_in(f, name);
    enum fum_result result = path ? FUM_OK : fum_convert_no_memory(f->c);
    if (slash && !result) {
        const char *dir =
            fum_arena_printf(f->c->arena, "%s/%.*s", f->built, (int)(slash - name), name);
        if (!dir) return fum_convert_no_memory(f->c);
        if (!fum_path_is_dir(dir)) result = make_dir(f, dir);
    }
    if (!result) result = note_made(f, path);
    if (!result) result = fum_file_begin(&writer, path, f->c->err);
    if (!result) result = fum_file_write(writer, text, bytes, f->c->err);
    if (!result) result = fum_file_commit(&writer, f->c->err);
    fum_file_abort(&writer);
    return result;
}

static enum fum_result write_json(struct folder *f, const char *name, const cJSON *json) {
    char *text = cJSON_Print(json);
    enum fum_result result =
        text ? write_text(f, name, text, strlen(text)) : fum_convert_no_memory(f->c);
    cJSON_free(text);
    return result;
}

// ---- weights ----

static const char *weights_name(const struct folder *f, const char *component) {
    bool text = !strncmp(component, "text_encoder", 12);
    return fum_arena_printf(f->c->arena, "%s/%s", component,
                            text ? "model.safetensors" : "diffusion_pytorch_model.safetensors");
}

static enum fum_result write_weights(struct folder *f, const char *component,
                                     struct fum_convert_file *file) {
    const char *name = weights_name(f, component), *path = name ? name_in(f, name) : NULL;
    const char *dir = name_in(f, component);
    if (!path || !dir) return fum_convert_no_memory(f->c);
    enum fum_result result = fum_path_is_dir(dir) ? FUM_OK : make_dir(f, dir);
    if (!result) result = note_made(f, path);
    return result ? result : fum_convert_write(f->c, path, "", file);
}

// ---- of a folder ----

static bool is_weights(const char *name) {
    static const char *const endings[] = {".safetensors", ".bin",       ".ckpt",    ".pt",
                                          ".pth",         ".gguf",      ".msgpack", ".onnx",
                                          ".h5",          ".index.json"};
    for (size_t i = 0; i < FUM_COUNT(endings); i++)
        if (fum_text_ends_with(name, endings[i])) return true;
    return strstr(name, ".index.") != NULL;
}

enum { MAX_COPIED = 64 << 20 }; // bytes of a file that is not weights

static enum fum_result copy_files(struct folder *f, const char *dir, const char *below) {
    struct fum_converter *c = f->c;
    struct fum_path_names names = {0};
    enum fum_result result = fum_path_list(c->arena, dir, &names, c->err);
    for (size_t i = 0; i < names.count && !result; i++) {
        const char *name = names.names[i], *from = fum_path_join(c->arena, dir, name),
                   *to = below ? fum_arena_printf(c->arena, "%s/%s", below, name) : name;
        char *text = NULL;
        size_t bytes = 0;
        if (!from || !to) return fum_convert_no_memory(c);
        if (name[0] == '.' || is_weights(name)) continue;
        if (fum_path_is_dir(from)) {
            if (!below) result = copy_files(f, from, name);
            continue;
        }
        result = fum_file_read(from, MAX_COPIED, &text, &bytes, c->err);
        if (!result) result = write_text(f, to, text, bytes);
        fum_free(text);
    }
    return result;
}

static enum fum_result write_of_folder(struct folder *f) {
    const fum_model *model = f->model;
    enum fum_result result = copy_files(f, model->info.path, NULL);
    for (int i = 0; i < model->num_components && !result; i++) {
        struct fum_convert_file file = {0};
        result = fum_convert_list_loader(f->c, model->components[i].loader, &file);
        if (!result) result = write_weights(f, model->components[i].name, &file);
        fum_convert_free_file(&file);
    }
    return result;
}

// ---- of a single file ----

struct listing {
    struct fum_convert_file *file;
    bool bare;  // without "text_model."
    int layers; // of a text encoder that folders have
};

// Returns the layers of a text encoder that the family's folders have. Where single files skip more
// layers by default, folders lack them.
static int folder_layers(const fum_model *model, const struct fum_model_component *component) {
    int layers = (int)fum_json_number(component->config, "num_hidden_layers", 0);
    const struct fum_family *family = model->family;
    if (model->of_folder || !family || family->file_clip_skip <= 1 + family->folder_skip)
        return layers;
    return FUM_MAX(layers - (family->file_clip_skip - 1 - family->folder_skip), 1);
}

static bool is_skipped(const struct listing *l, const char *name) {
    static const char prefix[] = "text_model.encoder.layers.";
    return !strncmp(name, prefix, strlen(prefix)) &&
           strtol(name + strlen(prefix), NULL, 10) >= l->layers;
}

static enum fum_result add_weight(struct fum_converter *c, void *user, const char *name,
                                  const struct fum_view *view) {
    static const char prefix[] = "text_model.";
    const struct listing *l = user;
    if (is_skipped(l, name)) return FUM_OK;
    if (l->bare && !strncmp(name, prefix, strlen(prefix))) name += strlen(prefix);
    for (size_t i = 0; i < l->file->count; i++)
        if (!strcmp(l->file->tensors[i].name, name)) return FUM_OK;
    struct fum_view own = *view;
    // Attention over pixels has linear layers here, where the original VAE has convolutions.
    if (own.rank == 4 && strstr(name, ".to_")) own.rank = 2;
    return fum_convert_add(c, l->file, name, &own);
}

static enum fum_result write_component(struct folder *f,
                                       const struct fum_model_component *component) {
    struct fum_convert_file file = {0};
    char key[128];
    snprintf(key, sizeof key, FUM_EMBEDDED_BARE "%s", component->name);
    struct listing l = {&file, fum_loader_metadata(component->loader, key) != NULL,
                        folder_layers(f->model, component)};
    enum fum_result result = fum_convert_each_weight(f->c, f->model, component, add_weight, &l);
    if (!result) result = write_weights(f, component->name, &file);
    fum_convert_free_file(&file);
    return result;
}

// True for the name of a file in the folder or in one of its folders.
static bool is_plain_name(const char *name) {
    int slashes = 0;
    if (!*name || *name == '.' || *name == '/') return false;
    for (const char *p = name; *p; p++) {
        bool letter = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                      (*p >= '0' && *p <= '9') || strchr("_-.", *p);
        if (*p == '/' && (++slashes > 1 || p[1] == '.' || !p[1])) return false;
        if (*p != '/' && !letter) return false;
    }
    return true;
}

// Restores the small files that were embedded. *restored: there are such.
static enum fum_result restore_files(struct folder *f, bool *restored) {
    const fum_loader *loader = f->model->file;
    const char *key, *value;
    enum fum_result result = FUM_OK;
    for (size_t i = 0; !result && (value = fum_loader_text(loader, i, &key)); i++) {
        if (strncmp(key, FUM_EMBEDDED_FILE, strlen(FUM_EMBEDDED_FILE))) continue;
        const char *name = key + strlen(FUM_EMBEDDED_FILE);
        if (!is_plain_name(name) || is_weights(name)) continue;
        *restored = *restored || !strcmp(name, "model_index.json");
        result = write_text(f, name, value, strlen(value));
    }
    return result;
}

// Writes a component's configuration with the class that diffusers and transformers look for.
static enum fum_result write_config(struct folder *f, const struct fum_model_component *component) {
    bool text = !strncmp(component->name, "text_encoder", 12);
    cJSON *json = cJSON_Duplicate(component->config, true);
    const char *name = fum_arena_printf(f->c->arena, "%s/config.json", component->name);
    bool good = json && name;
    if (good && !cJSON_HasObjectItem(json, text ? "model_type" : "_class_name"))
        good = cJSON_AddStringToObject(json, text ? "model_type" : "_class_name",
                                       text ? "clip_text_model" : component->class_name) != NULL;
    cJSON *layers = cJSON_GetObjectItemCaseSensitive(json, "num_hidden_layers");
    if (layers) cJSON_SetNumberValue(layers, folder_layers(f->model, component));
    enum fum_result result = good ? write_json(f, name, json) : fum_convert_no_memory(f->c);
    cJSON_Delete(json);
    return result;
}

static bool add_entry(cJSON *index, const char *name, const char *library, const char *class_name) {
    const char *const pair[] = {library, class_name};
    cJSON *list = cJSON_CreateStringArray(pair, 2);
    if (list && cJSON_AddItemToObject(index, name, list)) return true;
    cJSON_Delete(list);
    return false;
}

static enum fum_result write_index(struct folder *f, const struct fum_checkpoint *checkpoint) {
    const fum_model *model = f->model;
    const char *scheduler = fum_json_string(checkpoint->scheduler, "_class_name", "PNDMScheduler");
    cJSON *index = cJSON_CreateObject();
    bool good = index &&
                cJSON_AddStringToObject(index, "_class_name", checkpoint->family->class_name) &&
                add_entry(index, "scheduler", "diffusers", scheduler);
    if (good && model->view.low_res.reads)
        good = add_entry(index, "low_res_scheduler", "diffusers", "DDPMScheduler");
    for (int i = 0; i < model->num_components && good; i++) {
        const struct fum_model_component *component = &model->components[i];
        bool text = !strncmp(component->name, "text_encoder", 12);
        good = add_entry(index, component->name, text ? "transformers" : "diffusers",
                         component->class_name);
        const char *tokenizer =
            strcmp(component->name, "text_encoder") ? "tokenizer_2" : "tokenizer";
        if (good && text) good = add_entry(index, tokenizer, "transformers", "CLIPTokenizer");
    }
    enum fum_result result =
        good ? write_json(f, "model_index.json", index) : fum_convert_no_memory(f->c);
    cJSON_Delete(index);
    return result;
}

// Writes the settings of the schedulers.
static enum fum_result write_schedulers(struct folder *f, const struct fum_checkpoint *checkpoint) {
    enum fum_result result =
        write_json(f, "scheduler/scheduler_config.json", checkpoint->scheduler);
    if (result || !f->model->view.low_res.reads) return result;
    cJSON *low = fum_model_low_res_config();
    result = low ? write_json(f, "low_res_scheduler/scheduler_config.json", low)
                 : fum_convert_no_memory(f->c);
    cJSON_Delete(low);
    return result;
}

// Writes the vocabulary of a text encoder, which is CLIP's.
static enum fum_result write_tokenizer(struct folder *f, const char *dir, bool openclip) {
    struct fum_clip_files files = {0};
    enum fum_result result = fum_clip_files_make(&files, openclip ? "!" : NULL, f->c->err);
    for (size_t i = 0; i < FUM_CLIP_FILES && !result; i++) {
        const char *name = fum_arena_printf(f->c->arena, "%s/%s", dir, files.files[i].name);
        result = name ? write_text(f, name, files.files[i].text, strlen(files.files[i].text))
                      : fum_convert_no_memory(f->c);
    }
    fum_clip_files_free(&files);
    return result;
}

static enum fum_result write_tokenizers(struct folder *f, const struct fum_checkpoint *checkpoint) {
    enum fum_result result = FUM_OK;
    for (int i = 0; i < FUM_MODEL_MAX_TEXT && !result; i++) {
        const struct fum_model_role *role = &fum_model_roles[i];
        const char *merges =
            fum_arena_printf(f->c->arena, "%s/%s/merges.txt", f->built, role->tokenizer);
        if (!merges) return fum_convert_no_memory(f->c);
        if (!fum_model_find_component(f->model, role->name) || fum_path_may_exist(merges)) continue;
        result = write_tokenizer(f, role->tokenizer, checkpoint->family->file.text[i].openclip);
    }
    return result;
}

static enum fum_result write_of_file(struct folder *f) {
    struct fum_checkpoint checkpoint = {0};
    const fum_model *model = f->model;
    bool restored = false;
    enum fum_result result = fum_checkpoint_detect(&checkpoint, model->file, f->c->err);
    if (!result) result = restore_files(f, &restored);
    for (int i = 0; i < model->num_components && !result; i++) {
        if (!restored) result = write_config(f, &model->components[i]);
        if (!result) result = write_component(f, &model->components[i]);
    }
    if (!result && !restored) result = write_index(f, &checkpoint);
    if (!result && !restored) result = write_schedulers(f, &checkpoint);
    if (!result) result = write_tokenizers(f, &checkpoint);
    fum_checkpoint_free(&checkpoint);
    return result;
}

// ---- places ----

bool fum_convert_same_path(const char *a, const char *b) {
    struct fum_file_identity x, y;
    return fum_file_identify(a, &x) && fum_file_identify(b, &y) && x.device == y.device &&
           x.file == y.file && x.name == y.name;
}

enum fum_result fum_convert_check_outside(fum_arena *arena, const char *path, const char *model,
                                          struct fum_error *err) {
    char *above = fum_arena_strdup(arena, path);
    if (!above) return fum_error_set(err, FUM_ERR_NOMEM, "no memory to write %s", path);
    for (bool more = true; more;) {
        if (fum_convert_same_path(*above ? above : ".", model))
            return fum_error_set(err, FUM_ERR_ARG,
                                 "cannot write %s: it lies in the model %s; name another folder",
                                 path, model);
        char *slash = strrchr(above, '/');
        more = slash ? slash > above : *above != 0;
        if (more) *(slash ? slash : above) = 0;
    }
    return FUM_OK;
}

// Refuses a place where something is. An empty folder is replaced.
static enum fum_result check_place(const struct folder *f, const char *path, const char *why) {
    struct fum_path_names names = {0};
    enum fum_result result = FUM_OK;
    if (!fum_path_may_exist(path)) return FUM_OK;
    if (fum_path_is_dir(path)) result = fum_path_list(f->c->arena, path, &names, f->c->err);
    if (result || (fum_path_is_dir(path) && !names.count)) return result;
    return fum_error_set(f->c->err, FUM_ERR_IO, "cannot write %s: it is there%s",
                         fum_text_show(path).text, why);
}

static enum fum_result put_in_place(const struct folder *f) {
    if (fum_path_is_dir(f->path)) fum_path_remove(f->path, NULL); // which is empty
    if (!rename(f->built, f->path)) return FUM_OK;
    return fum_error_set(f->c->err, FUM_ERR_IO, "cannot write %s: %s", fum_text_show(f->path).text,
                         strerror(errno));
}

enum fum_result fum_convert_to_folder(struct fum_converter *c, const fum_model *model,
                                      const char *path) {
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/') length--;
    struct folder f = {.c = c,
                       .model = model,
                       .path = fum_arena_printf(c->arena, "%.*s", (int)length, path),
                       .built = fum_arena_printf(c->arena, "%.*s.part", (int)length, path)};
    if (!f.path || !f.built) return fum_convert_no_memory(c);
    enum fum_result result =
        model->folder ? fum_convert_check_outside(c->arena, f.path, model->info.path, c->err)
                      : FUM_OK;
    if (!result) result = check_place(&f, f.path, "; name a new folder");
    if (!result)
        result = check_place(&f, f.built,
                             ", of a conversion that runs or was interrupted; remove it if none "
                             "runs");
    if (!result) result = make_dir(&f, f.built);
    if (!result) result = model->folder ? write_of_folder(&f) : write_of_file(&f);
    if (!result) result = put_in_place(&f);
    if (result) remove_made(&f);
    fum_free(f.made);
    return result;
}
