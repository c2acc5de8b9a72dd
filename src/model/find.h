// SPDX-License-Identifier: MIT
// Finds the folder or file that a model's name means.
#ifndef FUM_MODEL_FIND_H
#define FUM_MODEL_FIND_H

#include <fumarole/model.h>

#include "base/alloc.h"

// Stores the path of the model, in the arena: params->path if it exists, or a shipped model's. A
// component of a diffusers folder stands for the whole, and a folder with one file for that file.
// `params` may be NULL. FUM_ERR_IO if no
// model was found.
enum fum_result fum_model_find(const char **path, fum_arena *arena,
                               const struct fum_model_params *params, struct fum_error *err);
// Returns the last part of the path.
const char *fum_model_path_name(fum_arena *arena, const char *path);

// Returns the snapshot that refs/main names in a folder of the Hugging Face cache,
// "models--owner--name". NULL: the path is no such folder, or names none.
const char *fum_model_snapshot(fum_arena *arena, const char *path);

#endif
