// SPDX-License-Identifier: MIT
// Draws pictures in two passes, as A1111's "hires fix" does. The first draws them small. Their
// latents or pixels are enlarged, and the second starts from there as from a picture.
#include "base/error.h"
#include "base/macros.h"
#include "pipeline/enlarge.h"
#include "pipeline/pipeline.h"

#include <math.h>
#include <string.h>

#define DEFAULT_STRENGTH 0.7

// A picture of the first pass.
struct small {
    float *latents; // [height, width, channels]
    int latent_height, latent_width;
    struct fum_bitmap picture; // empty where latents are enlarged
};

struct job {
    fum_pipeline *pipe;
    const struct fum_generate_params *params; // the caller's
    const struct fum_enlarger *way;           // NULL: the network
    fum_upscaler *network;
    double strength;
    int first_steps;
    int width, height, steps; // of the second pass
    struct small *small;      // a picture each
    int count, drawn;         // of the request; up to the last that the first pass has drawn
    int index;                // of the picture in the second pass
    bool first, no_memory;
};

// ---- checks ----

static enum fum_result check_side(const struct job *job, const char *name, int side,
                                  struct fum_error *err) {
    int multiple = fum_model_get_info(job->pipe->model)->size_multiple;
    if (side >= multiple && side <= FUM_MAX_SIDE && side % multiple == 0) return FUM_OK;
    return fum_error_set(err, FUM_ERR_ARG,
                         "the second pass has a %s of %d: it must be a multiple of %d up to %d",
                         name, side, multiple, FUM_MAX_SIDE / multiple * multiple);
}

// Finds the size of the second pass.
static enum fum_result choose_size(struct job *job, struct fum_error *err) {
    const struct fum_hires_params *hires = job->params->hires;
    const struct fum_model_info *info = fum_model_get_info(job->pipe->model);
    double scale = hires->scale != 0 ? hires->scale : FUM_HIRES_SCALE;
    if (!(scale >= 1 && scale <= 16))
        return fum_error_set(err, FUM_ERR_ARG, "hires scale %g is not between 1 and 16", scale);
    int m = info->size_multiple;
    double width = job->params->width ? job->params->width : info->width,
           height = job->params->height ? job->params->height : info->height;
    job->width = hires->width ? hires->width : (int)(width * scale) / m * m;
    job->height = hires->height ? hires->height : (int)(height * scale) / m * m;
    enum fum_result result = check_side(job, "width", job->width, err);
    if (!result) result = check_side(job, "height", job->height, err);
    if (!result && (int64_t)job->width * job->height > FUM_MAX_PIXELS)
        result = fum_error_set(err, FUM_ERR_ARG,
                               "the second pass has %d x %d pixels; at most %d can be drawn",
                               job->width, job->height, FUM_MAX_PIXELS);
    return result;
}

static enum fum_result choose_steps(struct job *job, struct fum_error *err) {
    const struct fum_generate_params *p = job->params;
    const struct fum_hires_params *hires = p->hires;
    int own = p->steps ? p->steps : fum_model_get_info(job->pipe->model)->steps;
    job->first_steps = own;
    job->strength = hires->strength != 0 ? hires->strength : DEFAULT_STRENGTH;
    job->steps = hires->steps ? hires->steps : own;
    if (!(job->strength > 0 && job->strength <= 1))
        return fum_error_set(err, FUM_ERR_ARG, "hires strength %g is not above 0 and at most 1",
                             job->strength);
    if (job->steps >= 1 && (int)(job->steps * job->strength) >= 1) return FUM_OK;
    return fum_error_set(err, FUM_ERR_ARG,
                         "hires strength %g of %d steps leaves none to take: raise either",
                         job->strength, job->steps);
}

static enum fum_result check_request(const struct job *job, struct fum_error *err) {
    const struct fum_generate_params *p = job->params;
    if (!job->pipe->kind->encode_posterior)
        return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                             "the model %s has no encoder of pictures, so it draws in one pass",
                             fum_model_get_info(job->pipe->model)->name);
    if (fum_image_given(&p->init_image))
        return fum_error_set(err, FUM_ERR_ARG,
                             "a second pass follows pictures that are drawn from noise alone: "
                             "leave the picture to start from out");
    if (p->step_noise || p->sigmas)
        return fum_error_set(err, FUM_ERR_ARG,
                             "two passes take neither the noise of steps nor sigmas");
    return FUM_OK;
}

