// SPDX-License-Identifier: MIT
// An open model's insides, for the pipeline: everything is plain data and sources of weights; no
// code asks which family it is.
#ifndef FUM_MODEL_MODEL_H
#define FUM_MODEL_MODEL_H

#include <fumarole/model.h>
#include <fumarole/tokenizer.h>

#include "base/view.h"
#include "model/clip.h"
#include "model/unet.h"
#include "model/vae.h"
#include "sample/sample.h"

enum { FUM_MODEL_MAX_TEXT = 2 };

struct fum_model_text {
    const char *component; // "text_encoder"
    struct fum_clip_config config;
    struct fum_weight_source weights;
    fum_tokenizer *tokenizer;
    // of a prompt, with start, end and padding: the tokenizer's length, at most config.positions
    int tokens;
    bool with_projection;
};

// What the pipeline does differently from model to model, as properties.
struct fum_model_traits {
    bool skip_norm; // the context is taken without the encoder's final layer norm
    // without a negative prompt the unconditional context is zeros, not the empty text's
    bool zero_negative;
    bool skip_negative; // the user's clip skip holds for the negative prompt too
    int skip_base;      // clip skip 1 leaves out this many layers at the end (0: none)
    double aesthetic, negative_aesthetic; // time ids of models that take five
    bool vae_overflows_f16;               // known to overflow: decode in f32 from the start
    bool ays_sdxl;                        // the "ays" schedule has a table of its own for it
};

struct fum_model_view {
    int num_text;
    struct fum_model_text text[FUM_MODEL_MAX_TEXT];
    struct fum_unet_config unet;
    struct fum_weight_source unet_weights;
    struct fum_vae_config vae;
    struct fum_weight_source vae_weights;
    struct fum_sample_config schedule; // the model's own scheduler settings
    // the default for fum_sample_create; NULL: what stands for the settings' class
    const char *sampler;
    struct fum_model_traits traits;
};

const struct fum_model_view *fum_model_get_view(const fum_model *model);
// Channels of the pooled text that the UNet reads; 0: it reads none.
int fum_model_pooled(const struct fum_model_view *view);
// The largest clip skip, which leaves only the embeddings of the text encoder that has the fewest
// layers.
int fum_model_max_clip_skip(const struct fum_model_view *view);

#endif
