// SPDX-License-Identifier: MIT
#include "model/family.h"

#include "base/macros.h"
#include "sample/sample.h"

#include <string.h>

// Sizes are those of training; steps, guidance and sampler are sd-cli's.
#define COMMON .steps = 20, .guidance = 7.0f, .sampler = "euler_a", .latent = true

// Models of StableDiffusionPipeline, which repairs the schedulers of 2022 when it loads them.
#define SD COMMON, .class_name = "StableDiffusionPipeline", .steps_offset = 1

// Models in XL's shape (Podell et al. 2023): penultimate layers without the final norm,
// micro-conditioning.
#define XL                                                                                    \
    COMMON, .class_name = "StableDiffusionXLPipeline", .size = 1024, .prediction = "epsilon", \
            .folder_skip = 1, .file_clip_skip = 2

// Maps of latents to colours for previews, fitted to what the families' VAEs make of pictures. The
// numbers are those of other programs.
static const float sd_colours[FUM_LATENT_CHANNELS * 3 + 3] = {
    0.3512f,  0.2297f,  0.3227f,  //
    0.3250f,  0.4974f,  0.2350f,  //
    -0.2829f, 0.1762f,  0.2721f,  //
    -0.2120f, -0.2616f, -0.7177f, //
    0,        0,        0,
};
static const float xl_colours[FUM_LATENT_CHANNELS * 3 + 3] = {
    0.3651f,  0.4232f,  0.4341f,  //
    -0.2533f, -0.0042f, 0.1068f,  //
    0.1076f,  0.1111f,  -0.0362f, //
    -0.3165f, -0.2492f, -0.2188f, //
    0.1084f,  -0.0175f, -0.0011f,
};

// FreeU's factors are those of its authors, as diffusers' documentation has them.
#define XL_TRAITS                                                                  \
    .skip_norm = true, .zero_negative = true, .ays = fum_ays_sdxl, .aesthetic = 6, \
    .negative_aesthetic = 2.5, .freeu = {1.3f, 1.4f, 0.9f, 0.2f}, .colours = xl_colours
#define SD1_TRAITS .freeu = {1.5f, 1.6f, 0.9f, 0.2f}, .colours = sd_colours
#define SD2_TRAITS .freeu = {1.4f, 1.6f, 0.9f, 0.2f}, .colours = sd_colours

// The scaling_factor of the x4 upscaler's VAE, which diffusers sets if the folder has another.
#define X4_SCALE 0.08333

// Models of pictures without text (Ho et al. 2020); steps are those of the diffusers pipelines.
#define PIXELS(title_, class_, steps_)                                                     \
    .name = class_, .title = title_, .class_name = class_, .steps = steps_, .guidance = 1, \
    .sampler = "ddpm", .size = 32, .prediction = "epsilon", .file_clip_skip = 1,           \
    .kind = FUM_FAMILY_PIXELS

// Text encoders of single files.
#define CLIP(where) \
    { .prefix = where }
#define OPENCLIP(where) \
    { .prefix = where, .openclip = true }
#define BIG_G(where) \
    { .prefix = where, .openclip = true, .projected = true }