static enum fum_result open_network(struct job *job, struct fum_error *err) {
    const struct fum_pipeline_params *own = &job->pipe->params;
    const struct fum_upscaler_params params = {.path = job->params->hires->upscaler,
                                               .tile = job->params->hires->tile,
                                               .memory_budget = own->memory_budget,
                                               .precision = own->precision,
                                               .threads = own->threads,
                                               .log = own->log};
    enum fum_result result = fum_upscaler_create(&job->network, job->pipe->device, &params, err);
    if (result || fum_upscaler_get_info(job->network)->channels == 3) return result;
    return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                         "%s enlarges grey pictures; a second pass needs one for RGB", params.path);
}

// Checks everything about the second pass, so that it does not fail after the first.
static enum fum_result open_job(struct job *job, struct fum_error *err) {
    const char *name = job->params->hires->upscaler;
    job->way = fum_enlarger_find(name ? name : "latent");
    job->count = job->params->count ? job->params->count : 1;
    enum fum_result result = check_request(job, err);
    if (!result) result = choose_size(job, err);
    if (!result) result = choose_steps(job, err);
    if (!result && (job->count < 1 || job->count > FUM_MAX_PICTURES))
        result = fum_error_set(err, FUM_ERR_ARG, "count must be 1 to %d", FUM_MAX_PICTURES);
    if (!result && !job->way) result = open_network(job, err);
    if (result) return result;
    job->small = fum_calloc((size_t)job->count, sizeof *job->small);
    return job->small ? FUM_OK : fum_error_set(err, FUM_ERR_NOMEM, "no memory for two passes");
}

// ---- callbacks of both passes ----

static bool on_step(void *user, int image, int step, int steps) {
    const struct job *job = user;
    return job->params->on_step(job->params->user, job->first ? image : job->index, step, steps);
}

static bool on_work(void *user, enum fum_work work, int image, int done, int total) {
    const struct job *job = user;
    return job->params->on_work(job->params->user, work, job->first ? image : job->index, done,
                                total);
}

static bool on_preview(void *user, const struct fum_image *image, int step) {
    const struct job *job = user;
    struct fum_image preview = *image;
    if (!job->first) preview.index = job->index;
    return job->params->on_preview(job->params->user, &preview, step);
}

// Hands over what a ControlNet reads, once, in the first pass.
static bool on_control(void *user, const struct fum_image *image) {
    const struct job *job = user;
    return !job->first || job->params->on_control(job->params->user, image);
}

// Keeps what the second pass needs of a picture.
static bool keep_small(void *user, const struct fum_image *image) {
    struct job *job = user;
    struct small *small = &job->small[job->drawn++];
    size_t pixels = (size_t)image->latent_width * (size_t)image->latent_height,
           channels = (size_t)image->latent_channels;
    small->latent_height = image->latent_height;
    small->latent_width = image->latent_width;
    small->latents = fum_alloc(pixels * channels, sizeof *small->latents);
    job->no_memory = !small->latents;
    if (small->latents) fum_planes_to_pixels(image->latents, small->latents, pixels, channels);
    if (!image->pixels || job->no_memory) return !job->no_memory;
    size_t bytes = (size_t)image->width * (size_t)image->height * (size_t)image->channels;
    small->picture =
        (struct fum_bitmap){fum_alloc(bytes, 1), image->width, image->height, image->channels};
    job->no_memory = !small->picture.pixels;
    if (!job->no_memory) memcpy(small->picture.pixels, image->pixels, bytes);
    return !job->no_memory;
}

static bool hand_over(void *user, const struct fum_image *image) {
    const struct job *job = user;
    struct fum_image large = *image;
    large.index = job->index;
    return job->params->on_image(job->params->user, &large);
}

// ---- the passes ----

// Returns the request of a pass.
static struct fum_generate_params pass_params(struct job *job) {
    struct fum_generate_params params = *job->params;
    params.hires = NULL;
    if (params.on_step) params.on_step = on_step;
    if (params.on_work) params.on_work = on_work;
    if (params.on_preview) params.on_preview = on_preview;
    if (params.on_control) params.on_control = on_control;
    params.on_image = job->first ? keep_small : hand_over;
    params.user = job;
    return params;
}

