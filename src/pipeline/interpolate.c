// SPDX-License-Identifier: MIT
// Draws the pictures between two noises by a sampler. The noises are those of two seeds, or those
// that DDIM draws two pictures from (Song, Meng and Ermon 2020, section 5.3).
#include "pipeline/pipeline.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

bool fum_end_is_seed(const char *text) {
    return *text && !text[strspn(text, "0123456789")];
}

// The inversion of one end, within the request that needs it.
struct inversion {
    const struct fum_generate_params *outer;
    int width, height; // of the picture
    float *noise;
};

static bool on_step(void *user, int image, int step, int steps) {
    const struct inversion *inversion = user;
    const struct fum_generate_params *outer = inversion->outer;
    return !outer->on_step || outer->on_step(outer->user, image, step, steps);
}

static bool on_work(void *user, enum fum_work work, int image, int done, int total) {
    const struct inversion *inversion = user;
    const struct fum_generate_params *outer = inversion->outer;
    return !outer->on_work || outer->on_work(outer->user, work, image, done, total);
}

static bool on_preview(void *user, const struct fum_image *image, int step) {
    const struct inversion *inversion = user;
    const struct fum_generate_params *outer = inversion->outer;
    return outer->on_preview(outer->user, image, step);
}

static bool keep_noise(void *user, const struct fum_image *image) {
    struct inversion *inversion = user;
    size_t count =
        (size_t)image->latent_channels * (size_t)image->latent_height * (size_t)image->latent_width;
    inversion->width = image->width;
    inversion->height = image->height;
    inversion->noise = fum_alloc(count, sizeof *inversion->noise);
    if (inversion->noise)
        memcpy(inversion->noise, image->latents, count * sizeof *inversion->noise);
    return true;
}

static enum fum_result invert_end(fum_pipeline *pipe, const struct fum_generate_params *params,
                                  const char *path, struct inversion *inversion,
                                  struct fum_error *err) {
    struct fum_generate_params own = *params;
    *inversion = (struct inversion){.outer = params};
    own.on_step = on_step;
    own.on_work = params->on_work ? on_work : NULL;
    own.on_preview = params->on_preview ? on_preview : NULL;
    own.on_image = keep_noise;
    own.user = inversion;
    enum fum_result result = fum_invert(pipe, &own, path, err);
    if (result || inversion->noise) return result;
    return fum_error_set(err, FUM_ERR_NOMEM, "no memory for the noise of %s", path);
}

// Finds the noises of two pictures and the settings by which DDIM draws them again.
static enum fum_result invert_ends(fum_pipeline *pipe, struct fum_generate_params *own,
                                   struct fum_ends *ends, struct fum_error *err) {
    struct inversion inversions[2] = {{0}};
    enum fum_result result = FUM_OK;
    if (own->sampler && strcmp(own->sampler, "ddim"))
        return fum_error_set(err, FUM_ERR_ARG,
                             "pictures are interpolated by sampler ddim, not %s, which cannot be "
                             "inverted",
                             own->sampler);
    own->sampler = "ddim";
    own->eta = -1;
    if (own->guidance == 0) own->guidance = 1;
    for (int i = 0; i < 2 && !result; i++) {
        result = invert_end(pipe, own, own->interpolate[i], &inversions[i], err);
        ends->noise[i] = inversions[i].noise;
    }
    own->width = inversions[0].width;
    own->height = inversions[0].height;
    bool equal = own->width == inversions[1].width && own->height == inversions[1].height;
    if (result || equal) return result;
    return fum_error_set(err, FUM_ERR_ARG, "%s is %d × %d and %s is %d × %d: sizes must be equal",
                         own->interpolate[0], own->width, own->height, own->interpolate[1],
                         inversions[1].width, inversions[1].height);
}

enum fum_result fum_interpolate(fum_pipeline *pipe, const struct fum_generate_params *params,
                                int begin, struct fum_error *err) {
    struct fum_generate_params own = *params;
    struct fum_ends ends = {0};
    bool seeds = fum_end_is_seed(own.interpolate[0]);
    if (seeds != fum_end_is_seed(own.interpolate[1]))
        return fum_error_set(err, FUM_ERR_ARG, "interpolate between two pictures or two seeds");
    if (own.noise)
        return fum_error_set(err, FUM_ERR_ARG, "an interpolation has the noise of its ends");
    for (int i = 0; i < 2 && seeds; i++) ends.seed[i] = strtoull(own.interpolate[i], NULL, 10);
    enum fum_result result = seeds ? FUM_OK : invert_ends(pipe, &own, &ends, err);
    struct fum_run run = {.params = &own, .begin = begin, .ends = &ends};
    if (!result) result = fum_run_request(pipe, &run, err);
    fum_free(ends.noise[0]);
    fum_free(ends.noise[1]);
    return result;
}