// A class of pipeline with several families lists them by context width, the one of any width last:
// small models in the same shape.
const struct fum_family fum_families[] = {
    {XL, .name = "sdxl", .title = "Stable Diffusion XL", .context_channels = 2048, .time_ids = 6,
     .file = {.sign = "conditioner.embedders.1.",
              .text = {CLIP("conditioner.embedders.0.transformer."),
                       BIG_G("conditioner.embedders.1.model.")},
              .scheduler = "EulerDiscreteScheduler",
              .vae_scale = 0.13025,
              .vae_upcast = true},
     .traits = {XL_TRAITS, .vae_overflows_f16 = true}},
    {XL, .name = "sdxl-custom", .title = "Stable Diffusion XL, custom size", .time_ids = 6,
     .traits = {XL_TRAITS}},
    {XL, .name = "sdxl-refiner", .title = "Stable Diffusion XL refiner", .context_channels = 1280,
     .time_ids = 5,
     .file = {.sign = "conditioner.embedders.0.model.",
              .text = {CLIP(NULL), BIG_G("conditioner.embedders.0.model.")},
              .scheduler = "EulerDiscreteScheduler",
              .vae_scale = 0.13025,
              .vae_upcast = true},
     .traits = {XL_TRAITS, .vae_overflows_f16 = true}},
    {XL, .name = "sdxl-refiner-custom", .title = "Stable Diffusion XL refiner, custom size",
     .time_ids = 5, .traits = {XL_TRAITS}},
    // Channels of latents and of the picture that is enlarged.
    {.name = "sd-x4-upscaler",
     .title = "Stable Diffusion x4 upscaler",
     .class_name = "StableDiffusionUpscalePipeline",
     .size = 512,
     .steps = 75,
     .guidance = 9,
     .sampler = "ddim",
     .latent = true,
     .prediction = "v_prediction",
     .file = {.sign = "cond_stage_model.model.",
              .in_channels = 7,
              .text = {OPENCLIP("cond_stage_model.model.")},
              .scheduler = "DDIMScheduler",
              .betas = {0.0001, 0.02},
              .heads = 8,
              .vae_scale = X4_SCALE},
     .traits = {.freeu = {1.4f, 1.6f, 0.9f, 0.2f}, .vae_scale = X4_SCALE, .enlarges = true},
     .file_clip_skip = 2},
    {.name = "sd-x2-latent-upscaler",
     .title = "Stable Diffusion x2 latent upscaler",
     .class_name = "StableDiffusionLatentUpscalePipeline",
     .time_ids = 1,
     .size = 1024,
     .steps = 75,
     .guidance = 9,
     .sampler = "euler",
     .latent = true,
     .prediction = "sample",
     .traits = {.skip_norm = true, .colours = sd_colours, .doubles = true, .preconditioned = true},
     .file_clip_skip = 1},
    {SD, .name = "sd2", .title = "Stable Diffusion 2.x", .context_channels = 1024, .size = 768,
     .prediction = "v_prediction",
     .file = {.sign = "cond_stage_model.model.",
              .text = {OPENCLIP("cond_stage_model.model.")},
              .scheduler = "DDIMScheduler",
              .vae_scale = 0.18215,
              .epsilon_size = 512},
     .traits = {SD2_TRAITS},
     .file_clip_skip = 2}, // diffusers' folders hold 23 of OpenCLIP-H's 24 layers, single files all
    {SD, .name = "sd1", .title = "Stable Diffusion 1.x", .context_channels = 768, .size = 512,
     .prediction = "epsilon",
     .file = {.sign = "cond_stage_model.transformer.",
              .text = {CLIP("cond_stage_model.transformer.")},
              .scheduler = "PNDMScheduler",
              .skip_prk_steps = true,
              .heads = 8,
              .vae_scale = 0.18215},
     .traits = {SD1_TRAITS}, .file_clip_skip = 1},
    {SD, .name = "sd-custom", .title = "Stable Diffusion, custom size", .size = 512,
     .prediction = "epsilon", .file_clip_skip = 1, .traits = {SD1_TRAITS}},
    {PIXELS("DDPM", "DDPMPipeline", 1000)},
    {PIXELS("DDIM", "DDIMPipeline", 50)},
    {PIXELS("PNDM", "PNDMPipeline", 50)},
    {PIXELS("variance-exploding score model", "ScoreSdeVePipeline", 2000),
     .traits = {.unit_pixels = true}},
    {.name = "ldm-vq",
     .title = "latent diffusion of VQ-VAE vectors",
     .class_name = "LDMPipeline",
     .steps = 50,
     .guidance = 1,
     .sampler = "ddim",
     .size = 256,
     .prediction = "epsilon",
     .file_clip_skip = 1,
     .kind = FUM_FAMILY_VECTORS},
};
const int fum_family_count = FUM_COUNT(fum_families);

// Pipelines that diffusers saves with the components of another one. Whether the UNet reads more
// than latents is checked elsewhere: an inpainting pipeline may hold an ordinary one.
static const char *const same_components[][2] = {
    {"StableDiffusionImg2ImgPipeline", "StableDiffusionPipeline"},
    {"StableDiffusionInpaintPipeline", "StableDiffusionPipeline"},
    {"StableDiffusionInstructPix2PixPipeline", "StableDiffusionPipeline"},
    {"LatentConsistencyModelPipeline", "StableDiffusionPipeline"},
    {"LatentConsistencyModelImg2ImgPipeline", "StableDiffusionPipeline"},
    {"StableDiffusionXLImg2ImgPipeline", "StableDiffusionXLPipeline"},
    {"StableDiffusionXLInpaintPipeline", "StableDiffusionXLPipeline"},
    {"StableDiffusionXLInstructPix2PixPipeline", "StableDiffusionXLPipeline"},
};

const char *fum_family_class(const char *class_name) {
    for (size_t i = 0; i < FUM_COUNT(same_components); i++)
        if (!strcmp(same_components[i][0], class_name)) class_name = same_components[i][1];
    for (int i = 0; i < fum_family_count; i++)
        if (!strcmp(fum_families[i].class_name, class_name)) return fum_families[i].class_name;
    return NULL;
}

enum fum_family_kind fum_family_kind_of(const char *class_name) {
    for (int i = 0; i < fum_family_count; i++)
        if (!strcmp(fum_families[i].class_name, class_name)) return fum_families[i].kind;
    return FUM_FAMILY_TEXT;
}

const struct fum_family *fum_family_match(const char *class_name, int context_channels,
                                          int time_ids) {
    class_name = fum_family_class(class_name);
    if (!class_name) return NULL;
    for (int i = 0; i < fum_family_count; i++) {
        const struct fum_family *f = &fum_families[i];
        if (!strcmp(f->class_name, class_name) && f->time_ids == time_ids &&
            (!f->context_channels || f->context_channels == context_channels))
            return f;
    }
    return NULL;
}

const struct fum_family *fum_family_of_context(int context_channels) {
    for (int i = 0; i < fum_family_count; i++)
        if (fum_families[i].file.sign && fum_families[i].context_channels == context_channels &&
            !fum_families[i].file.in_channels)
            return &fum_families[i];
    return NULL;
}

const struct fum_family *fum_family_find(const char *name) {
    for (int i = 0; i < fum_family_count; i++)
        if (!strcmp(fum_families[i].name, name)) return &fum_families[i];
    return NULL;
}
