// SPDX-License-Identifier: MIT
// Opens checkpoints as people have them, and describes them. They are not yet on a device.
#ifndef FUMAROLE_MODEL_H
#define FUMAROLE_MODEL_H

#include <fumarole/core.h>
#include <fumarole/tensor.h>
#include <fumarole/tokenizer.h>

#ifdef __cplusplus
extern "C" {
#endif

// A checkpoint: its family, its components' configurations, its tokenizers, its open weight
// files. Never changes once open, so any number of threads and pipelines may share it. Must outlive
// them.
typedef struct fum_model fum_model;

struct fum_model_params {
    // A diffusers folder, a single file in the original layout, or the name of a shipped model. The
    // file is a .safetensors, a GGUF file, or a pickle of torch, of which nothing is run. A
    // component's folder or file stands for its diffusers folder. NULL: the shipped model "emoji".
    const char *path;
    // Folders of shipped models, searched in this order: models_dir, $FUMAROLE_MODELS, the share
    // folder beside program_dir or the sources above it, the installed place. Each may be NULL.
    const char *models_dir;
    const char *program_dir;   // of the running program, with "/" between its parts
    const char *prediction;    // "epsilon", "v_prediction", "sample"; NULL: as the model states
    const struct fum_log *log; // kept; may be NULL
    // A folder of textual inversions (.safetensors, .pt): each file's name, without its ending, is
    // a word of prompts for the vectors in it. NULL: none.
    const char *embeddings_dir;
    // Prefers files of components with this in their names, as "fp16" in "model.fp16.safetensors".
    // NULL: the plain files, others if there are no plain ones.
    const char *weights_variant;
    // Components that replace those of `path`. Each is a file with names of diffusers, transformers
    // or the original layout, a component's folder, or a whole model that has it. `path` may be
    // NULL beside a diffusion_model: then they make the model. Each may be NULL.
    const char *diffusion_model; // the UNet
    const char *clip_l, *clip_g; // the first and the second text encoder
    const char *vae;
    const char *taesd; // a small autoencoder, in place of the VAE
};

// Reads configurations and opens weight files. Tensors are checked when they are used, or by
// fum_model_check. `params` may be NULL. Free it with fum_model_destroy. Errors: FUM_ERR_IO,
// FUM_ERR_FORMAT, FUM_ERR_UNSUPPORTED, FUM_ERR_ARG, FUM_ERR_NOMEM.
FUM_API enum fum_result fum_model_open(fum_model **model, const struct fum_model_params *params,
                                       struct fum_error *err);
// Opens the model that has this hash, or begins with it: 10 to 64 hexadecimal digits. A file's is
// its SHA-256; a folder's that of its weight files' hashes in the order of their names. It is
// looked for at params->path, in params->models_dir and $FUMAROLE_MODELS, and beside params->path.
// `params` may be NULL.
// Errors: FUM_ERR_IO if there is none, and those of fum_model_open.
FUM_API enum fum_result fum_model_open_hash(fum_model **model,
                                            const struct fum_model_params *params, const char *hash,
                                            struct fum_error *err);
// Stores the hash of an open model as text: 64 digits and NUL. Its weight files are read, or the
// user's cache folder has the hashes of large ones. `go_on` is called now and then, and cancels by
// returning false; it may be NULL. Errors: FUM_ERR_IO, FUM_ERR_CANCELLED, FUM_ERR_NOMEM.
FUM_API enum fum_result fum_model_hash(const fum_model *model, char hash[65],
                                       bool (*go_on)(void *user), void *user,
                                       struct fum_error *err);
FUM_API void fum_model_destroy(fum_model **model);
// Loads the tokenizer of a model without opening the model: a diffusers folder's own for its first
// text encoder, or CLIP's for a file. Free it with fum_tokenizer_destroy. `params` may be NULL.
// Errors: FUM_ERR_IO if no such model was found, and those of fum_tokenizer_load_dir and
// fum_tokenizer_load_clip.
FUM_API enum fum_result fum_model_load_tokenizer(fum_tokenizer **tokenizer,
                                                 const struct fum_model_params *params,
                                                 struct fum_error *err);

// Describes a model and its defaults. Strings belong to the model. Numbers are never 0 unless
// noted.
struct fum_model_info {
    const char *path;
    const char *name;        // "emoji", or the last part of the path
    const char *family;      // "Stable Diffusion 1.x"
    const char *description; // "" if the model has none; likewise the next two
    const char *license, *origin;
    const char *prediction; // "epsilon", "v_prediction", "sample"
    const char *sampler;    // the default
    // The scheduler class of the model's files if no sampler here implements it. `sampler` then is
    // the family's. Else NULL.
    const char *unknown_scheduler;
    int width, height; // default, in pixels
    int size_multiple; // width and height must be multiples of it
    int steps;
    float guidance;
    int clip_skip;   // default of --clip-skip: 1 is the last layer
    int num_prompts; // known prompts of the model; 0: none are listed
    // Why fum_pipeline_create refuses the model, in one line, such as a UNet that also reads a
    // picture. NULL: it can draw. Only the texts and the components of an unknown pipeline are set.
    const char *unusable;
    bool takes_prompt; // false: it draws pictures of a data set, or of classes, without a text
};
FUM_API const struct fum_model_info *fum_model_get_info(const fum_model *model);
// Returns the noise schedule that a sampler of that name (NULL: the model's own) runs on by
// default. NULL: it has none, or there is no such sampler.
FUM_API const char *fum_model_schedule(const fum_model *model, const char *sampler);
// Returns the index-th known prompt, or NULL past the last.
FUM_API const char *fum_model_prompt(const fum_model *model, int index);
// Stores up to `capacity` prompts to suggest, if the model lists its prompts and knows no word of
// `prompt`. They have words of the same stem or nearly the same spelling, and are the model's
// strings. Returns their number. 0: nothing is similar.
FUM_API int fum_model_suggest(const fum_model *model, const char *prompt, const char **suggestions,
                              int capacity);
// Writes the words of `prompt` that the model never saw, separated by commas, if they are most of
// it. Returns their number. 0: most are known, the model lists nothing, or the prompt is one or two
// words unlike any of its own. `size` is at least FUM_MODEL_UNKNOWN_BYTES; a longer list ends in
// "…".
#define FUM_MODEL_UNKNOWN_BYTES 64
FUM_API int fum_model_unknown_words(const fum_model *model, const char *prompt, char *list,
                                    size_t size);

// Describes a component of a model: "unet", "vae", "text_encoder" or "text_encoder_2".
struct fum_component_info {
    const char *name;
    const char *class_name; // "UNet2DConditionModel"
    const char *file;       // path of its weights
    int tensors;            // in the file, of this component
    uint64_t parameters;    // elements of all tensors
    uint64_t bytes;
    int dtypes[FUM_DTYPE_COUNT]; // number of tensors of each type of elements
    int blocks[FUM_BLOCK_TYPES]; // and in each type of blocks, see fum_block_name
    int unknown;                 // number of tensors of unsupported types
};
// Stores the index-th component. Returns false past the last one.
FUM_API bool fum_model_get_component(const fum_model *model, int index,
                                     struct fum_component_info *info);

enum fum_model_problem {
    FUM_MODEL_MISSING = 0, // a required tensor is missing
    FUM_MODEL_MISSHAPEN,   // it has another shape
    FUM_MODEL_UNMATCHED,   // a tensor that nothing uses
};
// Checks every tensor of every component against its configuration. Calls `fn` for each problem, on
// the calling thread. Returns FUM_ERR_FORMAT if a tensor is missing or misshapen.
FUM_API enum fum_result fum_model_check(const fum_model *model,
                                        void (*fn)(void *user, enum fum_model_problem problem,
                                                   const char *component, const char *tensor,
                                                   const char *detail),
                                        void *user, struct fum_error *err);

#ifdef __cplusplus
}
#endif

#endif
