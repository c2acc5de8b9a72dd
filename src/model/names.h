// SPDX-License-Identifier: MIT
// Translates the builders' names of tensors (diffusers' and transformers') to those of a file.
//
// A component's own file has the names of diffusers or transformers. A file of a whole model has
// the layout of the original repositories (latent-diffusion, "LDM"); its text encoder may be
// OpenCLIP's. Easy to get wrong:
// - OpenCLIP fuses q, k and v into one tensor.
// - Its text_projection is the transpose of transformers'.
// - LDM's VAE attention holds 1x1 convolutions where diffusers has linear layers.
// - The VAE's up blocks count from the other end.
#ifndef FUM_MODEL_NAMES_H
#define FUM_MODEL_NAMES_H

#include "base/json.h"
#include "io/loader.h"

// The names of one component of a model in one loader. Immutable, so any number of threads may use
// it.
typedef struct fum_names fum_names;

enum { FUM_NAMES_MAX = 512 }; // bytes of a tensor's name

// The name of a tensor in a file. `third` is 0, 1 or 2 if the q, k or v third of its rows is meant,
// else -1.
struct fum_file_name {
    char text[FUM_NAMES_MAX];
    int third;
};

// Finds the layout of "unet", "vae", "text_encoder", "text_encoder_2", "autoencoder" (of fumarole's
// own training) or "vqvae" by the tensors of the file.
// `config` is its configuration in diffusers' form; only the blocks' number, layers and types are
// read. FUM_ERR_FORMAT when the file does not hold the component. The loader must outlive the
// names; `config` need not.
enum fum_result fum_names_create(fum_names **names, const fum_loader *loader, const char *component,
                                 const cJSON *config, struct fum_error *err);
// Gives a UNet's tensors the names of the original layout, whatever its file has. Only for
// fum_names_in_file.
enum fum_result fum_names_create_original(fum_names **names, const fum_loader *loader,
                                          const cJSON *config, struct fum_error *err);
// Where a component lies in a single file of the original layout.
struct fum_names_place {
    const char *component, *prefix;
    bool openclip; // a text encoder that is named as OpenCLIP's
};
// Gives a component's tensors the names of a single file, whatever its own file has. Only for
// fum_names_rename.
enum fum_result fum_names_create_single(fum_names **names, const fum_loader *loader,
                                        const struct fum_names_place *place, const cJSON *config,
                                        struct fum_error *err);
void fum_names_destroy(fum_names **names);

// How a file numbers the layers of a small autoencoder (TAESD).
struct fum_tiny_style {
    const char *decoder, *encoder; // before the numbers; encoder NULL: the file has none
    int shift;                     // of the decoder's numbers against diffusers'
};
// Returns the style of a file; NULL: it holds no small autoencoder.
const struct fum_tiny_style *fum_tiny_find_style(const fum_loader *loader);
// Opens the file of an autoencoder. Where it is half of a small one, with "encoder" or "decoder" in
// its name, the other half beside it belongs to it.
enum fum_result fum_tiny_open(fum_loader **loader, fum_arena *arena, const char *path,
                              struct fum_error *err);

// Finds the decoder's file of a small autoencoder in a folder, such as taesd_decoder.safetensors.
// *file is in the arena, or NULL if there is none.
enum fum_result fum_tiny_find(fum_arena *arena, const char *dir, const char **file,
                              struct fum_error *err);

// Returns what comes before the component's names in the file; NULL: it is not there. *openclip:
// its names are OpenCLIP's.
const char *fum_names_find_prefix(const fum_loader *loader, const char *component, bool *openclip);
// Returns true if fum_names_create would find the component in the file.
bool fum_names_has_component(const fum_loader *loader, const char *component);

// Returns the source for the builders. It is valid as long as the names are.
struct fum_weight_source fum_names_source(const fum_names *names);

// Finds a builder's tensor. *index (may be NULL): the loader's index of the tensor that holds the
// data. Several names may share one tensor (fused q, k, v).
bool fum_names_find(const fum_names *names, const char *name, struct fum_view *view, size_t *index);

// Writes the file's name of a builder's tensor. False: the layout has no such tensor.
bool fum_names_rename(const fum_names *names, const char *name, struct fum_file_name *out);
// Writes the file's name to `text`, for messages. Writes `name` itself if no rule applies.
const char *fum_names_in_file(const fum_names *names, const char *name, char *text, size_t room);

// Returns true if the loader's tensor `index` belongs to this component.
bool fum_names_owns(const fum_names *names, size_t index);
// Returns true if an unused tensor needs no warning: position ids, noise schedules, EMA copies,
// logit scales.
bool fum_names_ignorable(const char *file_name);

#endif
