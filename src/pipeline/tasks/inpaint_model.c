// SPDX-License-Identifier: MIT
// Draws with a model that was trained to inpaint, as in diffusers' StableDiffusionInpaintPipeline.
// Its UNet reads the mask and the latents of the masked picture beside its own.
#include "base/error.h"
#include "pipeline/beside_latents.h"

static bool serves(const fum_pipeline *pipe, const struct fum_generate_params *params) {
    (void)params;
    return pipe->kind->encode && !pipe->view->pixels &&
           pipe->view->unet.in_channels == 2 * pipe->view->vae.latent_channels + 1;
}

static enum fum_result open_picture(fum_pipeline *pipe, struct fum_run *run,
                                    struct fum_error *err) {
    const struct fum_generate_params *p = run->params;
    if (!fum_image_given(&p->init_image) || !fum_mask_given(p))
        return fum_error_set(err, FUM_ERR_ARG,
                             "the model %s inpaints: give a picture with --init-img, and a mask "
                             "with --mask or --outpaint",
                             fum_model_get_info(pipe->model)->name);
    enum fum_result result = fum_mask_open(pipe, run, err);
    if (run->strength >= 1) run->strength = 0; // from noise alone
    return result;
}

static enum fum_result encode_picture(fum_pipeline *pipe, struct fum_run *run,
                                      struct fum_error *err) {
    struct fum_given *given = &run->given;
    given->masked.drawn = !run->params->noise;
    enum fum_result result = fum_given_encode(pipe, run, &given->mask.soft, &given->masked, err);
    if (result || run->strength <= 0) return result;
    return fum_mask_encode(pipe, run, err);
}

// Writes the mask and the masked picture's latents of every picture.
static enum fum_result write_batch(fum_pipeline *pipe, const struct fum_run *run,
                                   const struct fum_start *start, struct fum_error *err) {
    size_t channels = (size_t)run->latent_channels, one = start->one / channels,
           pixels = start->batch * one;
    float *values = fum_alloc(pixels, (channels + 1) * sizeof *values);
    if (!values) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a picture's latents");
    for (size_t i = 0; i < pixels; i++) {
        values[i * (channels + 1)] = run->given.mask.latents[i % one];
        for (size_t c = 0; c < channels; c++)
            values[i * (channels + 1) + 1 + c] = start->masked[i * channels + c];
    }
    enum fum_result result = fum_beside_write(pipe, values, 0, err);
    fum_free(values);
    return result;
}

const struct fum_task fum_task_inpaint_model = {
    .name = "inpaint_model",
    .serves = serves,
    .open = open_picture,
    .encode = encode_picture,
    .add_inputs = fum_beside_add,
    .write_batch = write_batch,
    .finish = fum_mask_finish,
};
