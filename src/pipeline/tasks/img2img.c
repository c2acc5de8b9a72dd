// SPDX-License-Identifier: MIT
// Starts from a picture, noised as much as the first of the steps that are left (Meng et al. 2022,
// "SDEdit"), as diffusers' StableDiffusionImg2ImgPipeline does.
#include "base/error.h"
#include "pipeline/pipeline.h"
#include "pipeline/task.h"

#define DEFAULT_STRENGTH 0.75

static bool serves(const fum_pipeline *pipe, const struct fum_generate_params *params) {
    return fum_image_given(&params->init_image) && pipe->kind->encode &&
           pipe->view->unet.in_channels == pipe->view->vae.latent_channels;
}

static enum fum_result open_picture(fum_pipeline *pipe, struct fum_run *run,
                                    struct fum_error *err) {
    double strength = run->params->strength;
    (void)pipe;
    if (strength < 0)
        return fum_error_set(err, FUM_ERR_ARG,
                             "a strength of 0 leaves no steps to take: raise it, up to 1");
    run->strength = strength > 0 ? strength : DEFAULT_STRENGTH;
    return fum_given_fit(run, &run->given.original, &run->given.picture, err);
}

static enum fum_result encode_picture(fum_pipeline *pipe, struct fum_run *run,
                                      struct fum_error *err) {
    struct fum_given *given = &run->given;
    given->start.drawn = !run->params->noise;
    return fum_given_encode(pipe, run, &given->picture, &given->start, err);
}

const struct fum_task fum_task_img2img = {
    .name = "img2img",
    .serves = serves,
    .open = open_picture,
    .encode = encode_picture,
};
