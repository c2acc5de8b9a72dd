// SPDX-License-Identifier: MIT
// Opens a diffusers folder: each component brings its configuration and its weight files.
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/text.h"
#include "io/folder.h"
#include "model/checkpoint.h"
#include "model/classifier.h"
#include "model/components.h"
#include "model/family.h"

#include <stdio.h>
#include <string.h>

// Adds the components of a pipeline that this build does not run, only to be listed.
static enum fum_result list_folder(fum_model *model, struct fum_error *err) {
    struct fum_error why = {0};
    enum fum_result result = FUM_OK;
    for (size_t i = 0; i < fum_folder_component_count(model->folder) && !result; i++) {
        const struct fum_folder_component *component = fum_folder_component_at(model->folder, i);
        if (!component->weights || model->num_components == FUM_MODEL_MAX_COMPONENTS) continue;
        struct fum_model_component *file = &model->components[model->num_components++];
        *file = (struct fum_model_component){.name = component->name,
                                             .class_name = component->class_name,
                                             .file = component->weights};
        result = fum_loader_open(&file->own_loader, component->weights, err);
        file->loader = file->own_loader;
    }
    if (result) return result;
    const char *class_name = fum_folder_class(model->folder);
    model->info.family = class_name;
    if (!*class_name)
        return fum_error_set(err, FUM_ERR_FORMAT, "%s/model_index.json: has no \"_class_name\"",
                             model->info.path);
    fum_error_set(&why, FUM_ERR_UNSUPPORTED,
                  "%s: a %s, which is none of the pipelines that generate can use yet",
                  model->info.path, fum_text_show(class_name).text);
    return fum_model_set_unusable(model, &why, err);
}

// Reads the scheduler. The class that model_index.json names goes before the one in the scheduler's
// own file, as in diffusers.
static enum fum_result read_scheduler(fum_model *model,
                                      const struct fum_folder_component *component,
                                      struct fum_error *err) {
    struct fum_sample_config *c = &model->view.schedule;
    enum fum_result result =
        component->config ? fum_sample_config_read(c, component->config, err) : FUM_OK;
    if (result) return result;
    if (component->class_name)
        snprintf(c->class_name, sizeof c->class_name, "%s", component->class_name);
    if (c->ignored[0])
        fum_log(&model->log, FUM_LOG_WARN,
                "%s: the scheduler's settings are not all supported; ignored: %s", model->info.path,
                c->ignored);
    return FUM_OK;
}

// Opens the component of a role; one that is not required may be missing.
static enum fum_result open_role(fum_model *model, const struct fum_model_role *role,
                                 struct fum_error *err) {
    enum fum_family_kind kind = fum_family_kind_of(fum_folder_class(model->folder));
    if (!(role->kinds & (1u << kind))) return FUM_OK;
    const struct fum_folder_component *component =
        role->required ? fum_folder_require(model->folder, role->name, err)
                       : fum_folder_component(model->folder, role->name);
    if (!component) return role->required ? FUM_ERR_FORMAT : FUM_OK;
    return fum_model_add_component(
        model,
        &(struct fum_model_component){.name = component->name,
                                      .class_name = component->class_name,
                                      .file = component->weights,
                                      .config = component->config},
        err);
}

// True if config.json in the folder has the class.
static bool has_class(fum_model *model, const char *class_name) {
    const char *path = fum_path_join(model->arena, model->info.path, "config.json");
    cJSON *config = NULL;
    if (!path || fum_json_read(&config, path, NULL)) return false;
    bool has = !strcmp(fum_json_string(config, "_class_name", ""), class_name);
    cJSON_Delete(config);
    return has;
}

