// SPDX-License-Identifier: MIT
// Lists model families as records: how to recognise one and what its checkpoints leave unsaid. Code
// never checks which family a model is of; it reads a property.
#ifndef FUM_MODEL_FAMILY_H
#define FUM_MODEL_FAMILY_H

#include <fumarole/core.h>

enum { FUM_MODEL_MAX_TEXT = 2, FUM_LATENT_CHANNELS = 4 };

// Key of scheduler_config.json with the range of the pixels, [-1, 1]. diffusers ignores and keeps
// keys that begin with "_".
#define FUM_PIXEL_RANGE_KEY "_pixel_range"

// What the pipeline does differently from model to model, as properties.
struct fum_model_traits {
    bool skip_norm; // the context is taken without the encoder's final layer norm
    // without a negative prompt the unconditional context is zeros, not the empty text's
    bool zero_negative;
    bool skip_negative; // the user's clip skip holds for the negative prompt too
    int skip_base;      // clip skip 1 leaves out this many layers at the end (0: none)
    double aesthetic, negative_aesthetic; // time ids of models that take five
    bool vae_overflows_f16;               // known to overflow: decode in f32 from the start
    bool unit_pixels;                     // the UNet's own pictures are in 0..1, not in -1..1
    double vae_scale; // scaling_factor, whatever the folder says; 0: the folder's
    const float *ays; // sigmas of the schedule "ays"; NULL: SD 1.5's
    // The colours of latents, from -1 to 1: factors [4, 3], then offsets [3]. NULL: not known.
    const float *colours;
    float freeu[4];      // FreeU's usual b1, b2, s1, s2
    bool enlarges;       // the UNet also reads the picture that is enlarged
    bool doubles;        // the UNet also reads the latents of a picture of half the sides
    bool preconditioned; // see struct fum_sample_config
};

// A text encoder in a single file.
struct fum_family_text {
    const char *prefix; // of its tensors; NULL: the family has no such encoder
    bool openclip;      // named and trained as OpenCLIP's, not as OpenAI's
    bool projected;     // the pooled text goes through text_projection
};

// What a single file in the original layout leaves unsaid.
struct fum_family_file {
    const char *sign; // prefix of tensors that only this family's files hold; NULL: no such files
    int in_channels;  // of the UNet of such files; 0: any
    struct fum_family_text text[FUM_MODEL_MAX_TEXT];
    const char *scheduler; // the class that diffusers ships
    bool skip_prk_steps;   // that scheduler's setting
    double betas[2];       // that scheduler's first and last; 0: those of SD 1.x
    int heads;             // attention heads of every level; 0: heads of 64 channels
    double vae_scale;      // scaling_factor
    bool vae_upcast;       // force_upcast
    int epsilon_size;      // of models that predict epsilon where others predict v; 0: `size`
};

// What the models of a family are made of.
enum fum_family_kind {
    FUM_FAMILY_TEXT = 0, // text encoders, a UNet of latents and a VAE
    FUM_FAMILY_PIXELS,   // a UNet2DModel, which draws the picture itself
    FUM_FAMILY_VECTORS,  // a UNet2DModel, whose vectors a VQModel decodes
};

struct fum_family {
    const char *name;       // "sd1"
    const char *title;      // "Stable Diffusion 1.x"
    const char *class_name; // fum_family_class of model_index.json's _class_name
    int context_channels;   // of the UNet, to distinguish families of one class; 0: any
    int time_ids;           // that the UNet reads beside pooled text; 0: it reads neither
    struct fum_family_file file;

    int size; // default width and height in pixels if the configuration does not say
    int steps;
    float guidance;
    const char *sampler;    // for single files without a scheduler, and folders with an unknown one
    const char *prediction; // for single files
    enum fum_family_kind kind;
    bool latent;      // denoises latents, which are never clipped; pictures follow clip_sample
    int steps_offset; // which the family's diffusers pipeline forces; 0: the folder's
    // --clip-skip N leaves out N - 1 layers of a single file's full encoder, and N - 1 +
    // folder_skip layers of a diffusers folder's, as its pipeline does. The default N is
    // file_clip_skip, and 1 on folders.
    int folder_skip, file_clip_skip;
    struct fum_model_traits traits; // of all its models; a model's own may add to them
};

// The families in the order in which a file or folder is compared with them.
extern const struct fum_family fum_families[];
extern const int fum_family_count;

// Returns the text-to-image pipeline that has the components of the pipeline `class_name`
// ("StableDiffusionImg2ImgPipeline"). NULL: this build runs no pipeline of such components.
const char *fum_family_class(const char *class_name);
// Returns what the pipelines of that class are made of.
enum fum_family_kind fum_family_kind_of(const char *class_name);
// Returns the family of a folder by class and by what its UNet takes. NULL: none.
const struct fum_family *fum_family_match(const char *class_name, int context_channels,
                                          int time_ids);
// Returns the family that the UNet's context width shows, of those with single files. NULL: none.
const struct fum_family *fum_family_of_context(int context_channels);
// Returns the family of that name; NULL: none.
const struct fum_family *fum_family_find(const char *name);

#endif
