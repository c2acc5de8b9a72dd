// SPDX-License-Identifier: MIT
// A model in the diffusers folder format: model_index.json names the components, each component is
// a folder with its configuration and its weights. Only the small files are read here; weights are
// opened by fum_loader_open.
#ifndef FUM_IO_FOLDER_H
#define FUM_IO_FOLDER_H

#include "base/file.h"
#include "base/json.h"

typedef struct fum_folder fum_folder;

// One entry of model_index.json that is not null. Everything belongs to the folder.
struct fum_folder_component {
    const char
        *name; // "unet", "vae", "text_encoder", "text_encoder_2", "scheduler", "tokenizer", …
    const char *library;    // "diffusers", "transformers"
    const char *class_name; // "UNet2DConditionModel"
    const char *dir;        // its folder
    // config.json (scheduler_config.json of a scheduler); NULL when there is none
    const cJSON *config;
    const char *weights; // file to give to fum_loader_open; NULL for components without weights
};

// Reads model_index.json, the components' configurations and fumarole.json, and chooses weight
// files. `variant` ("fp16", …) is preferred if it exists; NULL prefers the plain file, then fp16,
// then bf16. UNet, VAE, text encoders, tokenizers and scheduler must be there if the index names
// them, with weights. Immutable once open.
enum fum_result fum_folder_open(fum_folder **folder, const char *path, const char *variant,
                                struct fum_error *err);
void fum_folder_close(fum_folder **folder);

// Returns true if `path` is a folder with a model_index.json.
bool fum_folder_is(const char *path);

const char *fum_folder_class(const fum_folder *folder); // "StableDiffusionPipeline"
const cJSON *fum_folder_index(const fum_folder *folder);
// Returns fumarole.json; NULL if the folder has none.
const cJSON *fum_folder_settings(const fum_folder *folder);

size_t fum_folder_component_count(const fum_folder *folder);
const struct fum_folder_component *fum_folder_component_at(const fum_folder *folder, size_t index);
// Returns the component of that name; NULL if the model has none.
const struct fum_folder_component *fum_folder_component(const fum_folder *folder, const char *name);
// Returns the component of that name. NULL with an error that names it if the model has none.
const struct fum_folder_component *fum_folder_require(const fum_folder *folder, const char *name,
                                                      struct fum_error *err);

// Finds the weight file in one component's folder; *weights is in the arena.
enum fum_result fum_folder_find_weights(fum_arena *arena, const char *dir, const char *variant,
                                        const char **weights, struct fum_error *err);

#endif
