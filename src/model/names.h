// SPDX-License-Identifier: MIT
// From the tensor names that the builders ask for (diffusers' and transformers') to those of the
// file at hand.
//
// Files come in these layouts: a component's own file as diffusers or transformers write it; one
// file of a whole model in the layout of the original repositories (latent-diffusion, "LDM"), whose
// text encoder may be OpenCLIP's. Easy to get wrong: OpenCLIP fuses q, k and v into one tensor, and
// its text_projection is the transpose of transformers'; LDM's VAE attention holds 1x1 convolutions
// where diffusers has linear layers; the VAE's up blocks count from the other end.
#ifndef FUM_MODEL_NAMES_H
#define FUM_MODEL_NAMES_H

#include "base/json.h"
#include "io/loader.h"

// The names of one component of a model in one loader. Immutable, so any number of threads may ask.
typedef struct fum_names fum_names;

// `component` is "unet", "vae", "text_encoder" or "text_encoder_2"; `config` its configuration in
// diffusers' form, of which only the number of blocks, their layers and types are read. The layout
// is found by looking. FUM_ERR_FORMAT when the file does not hold the component. The loader must
// outlive the names; `config` need not.
enum fum_result fum_names_create(fum_names **names, const fum_loader *loader, const char *component,
                                 const cJSON *config, struct fum_error *err);
void fum_names_destroy(fum_names **names);

// Whether fum_names_create would find the component in the file.
bool fum_names_has_component(const fum_loader *loader, const char *component);

// For the builders. The source is valid as long as the names are.
struct fum_weight_source fum_names_source(const fum_names *names);

// The same question with the answer's origin: *index (may be NULL) is the loader's index of the
// tensor that holds the data. Several names may share one tensor (fused q, k, v).
bool fum_names_find(const fum_names *names, const char *name, struct fum_view *view, size_t *index);

// What the file would call it, for messages; in `text`. The name itself when there is no rule for
// it.
const char *fum_names_in_file(const fum_names *names, const char *name, char *text, size_t room);

// Whether the loader's tensor `index` belongs to this component, so that one that nobody asked for
// can be told as unmatched.
bool fum_names_owns(const fum_names *names, size_t index);
// Whether a tensor that nobody asks for is nothing to tell: position ids, noise schedules, EMA
// copies, logit scales.
bool fum_names_ignorable(const char *file_name);

#endif
