// SPDX-License-Identifier: MIT
// Declares an open model's insides, for the pipeline: plain data and sources of weights.
#ifndef FUM_MODEL_MODEL_H
#define FUM_MODEL_MODEL_H

#include <fumarole/model.h>
#include <fumarole/tokenizer.h>

#include "base/view.h"
#include "model/autoencoder.h"
#include "model/clip.h"
#include "model/family.h"
#include "model/unet.h"
#include "model/vae.h"
#include "model/vq.h"
#include "sample/sample.h"

struct fum_model_text {
    const char *component; // "text_encoder"
    struct fum_clip_config config;
    struct fum_weight_source weights;
    fum_tokenizer *tokenizer;
    // of a prompt, with start, end and padding: the tokenizer's length, at most config.positions
    int tokens;
    bool with_projection;
    int new_rows; // of embeddings, at the end of the table; config.vocab counts them
};

// The small picture that an upscaler's UNet reads beside its latents, to enlarge it.
struct fum_model_low_res {
    bool reads;                        // the UNet does
    struct fum_sample_config schedule; // of the noise that is added to it
    int max_level;                     // the highest timestep of that noise
};

struct fum_model_view {
    int num_text;
    struct fum_model_text text[FUM_MODEL_MAX_TEXT];
    struct fum_unet_config unet;
    struct fum_weight_source unet_weights;
    // No VAE: latents are the picture in -1..1 (or traits.unit_pixels), and `vae` describes that.
    bool pixels;
    struct fum_vae_config vae;
    struct fum_weight_source vae_weights;
    // An autoencoder in place of a VAE: vae_weights are its weights. At most one is not NULL.
    const struct fum_autoencoder *autoencoder; // draws by itself, without a UNet
    const struct fum_vq_config *vqvae;         // with a UNet if it has a prior
    bool kl;                                   // an AutoencoderKL alone, which `vae` describes
    struct fum_sample_config schedule;         // the model's own scheduler settings
    struct fum_model_low_res low_res;
    // the default for fum_sample_create; NULL: what stands for the settings' class
    const char *sampler;
    struct fum_model_traits traits;
};

const struct fum_model_view *fum_model_get_view(const fum_model *model);
// True if a sampler and a UNet draw.
bool fum_model_samples(const struct fum_model_view *view);
// Returns the channels of the pooled text that an encoder gives the UNet; 0: it gives none.
int fum_model_text_pooled(const struct fum_model_view *view, int index);
// Channels of the pooled text that the UNet reads; 0: it reads none.
int fum_model_pooled(const struct fum_model_view *view);
// Returns the channels of the context, those of all text encoders.
int fum_model_text_channels(const struct fum_model_view *view);
// Returns the layers that clip skip leaves out at the end of a text encoder.
int fum_model_skipped_layers(const struct fum_model_view *view, int clip_skip);
// Returns the largest clip skip. It leaves only the embeddings of the text encoder that has the
// fewest layers.
int fum_model_max_clip_skip(const struct fum_model_view *view);

#endif
