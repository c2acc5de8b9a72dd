#include "model/family.h"

#include <string.h>

// Sizes, steps and guidance are diffusers' pipeline defaults (512 or 1024, 50 steps) with sd-cli's 20 steps and 7.
const struct fum_family fum_families[] = {
    {
        .name = "sd1",
        .title = "Stable Diffusion 1.x",
        .class_name = "StableDiffusionPipeline",
        .context_channels = 768,
        .size = 512,
        .steps = 20,
        .guidance = 7.0f,
        .sampler = "euler_a",
        .prediction = "epsilon",
        .file_clip_skip = 1,
        .vae_scale = 0.18215,
    },
    {
        .name = "sd2",
        .title = "Stable Diffusion 2.x",
        .class_name = "StableDiffusionPipeline",
        .context_channels = 1024,
        .size = 768,
        .steps = 20,
        .guidance = 7.0f,
        .sampler = "euler_a",
        .prediction = "v_prediction",
        .file_clip_skip = 2, // diffusers' folders hold 23 of OpenCLIP-H's 24 layers, single files all
        .vae_scale = 0.18215,
    },
    {
        .name = "sdxl",
        .title = "Stable Diffusion XL",
        .class_name = "StableDiffusionXLPipeline",
        .context_channels = 2048,
        .text_time = true,
        .size = 1024,
        .steps = 20,
        .guidance = 7.0f,
        .sampler = "euler_a",
        .prediction = "epsilon",
        .folder_skip = 1,
        .file_clip_skip = 2,
        .skip_norm = true,
        .vae_overflows_f16 = true,
        .ays_sdxl = true,
        .vae_scale = 0.13025,
        .aesthetic = 6,
        .negative_aesthetic = 2.5,
    },
    {
        .name = "sdxl-refiner",
        .title = "Stable Diffusion XL refiner",
        .class_name = "StableDiffusionXLImg2ImgPipeline",
        .context_channels = 1280,
        .text_time = true,
        .size = 1024,
        .steps = 20,
        .guidance = 7.0f,
        .sampler = "euler_a",
        .prediction = "epsilon",
        .folder_skip = 1,
        .file_clip_skip = 2,
        .skip_norm = true,
        .vae_overflows_f16 = true,
        .ays_sdxl = true,
        .vae_scale = 0.13025,
        .aesthetic = 6,
        .negative_aesthetic = 2.5,
    },
    {
        // Small models in the same shape as 1.x or XL, with widths of their own.
        .name = "sd-custom",
        .title = "Stable Diffusion, custom size",
        .class_name = "StableDiffusionPipeline",
        .size = 512,
        .steps = 20,
        .guidance = 7.0f,
        .sampler = "euler_a",
        .prediction = "epsilon",
        .file_clip_skip = 1,
        .vae_scale = 0.18215,
    },
    {
        .name = "sdxl-custom",
        .title = "Stable Diffusion XL, custom size",
        .class_name = "StableDiffusionXLPipeline",
        .text_time = true,
        .size = 1024,
        .steps = 20,
        .guidance = 7.0f,
        .sampler = "euler_a",
        .prediction = "epsilon",
        .folder_skip = 1,
        .file_clip_skip = 2,
        .skip_norm = true,
        .ays_sdxl = true,
        .vae_scale = 0.13025,
        .aesthetic = 6,
        .negative_aesthetic = 2.5,
    },
    {
        .name = "sdxl-refiner-custom",
        .title = "Stable Diffusion XL refiner, custom size",
        .class_name = "StableDiffusionXLImg2ImgPipeline",
        .text_time = true,
        .size = 1024,
        .steps = 20,
        .guidance = 7.0f,
        .sampler = "euler_a",
        .prediction = "epsilon",
        .folder_skip = 1,
        .file_clip_skip = 2,
        .skip_norm = true,
        .ays_sdxl = true,
        .vae_scale = 0.13025,
        .aesthetic = 6,
        .negative_aesthetic = 2.5,
    },
};
const int fum_family_count = sizeof fum_families / sizeof *fum_families;

const struct fum_family *fum_family_match(const char *class_name, int context_channels, bool text_time) {
    for (int i = 0; i < fum_family_count; i++) {
        const struct fum_family *f = &fum_families[i];
        if (!strcmp(f->class_name, class_name) && f->text_time == text_time &&
            (!f->context_channels || f->context_channels == context_channels))
            return f;
    }
    return NULL;
}

const struct fum_family *fum_family_find(const char *name) {
    for (int i = 0; i < fum_family_count; i++)
        if (!strcmp(fum_families[i].name, name)) return &fum_families[i];
    return NULL;
}
