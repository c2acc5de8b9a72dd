// SPDX-License-Identifier: MIT
#include "pipeline/given.h"

#include "base/error.h"
#include "base/macros.h"
#include "pipeline/pipeline.h"

bool fum_image_given(const struct fum_image_source *source) {
    return source->path || source->data;
}

// Returns what errors call a picture that lies in memory.
static const char *name_source(const struct fum_generate_params *params,
                               const struct fum_image_source *source) {
    if (source == &params->init_image) return "the picture";
    return source == &params->mask ? "the mask" : "the picture of a ControlNet";
}

enum fum_result fum_given_read(const struct fum_run *run, const struct fum_image_source *source,
                               int channels, struct fum_bitmap *bitmap, struct fum_error *err) {
    struct fum_image_file file = {.data = source->data,
                                  .bytes = source->bytes,
                                  .where = name_source(run->params, source),
                                  .max_pixels = run->params->max_pixels,
                                  .refuse_inks = true};
    struct fum_bitmap read = {0};
    enum fum_result result = source->path
                                 ? fum_image_read_file(source->path, file.max_pixels, &read, err)
                                 : fum_image_decode_upright(&file, &read, err);
    *bitmap = (struct fum_bitmap){0};
    if (result) return result;
    fum_bitmap_flatten(&read);
    if (!channels || channels == read.channels) {
        *bitmap = read;
        return FUM_OK;
    }
    result = fum_bitmap_convert(&read, channels, bitmap, err);
    fum_bitmap_free(&read);
    return result;
}

// Returns a side of the run: the request's, or the picture's, rounded down. An upscaler's is so
// many times as long.
static int choose_side(const fum_pipeline *pipe, int requested, int side) {
    int multiple = fum_model_get_info(pipe->model)->size_multiple;
    if (requested) return requested;
    int longer = pipe->view->low_res.reads ? fum_vae_factor(&pipe->view->vae) : 1;
    if (pipe->view->traits.doubles) longer = 2;
    return FUM_MAX(side * longer / multiple, 1) * multiple;
}

enum fum_result fum_given_open(const fum_pipeline *pipe, struct fum_run *run,
                               struct fum_error *err) {
    const struct fum_generate_params *p = run->params;
    struct fum_bitmap *original = &run->given.original;
    if (!fum_image_given(&p->init_image)) return FUM_OK;
    enum fum_result result =
        fum_given_read(run, &p->init_image, pipe->view->vae.in_channels, original, err);
    if (!result) result = fum_canvas_grow(run, err);
    if (result) return result;
    run->width = choose_side(pipe, p->width, original->width);
    run->height = choose_side(pipe, p->height, original->height);
    return FUM_OK;
}

enum fum_result fum_given_fit_to(const struct fum_run *run, const struct fum_bitmap *from,
                                 struct fum_bitmap_box size, struct fum_bitmap *to,
                                 struct fum_error *err) {
    static const enum fum_bitmap_fit ways[] = {[FUM_RESIZE_STRETCH] = FUM_BITMAP_STRETCH,
                                               [FUM_RESIZE_CROP] = FUM_BITMAP_COVER,
                                               [FUM_RESIZE_PAD] = FUM_BITMAP_INSIDE};
    if ((size_t)run->params->resize_mode >= FUM_COUNT(ways))
        return fum_error_set(err, FUM_ERR_ARG, "there is no resize mode %d",
                             (int)run->params->resize_mode);
    return fum_bitmap_fit(from, ways[run->params->resize_mode], size, to, err);
}

enum fum_result fum_given_fit(const struct fum_run *run, const struct fum_bitmap *from,
                              struct fum_bitmap *to, struct fum_error *err) {
    const struct fum_bitmap_box size = {0, 0, run->width, run->height};
    return fum_given_fit_to(run, from, size, to, err);
}

#define DEFAULT_STRENGTH 0.75

enum fum_result fum_given_prepare(struct fum_run *run, struct fum_error *err) {
    double strength = run->params->strength;
    if (strength < 0)
        return fum_error_set(err, FUM_ERR_ARG,
                             "a strength of 0 leaves no steps to take: raise it, up to 1");
    run->given.strength = fum_canvas_grows(run->params) ? 1 : DEFAULT_STRENGTH;
    if (strength > 0) run->given.strength = strength;
    run->strength = run->given.strength;
    if (run->given.picture.pixels) return FUM_OK;
    return fum_given_fit(run, &run->given.original, &run->given.picture, err);
}

// Writes a picture's values in [-1, 1], 0 where a mask lets it change.
static void read_values(const struct fum_bitmap *picture, const struct fum_bitmap *without,
                        float *values) {
    size_t count = (size_t)picture->width * (size_t)picture->height,
           channels = (size_t)picture->channels;
    for (size_t i = 0; i < count; i++)
        for (size_t c = 0; c < channels; c++)
            values[i * channels + c] = without && without->pixels[i] >= FUM_MASK_CHANGES
                                           ? 0
                                           : (float)picture->pixels[i * channels + c] / 255 * 2 - 1;
}

enum fum_result fum_given_encode(fum_pipeline *pipe, const struct fum_run *run,
                                 const struct fum_bitmap *without,
                                 struct fum_given_latents *latents, struct fum_error *err) {
    const struct fum_bitmap *picture = &run->given.picture;
    size_t count = (size_t)picture->width * (size_t)picture->height * (size_t)picture->channels;
    size_t factor = (size_t)fum_vae_factor(&pipe->view->vae);
    size_t one = (size_t)picture->width / factor * ((size_t)picture->height / factor) *
                 (size_t)run->latent_channels;
    float *values = fum_alloc(count, sizeof *values);
    bool posterior = latents->drawn && pipe->kind->encode_posterior;
    latents->mean = fum_alloc(one, sizeof *latents->mean);
    latents->drawn = posterior;
    if (posterior) latents->deviation = fum_alloc(one, sizeof *latents->deviation);
    enum fum_result result = FUM_OK;
    if (!values || !latents->mean || (posterior && !latents->deviation))
        result = fum_error_set(err, FUM_ERR_NOMEM, "no memory for the latents of a picture");
    if (!result) read_values(picture, without, values);
    const struct fum_pixels pixels = {values, picture->height, picture->width};
    if (!result && posterior)
        result =
            pipe->kind->encode_posterior(pipe, &pixels, latents->mean, latents->deviation, err);
    else if (!result)
        result = pipe->kind->encode(pipe, &pixels, latents->mean, err);
    fum_free(values);
    return result;
}

static void free_latents(struct fum_given_latents *latents) {
    fum_free(latents->mean);
    fum_free(latents->deviation);
}

void fum_given_free(struct fum_given *given) {
    fum_bitmap_free(&given->original);
    fum_bitmap_free(&given->picture);
    fum_bitmap_free(&given->mask.whole);
    fum_bitmap_free(&given->mask.soft);
    fum_free(given->mask.latents);
    free_latents(&given->small);
    free_latents(&given->start);
    free_latents(&given->masked);
    *given = (struct fum_given){0};
}
