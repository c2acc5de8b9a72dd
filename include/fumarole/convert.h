// SPDX-License-Identifier: MIT
// Converts models from one kind of file to another, and the types of their weights.
#ifndef FUMAROLE_CONVERT_H
#define FUMAROLE_CONVERT_H

#include <fumarole/core.h>
#include <fumarole/model.h>

#ifdef __cplusplus
extern "C" {
#endif

struct fum_convert_params {
    // A diffusers folder, or a file of weights: .safetensors, GGUF, or a pickle of torch.
    const char *path;
    // Its ending decides: .gguf, .safetensors, or none for a diffusers folder, which must not be
    // there yet. Single files have the names of the original layout. A file that becomes one keeps
    // its names.
    const char *output;
    // fum_convert_type_name: of elements, all floating-point weights have it then. Blocks are only
    // for .gguf, and for matrices of the UNet's attention and feed-forward layers. Convolutions
    // and other matrices become f16, vectors f32. Where rows are no whole blocks, K types fall
    // back to q8_0, or f16. NULL: weights keep their types, as far as the kind of file has them.
    const char *type;
    // Goes before `type`: "regex=type,…". The first rule whose extended regular expression is found
    // in a tensor's name gives its type. NULL: none.
    const char *type_rules;
    const char *models_dir, *program_dir; // as in fum_model_params
    const struct fum_log *log;            // may be NULL
    // Progress of a file in bytes; false cancels. May be NULL.
    bool (*on_progress)(void *user, const char *file, uint64_t done, uint64_t total);
    void *user;
};

// Writes the converted model, which appears only when it is complete. Errors: FUM_ERR_ARG,
// FUM_ERR_IO, FUM_ERR_FORMAT, FUM_ERR_UNSUPPORTED, FUM_ERR_CANCELLED, FUM_ERR_NOMEM.
FUM_API enum fum_result fum_convert(const struct fum_convert_params *params, struct fum_error *err);

// Returns the name of a type that weights can be converted to ("f16", "q4_K"), or NULL past the
// last.
FUM_API const char *fum_convert_type_name(size_t index);

#ifdef __cplusplus
}
#endif

#endif
