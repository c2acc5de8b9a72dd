// SPDX-License-Identifier: MIT
// Shared by the tests of single pipelines: models, and pictures that are kept.
#ifndef TESTS_PIPELINE_PICTURE_H
#define TESTS_PIPELINE_PICTURE_H

#include "open.h"

#include "distance.h"

#include "pipeline/pipeline.h"

static inline fum_model *open_model(const char *path) {
    struct fum_error err = {0};
    fum_model *model = NULL;
    ok(fum_model_open(&model, &(struct fum_model_params){.path = path}, &err), &err);
    return model;
}

static inline const char *tiny_path(void) {
    static char path[1024];
    snprintf(path, sizeof path, "%s/model-sd1", getenv("FUM_TEST_DATA"));
    return path;
}

static inline const char *emoji_path(void) {
    static char path[1024];
    snprintf(path, sizeof path, "%s/models/emoji", getenv("FUM_SOURCE_ROOT"));
    return path;
}

static inline fum_pipeline *open_pipeline(fum_device *device, const fum_model *model,
                                          enum fum_precision precision, const struct fum_log *log) {
    struct fum_error err = {0};
    fum_pipeline *pipe = NULL;
    struct fum_pipeline_params params = {.precision = precision, .log = log};
    ok(fum_pipeline_create(&pipe, device, model, &params, &err), &err);
    return pipe;
}

// The last picture that was handed over, with its latents as fum_decode takes them: [height, width,
// channels].
struct kept {
    int count, width, height, latent_width, latent_height;
    size_t bytes, latent_count;
    uint8_t *pixels;
    float *latents;
};

static inline bool keep(void *user, const struct fum_image *image) {
    struct kept *k = user;
    size_t channels = (size_t)image->latent_channels,
           area = (size_t)image->latent_width * (size_t)image->latent_height;
    free(k->pixels);
    free(k->latents);
    *k = (struct kept){.count = k->count + 1,
                       .width = image->width,
                       .height = image->height,
                       .latent_width = image->latent_width,
                       .latent_height = image->latent_height,
                       .bytes = (size_t)(3 * image->width * image->height),
                       .latent_count = channels * area};
    k->pixels = malloc(k->bytes);
    k->latents = malloc(k->latent_count * sizeof *k->latents);
    memcpy(k->pixels, image->pixels, k->bytes);
    for (size_t p = 0; p < area; p++)
        for (size_t c = 0; c < channels; c++)
            k->latents[p * channels + c] = image->latents[c * area + p];
    return true;
}

static inline void kept_free(struct kept *k) {
    free(k->pixels);
    free(k->latents);
    *k = (struct kept){0};
}

#endif
