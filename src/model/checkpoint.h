// SPDX-License-Identifier: MIT
// What a single file in the original (latent-diffusion) layout holds: its family, and its
// components' configurations in diffusers' form, both read off the tensors' names and shapes, since
// such a file brings no configuration.
#ifndef FUM_MODEL_CHECKPOINT_H
#define FUM_MODEL_CHECKPOINT_H

#include "base/json.h"
#include "io/loader.h"

enum fum_checkpoint_family {
    FUM_CHECKPOINT_SD1,
    FUM_CHECKPOINT_SD2,
    FUM_CHECKPOINT_SDXL,
    FUM_CHECKPOINT_SDXL_REFINER,
    FUM_CHECKPOINT_FAMILY_COUNT,
};

enum fum_checkpoint_kind {
    FUM_CHECKPOINT_BASE,
    FUM_CHECKPOINT_INPAINT, // 9 input channels: latents, mask, masked latents
    FUM_CHECKPOINT_PIX2PIX, // 8: latents, latents of the picture to edit
    FUM_CHECKPOINT_DEPTH,   // 5: latents, depth
    FUM_CHECKPOINT_OTHER,
};

// How sure the prediction type is.
enum fum_checkpoint_evidence {
    FUM_CHECKPOINT_SAID,   // by a marker tensor or the file's metadata
    FUM_CHECKPOINT_USUAL,  // the family has only this one
    FUM_CHECKPOINT_GUESSED // the family has both; the caller should offer to override
};

struct fum_checkpoint {
    enum fum_checkpoint_family family;
    enum fum_checkpoint_kind kind;
    const char *prediction; // "epsilon" or "v_prediction"
    enum fum_checkpoint_evidence evidence;
    bool zero_snr; // trained with rescaled betas (marker tensor "ztsnr", of v-prediction models)
    // noise levels of Karras et al. (2022): `scheduler` is then the file's own, not the family's
    bool edm;
    int size; // side of the pictures that the family was trained on: 512, 768, 1024
    // Configurations as in a diffusers folder's config.json; NULL for components that the file does
    // not hold.
    cJSON *unet, *vae, *text_encoder, *text_encoder_2;
    cJSON *scheduler; // the family's conventions, with `prediction`
    // Set when detection fails, where the file is known to be something else: "a FLUX model". Else
    // NULL.
    const char *other;
};

// Fills `checkpoint`. Rules that shapes cannot tell: SD1 has 8 attention heads everywhere, the
// others heads of 64 channels (one head for levels with fewer); 32 groups per group norm. SD2 with
// a full-size context (1024) is taken for v-prediction at 768 unless it is an inpainting model or
// its metadata says otherwise: base models (epsilon, 512) have the same names and shapes. Files of
// other families (SD3, FLUX, …) and LoRAs are FUM_ERR_UNSUPPORTED by name.
enum fum_result fum_checkpoint_detect(struct fum_checkpoint *checkpoint, const fum_loader *loader,
                                      struct fum_error *err);
void fum_checkpoint_free(struct fum_checkpoint *checkpoint);

// Returns what a UNet with these input channels needs beside latents.
enum fum_checkpoint_kind fum_checkpoint_kind_of(int in_channels);
// "Stable Diffusion 1.x", …; the kind's words before "model" ("an inpainting").
const char *fum_checkpoint_family_name(enum fum_checkpoint_family family);
const char *fum_checkpoint_kind_name(enum fum_checkpoint_kind kind);

// For detection's own files: configurations from shapes, NULL on failure with `err` filled.
cJSON *fum_checkpoint_unet_config(const fum_loader *loader, const char *prefix,
                                  enum fum_checkpoint_family family, int size,
                                  struct fum_error *err);
cJSON *fum_checkpoint_vae_config(const fum_loader *loader, const char *prefix,
                                 enum fum_checkpoint_family family, int size,
                                 struct fum_error *err);
// `projected`: the pooled text goes through text_projection.
cJSON *fum_checkpoint_text_config(const fum_loader *loader, const char *prefix, bool openclip,
                                  bool projected, struct fum_error *err);

#endif
