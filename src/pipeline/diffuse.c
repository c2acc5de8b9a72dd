// SPDX-License-Identifier: MIT
// Shows the forward process: a picture with the noise of several timesteps.
#include "pipeline/pipeline.h"

#include "base/error.h"
#include "base/require.h"
#include "base/rng.h"
#include "io/image.h"
#include "sample/sample.h"

#include <math.h>

// A picture, its noise, and the levels of the schedule.
struct diffusion {
    struct fum_bitmap bitmap;
    float *noise, *values;  // [channels, height, width]; [height, width, channels]
    double *betas, *alphas; // of all timesteps
    int timesteps;
    uint8_t *pixels; // of x_t
};

static size_t count_values(const struct diffusion *d) {
    return (size_t)d->bitmap.width * (size_t)d->bitmap.height * (size_t)d->bitmap.channels;
}

static enum fum_result read_schedule(struct diffusion *d, const struct fum_diffuse_params *params,
                                     struct fum_error *err) {
    struct fum_sample_config config = fum_sample_config_unset();
    double start = params->beta_start, end = params->beta_end;
    if (start != 0) config.beta_start = start;
    if (end != 0) config.beta_end = end;
    config.num_train_timesteps = params->train_timesteps;
    if (start < 0 || start >= 1 || end < 0 || end >= 1 || params->train_timesteps < 0 ||
        params->train_timesteps > FUM_SAMPLE_MAX_TRAIN)
        return fum_error_set(err, FUM_ERR_ARG,
                             "betas must be above 0 and below 1, timesteps at most %d",
                             FUM_SAMPLE_MAX_TRAIN);
    enum fum_result result =
        params->beta_schedule ? fum_betas_parse(&config.beta_schedule, params->beta_schedule, err)
                              : FUM_OK;
    if (result) return result;
    d->timesteps = fum_sample_config_timesteps(&config);
    d->betas = fum_calloc(2 * (size_t)d->timesteps, sizeof *d->betas);
    if (!d->betas) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a noise schedule");
    d->alphas = d->betas + d->timesteps;
    return fum_sample_config_levels(&config, d->betas, d->alphas, err);
}

// Reads the picture as grey or RGB and draws the noise.
static enum fum_result read_picture(struct diffusion *d, const struct fum_diffuse_params *params,
                                    struct fum_error *err) {
    struct fum_rng rng;
    enum fum_result result = fum_image_read(params->path, 0, &d->bitmap, NULL, err);
    if (!result && d->bitmap.channels != 1 && d->bitmap.channels != 3) {
        fum_bitmap_free(&d->bitmap);
        result = fum_image_read(params->path, 3, &d->bitmap, NULL, err);
    }
    if (result) return result;
    size_t count = count_values(d);
    d->noise = fum_alloc(count, sizeof *d->noise);
    d->values = fum_alloc(count, sizeof *d->values);
    d->pixels = fum_alloc(count, 1);
    if (!d->noise || !d->values || !d->pixels)
        return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a picture");
    fum_rng_init(&rng, params->rng, params->seed);
    fum_rng_normal(&rng, d->noise, count);
    return FUM_OK;
}

// Computes x_t as a picture.
static void diffuse_at(struct diffusion *d, const struct fum_noise_level *level) {
    size_t channels = (size_t)d->bitmap.channels, count = count_values(d), plane = count / channels;
    double signal = sqrt(level->alpha_bar), noise = sqrt(1 - level->alpha_bar);
    for (size_t i = 0; i < count; i++) {
        double x = d->bitmap.pixels[i] / 127.5 - 1;
        double epsilon = (double)d->noise[i % channels * plane + i / channels];
        d->values[i] = (float)(signal * x + noise * epsilon);
    }
    fum_pixels_to_bytes(d->values, d->pixels, count);
}

static enum fum_result show(struct diffusion *d, const struct fum_diffuse_params *params, int t,
                            struct fum_error *err) {
    if (t < 0 || t >= d->timesteps)
        return fum_error_set(err, FUM_ERR_ARG, "timestep %d is not between 0 and %d", t,
                             d->timesteps - 1);
    struct fum_noise_level level = {.t = t, .beta = d->betas[t], .alpha_bar = d->alphas[t]};
    level.snr = level.alpha_bar / (1 - level.alpha_bar);
    diffuse_at(d, &level);
    const struct fum_image image = {.width = d->bitmap.width,
                                    .height = d->bitmap.height,
                                    .channels = d->bitmap.channels,
                                    .pixels = d->pixels};
    if (params->on_picture(params->user, &level, &image)) return FUM_OK;
    return fum_error_set(err, FUM_ERR_CANCELLED, "stopped after timestep %d", t);
}

enum fum_result fum_diffuse(const struct fum_diffuse_params *params, struct fum_error *err) {
    struct diffusion d = {0};
    if (fum_require(params->path, "a path", err)) return FUM_ERR_ARG;
    if (!params->on_picture) return fum_error_set(err, FUM_ERR_ARG, "on_picture is required");
    enum fum_result result = read_schedule(&d, params, err);
    if (!result) result = read_picture(&d, params, err);
    for (int i = 0; i < params->num_times && !result; i++)
        result = show(&d, params, params->times[i], err);
    fum_bitmap_free(&d.bitmap);
    fum_free(d.noise);
    fum_free(d.values);
    fum_free(d.pixels);
    fum_free(d.betas);
    return result;
}
