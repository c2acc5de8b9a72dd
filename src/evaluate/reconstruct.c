// SPDX-License-Identifier: MIT
#include "evaluate/reconstruct.h"

#include "base/alloc.h"
#include "base/error.h"
#include "pipeline/autoencoder.h"

struct fum_reconstructor {
    fum_model *model;
    fum_device *device;
    fum_pipeline *pipeline;
};

static enum fum_result open_model(fum_reconstructor *r, const char *path,
                                  const struct fum_evaluate_params *params, struct fum_error *err) {
    const struct fum_model_params source = {.path = path, .log = params->log};
    const struct fum_device_params choice = {.select = params->device, .log = params->log};
    const struct fum_pipeline_params settings = {.log = params->log};
    enum fum_result result = fum_model_open(&r->model, &source, err);
    if (result) return result;
    const struct fum_model_view *view = fum_model_get_view(r->model);
    if (!view->autoencoder && !view->vqvae && !view->kl)
        return fum_error_set(err, FUM_ERR_ARG, "%s: is no autoencoder, which could reconstruct",
                             path);
    result = fum_device_create(&r->device, &choice, err);
    return result ? result : fum_pipeline_create(&r->pipeline, r->device, r->model, &settings, err);
}

enum fum_result fum_reconstructor_open(fum_reconstructor **out, const char *path,
                                       const struct fum_evaluate_params *params,
                                       struct fum_error *err) {
    fum_reconstructor *r = *out = fum_calloc(1, sizeof *r);
    if (!r) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for an autoencoder");
    enum fum_result result = open_model(r, path, params, err);
    if (result) fum_reconstructor_close(out);
    return result;
}

void fum_reconstructor_close(fum_reconstructor **reconstructor) {
    fum_reconstructor *r = *reconstructor;
    if (!r) return;
    fum_pipeline_destroy(&r->pipeline);
    fum_device_destroy(&r->device);
    fum_model_destroy(&r->model);
    fum_free(r);
    *reconstructor = NULL;
}

// Converts the bytes of the model's channels to planes in 0..1.
static void make_planes(const struct fum_bitmap *from, size_t channels, float *planes) {
    size_t pixels = (size_t)from->width * (size_t)from->height;
    for (size_t i = 0; i < pixels; i++)
        for (size_t c = 0; c < channels; c++)
            planes[c * pixels + i] = (float)from->pixels[i * (size_t)from->channels + c] / 255;
}

enum fum_result fum_reconstructor_run(fum_reconstructor *r, const char *name,
                                      const struct fum_bitmap *from, struct fum_bitmap *to,
                                      struct fum_error *err) {
    int channels = fum_autoencoder_channels(r->pipeline);
    if (from->channels < channels || (from->channels > 2) != (channels > 2))
        return fum_error_set(err, FUM_ERR_ARG, "%s: has %d channels, the autoencoder takes %d",
                             name, from->channels, channels);
    enum fum_result result =
        fum_autoencoder_check_size(r->pipeline, name, from->width, from->height, err);
    if (result) return result;
    const struct fum_latent_form form =
        fum_latent_form_of(r->pipeline, true, from->width, from->height);
    size_t pixels = (size_t)from->width * (size_t)from->height;
    *to = (struct fum_bitmap){.width = from->width, .height = from->height, .channels = channels};
    to->pixels = fum_alloc(pixels, (size_t)channels);
    float *planes = fum_alloc(pixels * (size_t)channels, sizeof *planes);
    if (planes) make_planes(from, (size_t)channels, planes);
    if (to->pixels && planes)
        result = fum_autoencoder_reconstruct(r->pipeline, &form, planes, to->pixels, err);
    else
        result = fum_error_set(err, FUM_ERR_NOMEM, "no memory for a picture");
    fum_free(planes);
    return result;
}
