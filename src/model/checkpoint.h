// SPDX-License-Identifier: MIT
// Detects what a single file in the original (latent-diffusion) layout holds. Such a file has no
// configuration, so family and configurations (in diffusers' form) are read off the names and
// shapes of tensors.
#ifndef FUM_MODEL_CHECKPOINT_H
#define FUM_MODEL_CHECKPOINT_H

#include "base/json.h"
#include "io/loader.h"
#include "model/family.h"

struct fum_tiny_style;

// How sure the prediction type is.
enum fum_checkpoint_evidence {
    FUM_CHECKPOINT_STATED, // by a marker tensor or the file's metadata
    FUM_CHECKPOINT_USUAL,  // the family has only this one
    FUM_CHECKPOINT_GUESSED // the family has both; the caller should offer to override
};

struct fum_checkpoint {
    const struct fum_family *family;
    int in_channels;        // of the UNet
    int pooled;             // channels of the pooled text, if known from elsewhere; else 0
    const char *prediction; // "epsilon" or "v_prediction"
    enum fum_checkpoint_evidence evidence;
    bool zero_snr;  // trained with rescaled betas (marker tensor "ztsnr", of v-prediction models)
    bool of_folder; // carries the configurations of the diffusers folder that it was made of
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

// Fills `checkpoint`. Rules that shapes do not show: SD1 has 8 attention heads everywhere, the
// others heads of 64 channels (one head for levels with fewer). Group norms have 32 groups. SD2
// with a full-size context (1024) is taken for v-prediction at 768 unless it is an inpainting model
// or its metadata differs. Its base models (epsilon, 512) have the same names and shapes. Files of
// other families (SD3, FLUX, …) and LoRAs are FUM_ERR_UNSUPPORTED by name.
enum fum_result fum_checkpoint_detect(struct fum_checkpoint *checkpoint, const fum_loader *loader,
                                      struct fum_error *err);
// Does the same for a file that holds a UNet and maybe more, for use beside other components. The
// UNet may have diffusers' names. `config`, if not NULL, is its configuration, which is taken over.
// `pooled`: channels of the pooled text that it reads; 0: unknown.
enum fum_result fum_checkpoint_detect_unet(struct fum_checkpoint *checkpoint,
                                           const fum_loader *loader, cJSON *config, int pooled,
                                           struct fum_error *err);
// Refuses files that are no checkpoint of these families, and names the option that takes them.
// *other: what the file is, unless it is a component of a folder.
enum fum_result fum_checkpoint_refuse_others(const char **other, const fum_loader *loader,
                                             struct fum_error *err);
void fum_checkpoint_free(struct fum_checkpoint *checkpoint);

// Returns the words before "model" for a UNet with these input channels. "a text-to-image" reads
// latents alone; others are "an inpainting" and the like.
const char *fum_checkpoint_kind(int in_channels);

// Derives configurations from shapes; NULL on failure with `err` filled. UNet and VAE may have the
// names of the original layout or diffusers'.
cJSON *fum_checkpoint_unet_config(const fum_loader *loader, const char *prefix,
                                  const struct fum_family *family, int size, struct fum_error *err);
cJSON *fum_checkpoint_vae_config(const fum_loader *loader, const char *prefix,
                                 const struct fum_family *family, int size, struct fum_error *err);
cJSON *fum_checkpoint_tiny_config(const fum_loader *loader, const struct fum_tiny_style *style,
                                  struct fum_error *err);
cJSON *fum_checkpoint_text_config(const fum_loader *loader, const struct fum_family_text *text,
                                  struct fum_error *err);

// Refuses a file for what its tensors show. Returns false.
bool fum_checkpoint_refuse(const fum_loader *loader, const char *what, struct fum_error *err);
// Reports that memory ran out for the configuration of a component. Returns NULL.
cJSON *fum_checkpoint_no_memory(const fum_loader *loader, const char *owner, struct fum_error *err);

#endif