// Reports what a folder with the weights of one network is, such as a ControlNet or an adapter.
static enum fum_result refuse_network(fum_model *model, struct fum_error *err) {
    static const char *const adapters[] = {"adapter_model.safetensors", "adapter_model.bin"};
    const char *dir = model->info.path, *weights = NULL, *other = NULL;
    fum_loader *loader = NULL;
    for (int i = 0; i < 2 && !weights; i++) {
        const char *path = fum_path_join(model->arena, dir, adapters[i]);
        if (path && fum_path_may_exist(path)) weights = path;
    }
    if (!weights && fum_folder_find_weights(model->arena, dir, NULL, &weights, NULL)) return FUM_OK;
    enum fum_result result = fum_loader_open(&loader, weights, err);
    if (!result) result = fum_checkpoint_refuse_others(&other, loader, err);
    fum_loader_close(&loader);
    return result;
}

// Returns the weights that an entry of a folder is or, being a folder of PEFT, holds. NULL: none.
static const char *find_weights(fum_model *model, const char *path) {
    static const char *const endings[] = {".safetensors", ".pt", ".pth", ".bin", ".ckpt", ".gguf"};
    if (fum_path_is_dir(path))
        path = fum_path_join(model->arena, path, "adapter_model.safetensors");
    for (size_t i = 0; path && i < FUM_COUNT(endings); i++)
        if (fum_text_ends_with(path, endings[i]) && fum_path_may_exist(path)) return path;
    return NULL;
}

// Reports what the first file of weights in a folder of several is, and where it can be given.
static enum fum_result refuse_entries(fum_model *model, struct fum_error *err) {
    enum { MOST = 100 };
    const char *dir = model->info.path;
    enum fum_result result = FUM_OK;
    struct fum_path_names names;
    if (fum_path_list(model->arena, dir, &names, NULL)) return FUM_OK;
    for (size_t i = 0; i < names.count && i < MOST && !result; i++) {
        const char *path = fum_path_join(model->arena, dir, names.names[i]), *other = NULL;
        fum_loader *loader = NULL;
        path = path ? find_weights(model, path) : NULL;
        if (!path || fum_loader_open(&loader, path, NULL)) continue;
        result = fum_checkpoint_refuse_others(&other, loader, err);
        if (!result)
            result = fum_error_set(err, FUM_ERR_UNSUPPORTED,
                                   "%s: give this file if it is the model", path);
        fum_error_prefix(err, "%s is a folder of files", dir);
        fum_loader_close(&loader);
    }
    return result;
}

// Reports what other folders are: one network, a training's, or several files.
static enum fum_result refuse_others(fum_model *model, struct fum_error *err) {
    const char *log = fum_path_join(model->arena, model->info.path, "log.jsonl");
    if (fum_folder_is(model->info.path)) return FUM_OK;
    if (has_class(model, fum_classifier_class))
        return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                             "%s: this is a classifier, give it to --classifier, beside a model",
                             model->info.path);
    enum fum_result result = refuse_network(model, err);
    if (result) return result;
    if (!log || !fum_path_may_exist(log)) return refuse_entries(model, err);
    return fum_error_set(err, FUM_ERR_UNSUPPORTED, "%s: this training has saved no model yet",
                         model->info.path);
}

enum fum_result fum_model_open_folder(fum_model *model, struct fum_error *err) {
    enum fum_result other = refuse_others(model, err);
    if (other) return other;
    enum fum_result result = fum_folder_open(&model->folder, model->info.path, model->variant, err);
    if (result) return result;
    if (!fum_family_class(fum_folder_class(model->folder))) return list_folder(model, err);
    for (int i = 0; i < FUM_MODEL_ROLES && !result; i++)
        result = open_role(model, &fum_model_roles[i], err);
    for (int i = 0; i < FUM_MODEL_MAX_TEXT && !result; i++) {
        const struct fum_folder_component *component =
            fum_folder_component(model->folder, fum_model_roles[i].tokenizer);
        if (component) result = fum_tokenizer_load_dir(&model->tokenizers[i], component->dir, err);
    }
    const struct fum_folder_component *scheduler = fum_folder_component(model->folder, "scheduler");
    if (!result && scheduler) result = read_scheduler(model, scheduler, err);
    return result;
}
