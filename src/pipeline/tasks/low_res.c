// SPDX-License-Identifier: MIT
// Enlarges a picture with an upscaler, whose UNet reads the picture beside its latents. The picture
// is noised to a level that the UNet reads as its class. Numbers follow diffusers'
// StableDiffusionUpscalePipeline.
#include "base/error.h"
#include "base/macros.h"
#include "pipeline/beside_latents.h"

#include <math.h>

#define DEFAULT_LEVEL 20

static bool serves(const fum_pipeline *pipe, const struct fum_generate_params *params) {
    (void)params;
    return pipe->view->low_res.reads;
}

// Sets the level of the noise, the label of the class.
static enum fum_result choose_level(const fum_pipeline *pipe, struct fum_run *run,
                                    struct fum_error *err) {
    const struct fum_generate_params *p = run->params;
    int most = pipe->view->low_res.max_level;
    float level = p->has_class ? p->class_label : (float)FUM_MIN(DEFAULT_LEVEL, most);
    run->class_label = level;
    run->labelled = true;
    if (level >= 0 && level <= (float)most && level == floorf(level)) return FUM_OK;
    return fum_error_set(err, FUM_ERR_ARG,
                         "noise level %g is not one of the model's: --noise-level takes 0 to %d",
                         (double)level, most);
}

static enum fum_result open_picture(fum_pipeline *pipe, struct fum_run *run,
                                    struct fum_error *err) {
    const struct fum_generate_params *p = run->params;
    const char *name = fum_model_get_info(pipe->model)->name;
    const struct fum_bitmap_box size = {0, 0, run->latent_width, run->latent_height};
    if (!fum_image_given(&p->init_image))
        return fum_error_set(err, FUM_ERR_ARG,
                             "the model %s enlarges pictures: give one with --init-img", name);
    if (fum_mask_given(p))
        return fum_error_set(err, FUM_ERR_ARG,
                             "the model %s enlarges whole pictures: leave --mask out", name);
    enum fum_result result = choose_level(pipe, run, err);
    return result ? result
                  : fum_given_fit_to(run, &run->given.original, size, &run->given.picture, err);
}

// Finds the factors of the picture and of its noise.
static enum fum_result find_factors(const fum_pipeline *pipe, const struct fum_run *run,
                                    float factors[2], struct fum_error *err) {
    const struct fum_sample_config *schedule = &pipe->view->low_res.schedule;
    size_t count = (size_t)fum_sample_config_timesteps(schedule);
    double *alphas = fum_alloc(count, sizeof *alphas);
    if (!alphas) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a noise schedule");
    enum fum_result result = fum_sample_config_alphas(schedule, alphas, err);
    if (!result) {
        float alpha = (float)alphas[(size_t)run->class_label];
        factors[0] = sqrtf(alpha);
        factors[1] = sqrtf(1 - alpha);
    }
    fum_free(alphas);
    return result;
}

// Describes the noised picture as a distribution that each picture of the run draws from.
static enum fum_result describe_picture(fum_pipeline *pipe, struct fum_run *run,
                                        struct fum_error *err) {
    const struct fum_bitmap *picture = &run->given.picture;
    struct fum_given_latents *small = &run->given.small;
    size_t count = (size_t)picture->width * (size_t)picture->height * (size_t)picture->channels;
    float factors[2] = {0};
    enum fum_result result = find_factors(pipe, run, factors, err);
    if (result) return result;
    *small = (struct fum_given_latents){.channels = picture->channels,
                                        .drawn = true,
                                        .mean = fum_alloc(count, sizeof *small->mean),
                                        .deviation = fum_alloc(count, sizeof *small->deviation)};
    if (!small->mean || !small->deviation)
        return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a picture");
    for (size_t i = 0; i < count; i++) {
        small->mean[i] = factors[0] * ((float)picture->pixels[i] / 255 * 2 - 1);
        small->deviation[i] = factors[1];
    }
    return FUM_OK;
}

static enum fum_result write_batch(fum_pipeline *pipe, const struct fum_run *run,
                                   const struct fum_start *start, struct fum_error *err) {
    (void)run;
    return fum_beside_write(pipe, start->small, 0, err);
}

const struct fum_task fum_task_low_res = {
    .name = "low_res",
    .serves = serves,
    .open = open_picture,
    .encode = describe_picture,
    .add_inputs = fum_beside_add,
    .write_batch = write_batch,
};
