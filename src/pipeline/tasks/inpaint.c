// SPDX-License-Identifier: MIT
// Keeps a part of a picture while an ordinary model draws the rest (Lugmayr et al. 2022, "RePaint",
// without its repeats). After each step the kept part is the picture's, noised to the next level,
// as in diffusers' StableDiffusionInpaintPipeline.
#include "base/error.h"
#include "graph/graph.h"
#include "pipeline/pipeline.h"

static bool serves(const fum_pipeline *pipe, const struct fum_generate_params *params) {
    return fum_image_given(&params->init_image) && fum_mask_given(params) && pipe->kind->encode &&
           pipe->view->unet.in_channels == pipe->view->vae.latent_channels;
}

static enum fum_result open_picture(fum_pipeline *pipe, struct fum_run *run,
                                    struct fum_error *err) {
    enum fum_result result = fum_mask_open(pipe, run, err);
    if (run->strength >= 1) run->strength = 0; // from noise alone
    return result;
}

static enum fum_result encode_picture(fum_pipeline *pipe, struct fum_run *run,
                                      struct fum_error *err) {
    // The reference encodes the masked picture, too, and does not use it.
    run->given.masked.drawn = !run->params->noise && pipe->kind->encode_posterior;
    return fum_mask_encode(pipe, run, err);
}

static void add_inputs(const fum_pipeline *pipe, fum_graph *graph, struct fum_denoiser *d) {
    struct fum_given_inputs *in = &d->given;
    const struct fum_shape shape = {
        4, {d->batch, d->height, d->width, pipe->view->vae.latent_channels}};
    in->mask = fum_graph_input(graph, "inpaint.mask", shape, FUM_F32, FUM_STAGE_STEP);
    in->image = fum_graph_input(graph, "inpaint.image", shape, FUM_F32, FUM_STAGE_STEP);
    in->noise = fum_graph_input(graph, "inpaint.noise", shape, FUM_F32, FUM_STAGE_STEP);
    in->levels = fum_graph_input(graph, "inpaint.levels", (struct fum_shape){2, {d->evals, 2}},
                                 FUM_F32, FUM_STAGE_RUN);
}

static fum_tensor *blend(fum_graph *graph, struct fum_denoiser *d, fum_tensor *updated) {
    const struct fum_given_inputs *in = &d->given;
    const struct fum_attr attrs[] = {{"history", d->history}, {0}};
    return fum_graph_add(
        graph, "sampler_blend", "sampler_blend",
        FUM_INPUTS(updated, in->mask, in->image, in->noise, in->levels, d->counter), attrs);
}

// Writes the levels of what follows each evaluation: the next one, or the picture itself.
static enum fum_result write_levels(fum_pipeline *pipe, const struct fum_run *run,
                                    struct fum_error *err) {
    const struct fum_sample_program *program = run->program;
    size_t evals = (size_t)program->evals;
    float *levels = fum_alloc(2 * evals, sizeof *levels);
    if (!levels) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for %zu steps", evals);
    for (size_t e = 0; e < evals; e++) {
        const struct fum_sample_eval *next = e + 1 < evals ? &program->eval[e + 1] : NULL;
        levels[2 * e] = next ? (float)next->image_level : 1;
        levels[2 * e + 1] = next ? (float)next->noise_level : 0;
    }
    enum fum_result result = fum_executable_write(
        pipe->unet->compiled.exe, pipe->denoiser.given.levels, levels, 2 * evals, err);
    fum_free(levels);
    return result;
}

static enum fum_result write_batch(fum_pipeline *pipe, const struct fum_run *run,
                                   const struct fum_start *start, struct fum_error *err) {
    const struct fum_given_inputs *in = &pipe->denoiser.given;
    fum_executable *exe = pipe->unet->compiled.exe;
    size_t all = start->batch * start->one, channels = (size_t)run->latent_channels;
    float *mask = fum_alloc(all, sizeof *mask);
    if (!mask) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a mask");
    for (size_t i = 0; i < all; i++) mask[i] = run->given.mask.latents[i % start->one / channels];
    enum fum_result result = fum_executable_write(exe, in->mask, mask, all, err);
    if (!result) result = fum_executable_write(exe, in->image, start->image, all, err);
    if (!result) result = fum_executable_write(exe, in->noise, start->noise, all, err);
    fum_free(mask);
    return result;
}

const struct fum_task fum_task_inpaint = {
    .name = "inpaint",
    .serves = serves,
    .open = open_picture,
    .encode = encode_picture,
    .add_inputs = add_inputs,
    .update = blend,
    .write = write_levels,
    .write_batch = write_batch,
    .finish = fum_mask_finish,
};
