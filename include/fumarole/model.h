// SPDX-License-Identifier: MIT
// Models: checkpoints as people have them, opened and understood, but not yet on a device.
#ifndef FUMAROLE_MODEL_H
#define FUMAROLE_MODEL_H

#include <fumarole/core.h>

#ifdef __cplusplus
extern "C" {
#endif

// A checkpoint: its family, its parts' configurations, its tokenizers, its mapped weight files.
// Immutable once open, so any number of threads and pipelines may share it; it must outlive them.
typedef struct fum_model fum_model;

struct fum_model_params {
    // A diffusers folder, a single .safetensors file in the original layout, or the name of a
    // shipped model; NULL is the shipped model "emoji".
    const char *path;
    // where shipped models are; NULL: $FUMAROLE_MODELS, then the installed place
    const char *models_dir;
    const char *prediction;    // "epsilon", "v_prediction", "sample"; NULL: what the model says
    const struct fum_log *log; // kept; may be NULL
};

// Reads configurations and maps weight files; tensors are checked when they are used or by
// fum_model_check. params may be NULL. Free with fum_model_destroy.
FUM_API enum fum_result fum_model_open(fum_model **model, const struct fum_model_params *params,
                                       struct fum_error *err);
FUM_API void fum_model_destroy(fum_model **model);

// What a model is and what it likes; strings belong to the model, numbers are never 0 unless said.
struct fum_model_info {
    const char *path;
    const char *name;        // "emoji", or the last part of the path
    const char *family;      // "Stable Diffusion 1.x"
    const char *description; // "" when the model says nothing; likewise the next two
    const char *license, *origin;
    const char *prediction; // "epsilon", "v_prediction", "sample"
    const char *sampler;    // the default
    // The scheduler class of the model's files if no sampler here stands for it, and `sampler`
    // therefore is the family's; else NULL.
    const char *unknown_scheduler;
    int width, height; // default, in pixels
    int size_multiple; // width and height must be multiples of it
    int steps;
    float guidance;
    int clip_skip;   // what --clip-skip means when it is not given: 1 is the last layer
    int num_prompts; // prompts that the model is known to draw; 0: it says none
    // Why fum_pipeline_create refuses the model, in one line, such as a UNet that also reads a
    // picture; NULL: it can draw. Of a pipeline that this build does not know, only the texts and
    // the parts are set.
    const char *unusable;
};
FUM_API const struct fum_model_info *fum_model_get_info(const fum_model *model);
// The index-th known prompt; NULL past the last.
FUM_API const char *fum_model_prompt(const fum_model *model, int index);
// Stores up to `capacity` prompts to try when the model lists its prompts and knows no word of
// `prompt`: those with words of the same stem or nearly the same spelling. They are the model's
// strings. Returns how many; 0: nothing is similar.
FUM_API int fum_model_suggest(const fum_model *model, const char *prompt, const char **suggestions,
                              int capacity);
// Writes the words of `prompt` that the model never saw, separated by commas, when they are most of
// it. Returns how many there are. 0: most are known, the model lists nothing, or the prompt is one
// or two words like none of its own. `size` is at least FUM_MODEL_UNKNOWN_BYTES; a longer list ends
// in "…".
#define FUM_MODEL_UNKNOWN_BYTES 64
FUM_API int fum_model_unknown_words(const fum_model *model, const char *prompt, char *list,
                                    size_t size);

// One part of a model: "unet", "vae", "text_encoder", "text_encoder_2".
struct fum_model_part {
    const char *name;
    const char *class_name; // "UNet2DConditionModel"
    const char *file;       // where its weights are
    int tensors;            // in the file, of this part
    uint64_t parameters;    // elements of them
    uint64_t bytes;
    int dtypes[FUM_DTYPE_COUNT]; // how many tensors of each type
    int unknown;                 // how many of types that are not read
};
// False past the last part.
FUM_API bool fum_model_get_part(const fum_model *model, int index, struct fum_model_part *part);

enum fum_model_problem {
    FUM_MODEL_MISSING = 0, // a tensor that the model needs is not there
    FUM_MODEL_MISSHAPEN,   // it has another shape
    FUM_MODEL_UNMATCHED,   // a tensor that nothing asks for
};
// Checks every tensor of every part against its configuration; `fn` gets each problem. Returns
// FUM_ERR_FORMAT when something is missing or misshapen.
FUM_API enum fum_result fum_model_check(const fum_model *model,
                                        void (*fn)(void *user, enum fum_model_problem problem,
                                                   const char *part, const char *tensor,
                                                   const char *detail),
                                        void *user, struct fum_error *err);

#ifdef __cplusplus
}
#endif

#endif
