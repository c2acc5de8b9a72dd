// SPDX-License-Identifier: MIT
// Loads a model's tokenizer without opening the model.
#include "base/error.h"
#include "base/file.h"
#include "model/components.h"
#include "model/find.h"

enum fum_result fum_model_load_tokenizer(fum_tokenizer **tokenizer,
                                         const struct fum_model_params *params,
                                         struct fum_error *err) {
    const char *path, *dir;
    *tokenizer = NULL;
    fum_arena *arena = fum_arena_create();
    if (!arena) return fum_error_set(err, FUM_ERR_NOMEM, "no memory to find a tokenizer");
    enum fum_result result = fum_model_find(&path, arena, params, err);
    if (result) goto done;
    if (!fum_path_is_dir(path))
        result = fum_tokenizer_load_clip(tokenizer, NULL, NULL, err);
    else if ((dir = fum_path_join(arena, path, fum_model_roles[0].tokenizer)))
        result = fum_tokenizer_load_dir(tokenizer, dir, err);
    else
        result = fum_error_set(err, FUM_ERR_NOMEM, "no memory to find a tokenizer");
done:
    fum_arena_destroy(&arena);
    return result;
}
