// SPDX-License-Identifier: MIT
// Finds the noise that a picture comes from: its latents, run through DDIM in reverse.
#include "pipeline/pipeline.h"

#include "base/error.h"
#include "io/image.h"

static enum fum_result check_side(const fum_pipeline *pipe, const char *path, int side,
                                  struct fum_error *err) {
    int multiple = fum_model_get_info(pipe->model)->size_multiple;
    if (side % multiple == 0) return FUM_OK;
    return fum_error_set(err, FUM_ERR_ARG,
                         "%s: a side of %d pixels, where the model needs multiples of %d; crop or "
                         "scale the picture first",
                         path, side, multiple);
}

// Encodes 8-bit pixels to latents, [height, width, channels].
static enum fum_result encode(fum_pipeline *pipe, const struct fum_bitmap *bitmap, float *latents,
                              struct fum_error *err) {
    size_t count = (size_t)bitmap->width * (size_t)bitmap->height * (size_t)bitmap->channels;
    float *values = fum_alloc(count, sizeof *values);
    if (!values) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a picture");
    for (size_t i = 0; i < count; i++) values[i] = (float)bitmap->pixels[i] / 255 * 2 - 1;
    enum fum_result result = pipe->kind->encode(
        pipe, &(struct fum_pixels){values, bitmap->height, bitmap->width}, latents, err);
    fum_free(values);
    return result;
}

// Runs the inversion from the latents of a picture.
static enum fum_result run_from(fum_pipeline *pipe, const struct fum_generate_params *params,
                                const struct fum_bitmap *bitmap, struct fum_error *err) {
    int factor = fum_vae_factor(&pipe->view->vae), channels = pipe->view->vae.latent_channels;
    int height = bitmap->height / factor, width = bitmap->width / factor;
    size_t pixels = (size_t)height * (size_t)width, count = pixels * (size_t)channels;
    float *latents = fum_alloc(count, sizeof *latents), *planes = fum_alloc(count, sizeof *planes);
    struct fum_generate_params own = *params;
    enum fum_result result = latents && planes
                                 ? encode(pipe, bitmap, latents, err)
                                 : fum_error_set(err, FUM_ERR_NOMEM, "no memory for latents");
    if (!result) fum_pixels_to_planes(latents, planes, pixels, (size_t)channels);
    own.width = bitmap->width;
    own.height = bitmap->height;
    own.count = own.batch = 1;
    own.init_image = (struct fum_image_source){0};
    own.sampler = "ddim";
    own.eta = 0;
    own.noise = planes;
    own.noise_shape[0] = 1;
    own.noise_shape[1] = channels;
    own.noise_shape[2] = height;
    own.noise_shape[3] = width;
    if (own.guidance == 0) own.guidance = 1;
    if (!own.prompt && fum_model_get_info(pipe->model)->takes_prompt) own.prompt = "";
    if (!result)
        result = fum_run_request(pipe, &(struct fum_run){.params = &own, .invert = true}, err);
    fum_free(latents);
    fum_free(planes);
    return result;
}

enum fum_result fum_invert(fum_pipeline *pipe, const struct fum_generate_params *params,
                           const char *path, struct fum_error *err) {
    struct fum_bitmap bitmap = {0};
    if (!pipe->kind->encode)
        return fum_error_set(err, FUM_ERR_ARG, "the model %s has no sampler to invert",
                             fum_model_get_info(pipe->model)->name);
    enum fum_result result = fum_image_read(path, pipe->view->vae.in_channels, &bitmap, NULL, err);
    if (!result) result = check_side(pipe, path, bitmap.width, err);
    if (!result) result = check_side(pipe, path, bitmap.height, err);
    if (!result) result = run_from(pipe, params, &bitmap, err);
    fum_bitmap_free(&bitmap);
    return result;
}