static enum fum_result draw_small(struct job *job, struct fum_error *err) {
    job->first = true;
    const struct fum_generate_params params = pass_params(job);
    struct fum_run run = {
        .params = &params, .begin = job->index, .latents_only = job->way && job->way->weigh};
    enum fum_result result = fum_run_request(job->pipe, &run, err);
    job->first = false;
    return job->no_memory ? fum_error_set(err, FUM_ERR_NOMEM, "no memory for a picture") : result;
}

static enum fum_result enlarge_latents(const struct job *job, const struct small *small,
                                       struct fum_run *run, struct fum_error *err) {
    int channels = run->latent_channels;
    float *mean = fum_alloc((size_t)run->latent_width * (size_t)run->latent_height,
                            (size_t)channels * sizeof *mean);
    if (!mean) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for the latents of a picture");
    run->given.start.mean = mean;
    return fum_enlarge_latents(
        job->way,
        &(struct fum_grid){small->latents, small->latent_height, small->latent_width, channels},
        &(struct fum_grid){mean, run->latent_height, run->latent_width, channels}, err);
}

// Enlarges a picture and encodes it again.
static enum fum_result enlarge_picture(const struct job *job, const struct small *small,
                                       struct fum_run *run, struct fum_error *err) {
    struct fum_bitmap *large = &run->given.picture;
    *large = (struct fum_bitmap){.width = job->width, .height = job->height};
    enum fum_result result =
        job->way ? job->way->scale(&small->picture, job->width, job->height, large, err)
                 : fum_enlarge_by_network(job->network, &small->picture, large, err);
    run->given.start.drawn = true;
    return result ? result : fum_given_encode(job->pipe, run, NULL, &run->given.start, err);
}

// Gives a request of one picture the seeds that picture `index` has, see fum_run_seed.
static void move_seeds(struct fum_generate_params *params, int index) {
    if (params->subseed_strength > 0)
        params->subseed += (uint64_t)index;
    else
        params->seed += (uint64_t)index;
}

// Sets the picture that the second pass starts from.
static enum fum_result enlarge(const struct job *job, struct fum_run *run, struct fum_error *err) {
    const struct small *small = &job->small[job->index];
    if (job->way && job->way->weigh) return enlarge_latents(job, small, run, err);
    return enlarge_picture(job, small, run, err);
}

// Draws picture job->index again from its enlarged self.
static enum fum_result draw_large(struct job *job, struct fum_error *err) {
    bool draws = job->index != FUM_DRAW_NONE;
    struct fum_generate_params params = pass_params(job);
    int factor = fum_vae_factor(&job->pipe->view->vae);
    params.width = job->width;
    params.height = job->height;
    params.steps = job->steps;
    if (draws) move_seeds(&params, job->index);
    params.count = params.batch = 1;
    params.noise = NULL;
    struct fum_run run = {.params = &params,
                          .begin = draws ? 0 : FUM_DRAW_NONE,
                          .strength = job->strength,
                          .hires = job->params->hires,
                          .steps_before = job->first_steps,
                          .latent_width = job->width / factor,
                          .latent_height = job->height / factor,
                          .latent_channels = job->pipe->view->vae.latent_channels};
    enum fum_result result = draws ? enlarge(job, &run, err) : FUM_OK;
    if (!result) return fum_run_request(job->pipe, &run, err); // which frees what is given
    fum_given_free(&run.given);
    return result;
}

enum fum_result fum_hires_generate(fum_pipeline *pipe, const struct fum_generate_params *params,
                                   int begin, struct fum_error *err) {
    struct job job = {.pipe = pipe, .params = params, .drawn = FUM_MAX(begin, 0), .index = begin};
    enum fum_result result = open_job(&job, err);
    if (!result) result = draw_small(&job, err);
    if (!result && begin == FUM_DRAW_NONE) result = draw_large(&job, err);
    for (; begin >= 0 && job.index < job.drawn && !result; job.index++)
        result = draw_large(&job, err);
    for (int i = 0; job.small && i < job.drawn; i++) {
        fum_free(job.small[i].latents);
        fum_bitmap_free(&job.small[i].picture);
    }
    fum_free(job.small);
    fum_upscaler_destroy(&job.network);
    return result;
}
