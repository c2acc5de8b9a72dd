// SPDX-License-Identifier: MIT
// Finds the folder or file that a model's name means.
#ifndef FUM_MODEL_FIND_H
#define FUM_MODEL_FIND_H

#include <fumarole/model.h>

#include "base/alloc.h"

// Returns params->path if it exists, the whole diffusers folder where it is a part of one, or the
// shipped model of that name. params may be NULL. NULL when memory is out; the answer is in the
// arena.
const char *fum_model_find_path(fum_arena *arena, const struct fum_model_params *params);
// Returns the last part of the path.
const char *fum_model_path_name(fum_arena *arena, const char *path);

#endif
