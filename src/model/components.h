// SPDX-License-Identifier: MIT
// Declares what an open model owns, for the files that open it and check it.
#ifndef FUM_MODEL_COMPONENTS_H
#define FUM_MODEL_COMPONENTS_H

#include "base/alloc.h"
#include "io/folder.h"
#include "io/loader.h"
#include "model/family.h"
#include "model/model.h"
#include "model/names.h"

struct fum_checkpoint;

enum { FUM_MODEL_MAX_COMPONENTS = 8, FUM_MODEL_ROLES = 5 };

// A component that the pipeline runs, by its name in model_index.json.
struct fum_model_role {
    const char *name;
    const char *tokenizer; // of a text encoder: its tokenizer's name
    bool required;
    unsigned kinds; // of families that have it, a bit for each enum fum_family_kind
};
// The text encoders first, FUM_MODEL_MAX_TEXT of them.
extern const struct fum_model_role fum_model_roles[FUM_MODEL_ROLES];

// A component with weights, and where they are.
struct fum_model_component {
    const char *name, *class_name, *file;
    const char *where;        // names the configuration in errors
    const cJSON *config;      // the folder's, or own_config
    cJSON *own_config;        // of a single file: derived from its tensors
    const fum_loader *loader; // own_loader, or the single file's
    fum_loader *own_loader;
    fum_names *names;
};

struct fum_model {
    fum_arena *arena;
    struct fum_log log;
    struct fum_model_info info;
    struct fum_model_view view;
    // known already when the file was recognised by its tensors; else NULL
    const struct fum_family *family;
    fum_folder *folder; // one of these two
    fum_loader *file;
    bool of_folder; // a single file that was made of a folder and carries its configurations
    // the single file's tensors name its scheduler, used before the family's sampler
    bool own_scheduler;
    const char *variant; // of weight files; NULL: see fum_folder_find_weights
    bool partial;        // components are given apart, so the file may lack some
    int num_components;
    struct fum_model_component components[FUM_MODEL_MAX_COMPONENTS];
    int num_replaced; // components in whose place others were given
    struct fum_model_component replaced[FUM_MODEL_MAX_COMPONENTS];
    fum_tokenizer *tokenizers[2];
    struct fum_embeddings *embeddings; // NULL: none
    const char **prompts;
};

// Adds a component with the names, file, configurations and loader of `like`; own_config becomes
// the model's, on failure too. Opens the file if `like` has no loader. Derives `where` if it is
// NULL.
enum fum_result fum_model_add_component(fum_model *model, const struct fum_model_component *like,
                                        struct fum_error *err);
// Adds a tensor of a file to the numbers of a component.
void fum_model_count_tensor(struct fum_component_info *info, const struct fum_loader_tensor *t);
// Keeps why the model cannot draw; it can still be listed.
enum fum_result fum_model_set_unusable(fum_model *model, const struct fum_error *why,
                                       struct fum_error *err);
// Returns the component of that name; NULL if the model has none.
const struct fum_model_component *fum_model_find_component(const fum_model *model,
                                                           const char *name);
// Fills the model from info.path, a diffusers folder. fum_model_open_file: from a single file in
// the original layout.
enum fum_result fum_model_open_folder(fum_model *model, struct fum_error *err);
enum fum_result fum_model_open_file(fum_model *model, struct fum_error *err);
// Takes over the scheduler of a single file, its own or its family's.
enum fum_result fum_model_take_scheduler(fum_model *model, const struct fum_checkpoint *checkpoint,
                                         struct fum_error *err);
// Describes the small picture that the UNet reads beside its latents, if it does.
enum fum_result fum_model_read_low_res(fum_model *model, struct fum_error *err);
// Returns the settings of the scheduler that noises the small picture, as diffusers has them for
// single files. NULL when memory is out.
cJSON *fum_model_low_res_config(void);
// Opens info.path as the folder of one autoencoder, without model_index.json. *found: it is one. A
// VQModel may have a prior, then the model's family is set.
enum fum_result fum_model_open_autoencoder(fum_model *model, bool *found, struct fum_error *err);
// Reads the configuration of a VQModel.
enum fum_result fum_model_parse_vqvae(fum_model *model, const struct fum_model_component *component,
                                      struct fum_error *err);
// Adds all of a component for a small picture, whatever a run would need of it, to see its weights.
void fum_model_build_component(fum_graph *graph, const fum_model *model, const char *name);

#endif
