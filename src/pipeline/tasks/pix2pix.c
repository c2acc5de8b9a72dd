// SPDX-License-Identifier: MIT
// Edits a picture by an instruction (Brooks et al. 2023, "InstructPix2Pix"), with a UNet that reads
// the picture's latents beside its own. Guidance has three copies of a picture: without both,
// with the picture, and with both. Numbers follow diffusers'
// StableDiffusionInstructPix2PixPipeline.
#include "base/error.h"
#include "nn/nn.h"
#include "pipeline/beside_latents.h"

#define DEFAULT_IMAGE_GUIDANCE 1.5f

static bool serves(const fum_pipeline *pipe, const struct fum_generate_params *params) {
    (void)params;
    return pipe->kind->encode && !pipe->view->pixels && !pipe->view->traits.doubles &&
           pipe->view->unet.in_channels == 2 * pipe->view->vae.latent_channels;
}

static float find_image_guidance(const struct fum_run *run) {
    return run->params->image_guidance > 0 ? run->params->image_guidance : DEFAULT_IMAGE_GUIDANCE;
}

static enum fum_result open_picture(fum_pipeline *pipe, struct fum_run *run,
                                    struct fum_error *err) {
    if (!fum_image_given(&run->params->init_image))
        return fum_error_set(err, FUM_ERR_ARG,
                             "the model %s edits pictures: give one with --init-img",
                             fum_model_get_info(pipe->model)->name);
    if (fum_mask_given(run->params))
        return fum_error_set(err, FUM_ERR_ARG,
                             "the model %s edits whole pictures: leave --mask out",
                             fum_model_get_info(pipe->model)->name);
    run->copies = run->guidance > 1 && find_image_guidance(run) >= 1 ? 3 : 1;
    return fum_given_fit(run, &run->given.original, &run->given.picture, err);
}

// Encodes the picture to the mean of its latents, which the UNet reads without their scale.
static enum fum_result encode_picture(fum_pipeline *pipe, struct fum_run *run,
                                      struct fum_error *err) {
    const struct fum_vae_config *vae = &pipe->view->vae;
    struct fum_given_latents *masked = &run->given.masked;
    size_t channels = (size_t)run->latent_channels,
           count = (size_t)run->latent_width * (size_t)run->latent_height * channels;
    enum fum_result result = fum_given_encode(pipe, run, NULL, masked, err);
    for (size_t i = 0; i < count && !result; i++) {
        double mean = vae->has_stats ? (double)vae->mean[i % channels] : vae->shift,
               spread = vae->has_stats ? (double)vae->std[i % channels] : 1;
        masked->mean[i] = (float)((double)masked->mean[i] / vae->scale * spread + mean);
    }
    return result;
}

static void add_inputs(const fum_pipeline *pipe, fum_graph *graph, struct fum_denoiser *d) {
    fum_beside_add(pipe, graph, d);
    if (d->copies == 1) return;
    d->given.scales = fum_graph_input(graph, "pix2pix.scales", (struct fum_shape){1, {2}}, FUM_F32,
                                      FUM_STAGE_RUN);
}

// Returns one of the two scales, for every value.
static fum_tensor *read_scale(struct fum_nn *nn, const struct fum_denoiser *d, int index) {
    fum_tensor *scale = fum_nn_slice(nn, NULL, d->given.scales, (struct fum_nn_range){0, index, 1});
    return fum_nn_reshape(nn, NULL, scale, (struct fum_shape){4, {1, 1, 1, 1}});
}

// Adds u + g (c - i) + h (i - u), where u, i and c are the predictions of the three copies.
static fum_tensor *merge(fum_graph *graph, struct fum_denoiser *d, fum_tensor *prediction) {
    struct fum_nn nn;
    const struct fum_attr f32[] = {{"dtype", FUM_F32}, {0}};
    fum_tensor *copy[3], *change[2];
    fum_nn_init(&nn, graph, "pix2pix");
    if (d->copies == 1) return prediction;
    prediction = fum_graph_add(graph, "cast", NULL, FUM_INPUTS(prediction), f32);
    for (int k = 0; k < 3; k++)
        copy[k] = fum_nn_slice(&nn, NULL, prediction,
                               (struct fum_nn_range){0, (int64_t)k * d->batch, d->batch});
    if (!copy[0] || !copy[1] || !copy[2]) return NULL;
    change[0] = fum_graph_add(graph, "sub", NULL, FUM_INPUTS(copy[2], copy[1]), NULL);
    change[1] = fum_graph_add(graph, "sub", NULL, FUM_INPUTS(copy[1], copy[0]), NULL);
    fum_tensor *sum = copy[0];
    for (int k = 0; k < 2; k++)
        sum = fum_nn_add(&nn, NULL, sum, fum_nn_mul(&nn, NULL, change[k], read_scale(&nn, d, k)));
    return sum;
}

static enum fum_result write_scales(fum_pipeline *pipe, const struct fum_run *run,
                                    struct fum_error *err) {
    if (!pipe->denoiser.given.scales) return FUM_OK;
    const float scales[] = {run->guidance, find_image_guidance(run)};
    return fum_executable_write(pipe->unet->compiled.exe, pipe->denoiser.given.scales, scales, 2,
                                err);
}

static enum fum_result write_batch(fum_pipeline *pipe, const struct fum_run *run,
                                   const struct fum_start *start, struct fum_error *err) {
    return fum_beside_write(pipe, start->masked, run->copies > 1, err);
}

const struct fum_task fum_task_pix2pix = {
    .name = "pix2pix",
    .serves = serves,
    .open = open_picture,
    .encode = encode_picture,
    .add_inputs = add_inputs,
    .merge = merge,
    .write = write_scales,
    .write_batch = write_batch,
};
