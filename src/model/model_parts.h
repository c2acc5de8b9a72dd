// SPDX-License-Identifier: MIT
// What an open model owns; shared by the files that open it and check it.
#ifndef FUM_MODEL_MODEL_PARTS_H
#define FUM_MODEL_MODEL_PARTS_H

#include "base/alloc.h"
#include "io/folder.h"
#include "io/loader.h"
#include "model/family.h"
#include "model/model.h"
#include "model/names.h"

enum { FUM_MODEL_MAX_PARTS = 8 };

// A part with weights, and where they are.
struct fum_model_file {
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
    // the single file's tensors name its scheduler, used before the family's sampler
    bool own_scheduler;
    int num_parts;
    struct fum_model_file parts[FUM_MODEL_MAX_PARTS];
    fum_tokenizer *tokenizers[2];
    const char **prompts;
};

// Adds a part whose weights are in `file`, or in the loader `shared`.
enum fum_result fum_model_add_part(fum_model *model, const char *name, const char *class_name,
                                   const cJSON *config, const char *file, const fum_loader *shared,
                                   struct fum_error *err);
// Keeps why the model cannot draw; it can still be listed.
enum fum_result fum_model_set_unusable(fum_model *model, const struct fum_error *why,
                                       struct fum_error *err);
// NULL when the model has no such part.
const struct fum_model_file *fum_model_find_part(const fum_model *model, const char *name);
// Fills the model from a single file in the original layout.
enum fum_result fum_model_open_file(fum_model *model, const char *path, struct fum_error *err);
// Adds all of a part, whatever of it a run would need, on a small picture: to see its weights.
void fum_model_build_part(fum_graph *graph, const fum_model *model, const char *name);

#endif
