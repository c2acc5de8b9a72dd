// SPDX-License-Identifier: MIT
// Saves a folder like that of the model that the training began with, with what was trained.
#include "train/training.h"

#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "io/folder.h"
#include "model/components.h"

static enum fum_result no_memory(struct fum_error *err) {
    return fum_error_set(err, FUM_ERR_NOMEM, "no memory to save a model");
}

// True if the file holds weights, or lists files that do.
static bool is_weights(const char *name) {
    return fum_text_ends_with(name, ".safetensors") || fum_text_ends_with(name, ".bin") ||
           fum_text_ends_with(name, ".index.json") ||
           fum_text_ends_with(name, ".index.fp16.json") || fum_text_ends_with(name, ".msgpack");
}

// True if a parameter of the component is trained.
static bool is_trained(const struct fum_training *t, const char *component) {
    size_t length = strlen(component);
    for (int i = 0; i < t->now->num_trained; i++) {
        const char *name = fum_tensor_name(t->now->network[i]);
        if (!strncmp(name, component, length) && name[length] == '.') return true;
    }
    return false;
}

enum fum_result fum_train_copy_folder(struct fum_training *t, const char *from, const char *to,
                                      bool weights, struct fum_error *err) {
    struct fum_path_names names = {0};
    enum fum_result result = fum_path_list(t->arena, from, &names, err);
    if (!result) result = fum_path_make_dirs(to, err);
    for (size_t i = 0; i < names.count && !result; i++) {
        char *source = fum_path_join(t->arena, from, names.names[i]),
             *target = fum_path_join(t->arena, to, names.names[i]);
        if (!source || !target) return no_memory(err);
        bool copied = !fum_path_is_dir(source) && (weights || !is_weights(names.names[i]));
        if (copied) result = fum_file_copy(source, target, err);
    }
    return result;
}

static enum fum_result save_component(struct fum_training *t,
                                      const struct fum_folder_component *component, const char *dir,
                                      struct fum_error *err) {
    bool trained = is_trained(t, component->name);
    const char *file = strncmp(component->name, "text_encoder", 12)
                           ? "diffusion_pytorch_model.safetensors"
                           : "model.safetensors";
    char *folder = fum_path_join(t->arena, dir, component->name),
         *weights = folder ? fum_path_join(t->arena, folder, file) : NULL,
         *prefix = fum_arena_printf(t->arena, "%s.", component->name);
    if (!weights || !prefix) return no_memory(err);
    if (!fum_path_is_dir(component->dir)) return FUM_OK; // a part that no picture needs
    enum fum_result result = fum_train_copy_folder(t, component->dir, folder, !trained, err);
    return result || !trained ? result : fum_train_save_weights(t, weights, prefix, err);
}

// Copies model_index.json and, if there is one, fumarole.json.
static enum fum_result copy_indices(struct fum_training *t, const char *from, const char *dir,
                                    struct fum_error *err) {
    static const char *const names[] = {"model_index.json", "fumarole.json"};
    enum fum_result result = fum_path_make_dirs(dir, err);
    for (size_t i = 0; i < FUM_COUNT(names) && !result; i++) {
        char *source = fum_path_join(t->arena, from, names[i]),
             *target = fum_path_join(t->arena, dir, names[i]);
        if (!source || !target) return no_memory(err);
        if (fum_path_may_exist(source)) result = fum_file_copy(source, target, err);
    }
    return result;
}

bool fum_train_can_save_pipeline(const struct fum_training *t) {
    return t->model->folder != NULL;
}

enum fum_result fum_train_save_pipeline(struct fum_training *t, const char *dir,
                                        struct fum_error *err) {
    const fum_folder *folder = t->model->folder;
    enum fum_result result = copy_indices(t, fum_model_get_info(t->model)->path, dir, err);
    for (size_t i = 0; i < fum_folder_component_count(folder) && !result; i++)
        result = save_component(t, fum_folder_component_at(folder, i), dir, err);
    return result;
}
