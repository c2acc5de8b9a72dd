// SPDX-License-Identifier: MIT
// Doubles the sides of a picture with a latent upscaler, whose UNet reads the picture's latents
// beside its own. Numbers follow diffusers' StableDiffusionLatentUpscalePipeline.
#include "base/error.h"
#include "pipeline/beside_latents.h"

enum { TIMES = 2 };

static bool serves(const fum_pipeline *pipe, const struct fum_generate_params *params) {
    (void)params;
    return pipe->view->traits.doubles;
}

static enum fum_result open_picture(fum_pipeline *pipe, struct fum_run *run,
                                    struct fum_error *err) {
    const struct fum_generate_params *p = run->params;
    const char *name = fum_model_get_info(pipe->model)->name;
    const struct fum_bitmap_box size = {0, 0, run->width / TIMES, run->height / TIMES};
    if (!pipe->kind->encode)
        return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                             "the model %s enlarges what an encoder makes of a picture, and its "
                             "VAE has none: give another with --vae",
                             name);
    if (!fum_image_given(&p->init_image))
        return fum_error_set(err, FUM_ERR_ARG,
                             "the model %s enlarges pictures: give one with --init-img", name);
    if (fum_mask_given(p))
        return fum_error_set(err, FUM_ERR_ARG,
                             "the model %s enlarges whole pictures: leave --mask out", name);
    return fum_given_fit_to(run, &run->given.original, size, &run->given.picture, err);
}

static enum fum_result encode_picture(fum_pipeline *pipe, struct fum_run *run,
                                      struct fum_error *err) {
    struct fum_given_latents *small = &run->given.small;
    small->drawn = !run->params->noise;
    small->shorter = TIMES;
    return fum_given_encode(pipe, run, NULL, small, err);
}

static enum fum_result write_batch(fum_pipeline *pipe, const struct fum_run *run,
                                   const struct fum_start *start, struct fum_error *err) {
    (void)run;
    return fum_beside_write(pipe, start->small, 0, err);
}

const struct fum_task fum_task_low_res_latents = {
    .name = "low_res_latents",
    .serves = serves,
    .open = open_picture,
    .encode = encode_picture,
    .add_inputs = fum_beside_add,
    .write_batch = write_batch,
};
