// SPDX-License-Identifier: MIT
// Describes files that hold no whole model. They hold an adapter, an embedding, a VAE, a
// ControlNet, a network that enlarges pictures, or one component of a model.
#ifndef FUMAROLE_CONTENTS_H
#define FUMAROLE_CONTENTS_H

#include <fumarole/core.h>
#include <fumarole/model.h>

#ifdef __cplusplus
extern "C" {
#endif

// An open file and what it holds. Never changes once open.
typedef struct fum_contents fum_contents;

// One more thing that is known, such as an adapter's rank.
struct fum_contents_fact {
    const char *name; // "rank"
    const char *text; // "16"
    bool number;      // the text is a number
};

// Strings belong to the contents.
struct fum_contents_info {
    const char *path; // of the file
    const char *name; // the last part of the path
    // "adapter", "embedding", "vae", "controlnet", "t2i_adapter", "upscaler", "unet",
    // "text_encoder"
    const char *kind;
    const char *title;                 // "LoRA"
    struct fum_component_info tensors; // all of the file
    const struct fum_contents_fact *facts;
    int num_facts;
};

// Opens a file, or a folder of one component or adapter. *contents is NULL if it holds nothing of
// that kind, so that it may be a model. Errors: those of the file's reader, FUM_ERR_NOMEM.
FUM_API enum fum_result fum_contents_open(fum_contents **contents, const char *path,
                                          struct fum_error *err);
FUM_API void fum_contents_close(fum_contents **contents);
FUM_API const struct fum_contents_info *fum_contents_get_info(const fum_contents *contents);
// Returns the index-th text that the file carries about itself, and its key; NULL past the last.
FUM_API const char *fum_contents_metadata(const fum_contents *contents, int index,
                                          const char **key);

#ifdef __cplusplus
}
#endif

#endif
