// SPDX-License-Identifier: MIT
// Starts from a picture, noised as much as the first of the steps that are left (Meng et al. 2022,
// "SDEdit"), as diffusers' StableDiffusionImg2ImgPipeline does.
#include "pipeline/pipeline.h"
#include "pipeline/task.h"

static bool serves(const fum_pipeline *pipe, const struct fum_generate_params *params) {
    return fum_image_given(&params->init_image) && !fum_mask_given(params) && pipe->kind->encode &&
           pipe->view->unet.in_channels == pipe->view->vae.latent_channels;
}

static enum fum_result open_picture(fum_pipeline *pipe, struct fum_run *run,
                                    struct fum_error *err) {
    (void)pipe;
    return fum_given_prepare(run, err);
}

static enum fum_result encode_picture(fum_pipeline *pipe, struct fum_run *run,
                                      struct fum_error *err) {
    run->given.start.drawn = !run->params->noise;
    return fum_given_encode(pipe, run, NULL, &run->given.start, err);
}

const struct fum_task fum_task_img2img = {
    .name = "img2img",
    .serves = serves,
    .open = open_picture,
    .encode = encode_picture,
};
