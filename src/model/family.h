// SPDX-License-Identifier: MIT
// Model families as records: how to recognise one and what its checkpoints leave unsaid. No code
// asks which family a model is; it asks for a property.
#ifndef FUM_MODEL_FAMILY_H
#define FUM_MODEL_FAMILY_H

#include <fumarole/core.h>

struct fum_family {
    const char *name;       // "sd1"
    const char *title;      // "Stable Diffusion 1.x"
    const char *class_name; // fum_family_class of model_index.json's _class_name
    int context_channels;   // of the UNet, to tell families of one class apart; 0: any
    int time_ids;           // that the UNet reads beside pooled text; 0: it reads neither

    int size; // default width and height in pixels when the configuration does not say
    int steps;
    float guidance;
    const char *sampler;    // for single files without a scheduler, and folders with an unknown one
    const char *prediction; // for single files
    bool latent;      // denoises latents, which are never clipped; pictures follow clip_sample
    int steps_offset; // which the family's diffusers pipeline forces; 0: the folder's
    // --clip-skip N leaves out N - 1 layers of a single file's full encoder, and N - 1 +
    // folder_skip of a diffusers folder's, as its pipeline does; the default N is file_clip_skip,
    // and 1 on folders.
    int folder_skip, file_clip_skip;
    bool skip_norm;         // the context is taken without the final layer norm
    bool vae_overflows_f16; // the original VAE leaves f16's range
    bool ays_sdxl;
    double aesthetic, negative_aesthetic;
};

extern const struct fum_family fum_families[];
extern const int fum_family_count;

// Returns the text-to-image pipeline that has the components of the pipeline `class_name`
// ("StableDiffusionImg2ImgPipeline"). NULL: this build runs no pipeline of such components.
const char *fum_family_class(const char *class_name);
// The family of a folder: by class and by what its UNet takes. NULL: none that this build knows.
const struct fum_family *fum_family_match(const char *class_name, int context_channels,
                                          int time_ids);
// By name; NULL: none.
const struct fum_family *fum_family_find(const char *name);

#endif
