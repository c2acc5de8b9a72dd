// SPDX-License-Identifier: MIT
// Runs a request: checks it, fills in the model's defaults, encodes, denoises, decodes, and hands
// the pictures over.
#include "pipeline/pipeline.h"

#include "base/error.h"
#include "base/log.h"
#include "base/macros.h"
#include "pipeline/budget.h"
#include "pipeline/compile.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

// Pictures that share corrections or steps, unless the caller says how many.
enum { MAX_JOINT = 16 };
// SciPy's least relative tolerance is 100 roundings, and so is this.
#define DEFAULT_TOLERANCE 1e-5
#define LEAST_TOLERANCE   2.3e-14

// Returns the valid side nearest to `side`: a multiple of `m` within the limits.
static int nearest_side(int side, int m) {
    if (side < m) return m;
    return side > FUM_MAX_SIDE ? FUM_MAX_SIDE / m * m : (side + m / 2) / m * m;
}

static enum fum_result check_size(const fum_pipeline *pipe, struct fum_run *run,
                                  struct fum_error *err) {
    const struct fum_model_info *info = fum_model_get_info(pipe->model);
    const struct fum_generate_params *p = run->params;
    if (!run->width) run->width = p->width ? p->width : info->width;
    if (!run->height) run->height = p->height ? p->height : info->height;
    int sides[] = {run->width, run->height};
    for (int i = 0; i < 2; i++) {
        int m = info->size_multiple;
        if (sides[i] < m || sides[i] > FUM_MAX_SIDE || sides[i] % m)
            return fum_error_set(err, FUM_ERR_ARG,
                                 "%s %d is not a multiple of %d between %d and %d: try %d",
                                 i ? "height" : "width", sides[i], m, m, FUM_MAX_SIDE / m * m,
                                 nearest_side(sides[i], m));
    }
    if ((int64_t)run->width * run->height > FUM_MAX_PIXELS)
        return fum_error_set(
            err, FUM_ERR_ARG, "width %d and height %d make %lld pixels; at most %d can be drawn",
            run->width, run->height, (long long)run->width * run->height, FUM_MAX_PIXELS);
    int factor = fum_vae_factor(&pipe->view->vae);
    run->latent_width = run->width / factor;
    run->latent_height = run->height / factor;
    run->latent_channels = pipe->view->vae.latent_channels;
    return FUM_OK;
}

// Checks the noise of the steps, once it is known how much the sampler takes.
static enum fum_result check_step_noise(const struct fum_run *run, struct fum_error *err) {
    const struct fum_generate_params *p = run->params;
    const int *s = p->step_noise_shape;
    if (!p->step_noise) return FUM_OK;
    if (s[0] >= run->program->noise_rows && s[1] >= run->count && s[2] == run->latent_channels &&
        s[3] == run->latent_height && s[4] == run->latent_width)
        return FUM_OK;
    return fum_error_set(
        err, FUM_ERR_ARG,
        "the steps' noise has shape [%d, %d, %d, %d, %d], this run needs [%d, %d, %d, %d, %d]",
        s[0], s[1], s[2], s[3], s[4], run->program->noise_rows, run->count, run->latent_channels,
        run->latent_height, run->latent_width);
}

static enum fum_result check_noise(const struct fum_run *run, struct fum_error *err) {
    const struct fum_generate_params *p = run->params;
    const int *s = p->noise_shape;
    if (!p->noise) return FUM_OK;
    if (s[0] >= run->count && s[1] == run->latent_channels && s[2] == run->latent_height &&
        s[3] == run->latent_width)
        return FUM_OK;
    return fum_error_set(err, FUM_ERR_ARG,
                         "the noise has shape [%d, %d, %d, %d], this run needs [%d, %d, %d, %d]",
                         s[0], s[1], s[2], s[3], run->count, run->latent_channels,
                         run->latent_height, run->latent_width);
}

// Checks what only samplers in continuous time have, and fills in the tolerance.
static enum fum_result check_continuous(const fum_pipeline *pipe, struct fum_run *run,
                                        struct fum_error *err) {
    const struct fum_generate_params *p = run->params;
    const struct fum_sample_program *program = run->program;
    run->tolerance = p->tolerance != 0 ? p->tolerance : DEFAULT_TOLERANCE;
    if (p->tolerance != 0 && !program->adaptive)
        return fum_error_set(err, FUM_ERR_ARG,
                             "sampler %s has no tolerance: leave it out, or use sampler ode",
                             program->sampler);
    if (!(run->tolerance >= LEAST_TOLERANCE && run->tolerance < 1))
        return fum_error_set(err, FUM_ERR_ARG, "tolerance %g is not between %g and 1",
                             run->tolerance, LEAST_TOLERANCE);
    if (program->corrects && run->copies > 1)
        return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                             "sampler %s corrects without guidance: use sampler sde or ode",
                             program->sampler);
    if (p->steps && program->adaptive)
        fum_log(pipe->params.log, FUM_LOG_WARN,
                "sampler %s chooses its own steps by the tolerance: their number is ignored",
                program->sampler);
    // As in the reference, pictures that are drawn together share corrections and steps.
    bool joint = program->corrects || program->adaptive;
    if (joint && !p->batch) run->batch = FUM_MIN(run->count, MAX_JOINT);
    return FUM_OK;
}

static enum fum_result make_program(const fum_pipeline *pipe, struct fum_run *run,
                                    struct fum_error *err) {
    const struct fum_generate_params *p = run->params;
    const struct fum_model_info *info = fum_model_get_info(pipe->model);
    struct fum_sample_params sample = {.sampler = p->sampler,
                                       .own = pipe->view->sampler,
                                       .schedule = p->schedule,
                                       .steps = p->steps ? p->steps : info->steps,
                                       .sigmas = p->sigmas,
                                       .num_sigmas = p->num_sigmas,
                                       .eta = p->eta,
                                       .strength = run->strength,
                                       .invert = run->invert,
                                       .ays = pipe->view->traits.ays,
                                       .config = pipe->view->schedule};
    enum fum_result result = FUM_OK;
    if (p->timestep_spacing)
        result = fum_spacing_parse(&sample.config.timestep_spacing, p->timestep_spacing, err);
    if (result) return result;
    if (!p->sampler && info->unknown_scheduler)
        fum_log(pipe->params.log, FUM_LOG_WARN,
                "the model's scheduler %s is not supported; using sampler %s",
                info->unknown_scheduler, info->sampler);
    result = fum_sample_create(&run->program, &sample, err);
    if (!result && !p->sampler && strcmp(run->program->sampler, info->sampler) != 0)
        fum_log(pipe->params.log, FUM_LOG_WARN,
                "the model's sampler %s visits training timesteps alone: using %s for the noise "
                "levels that were requested",
                info->sampler, run->program->sampler);
    if (!result) result = check_continuous(pipe, run, err);
    if (!result && p->eta != 0 && !run->program->takes_eta)
        fum_log(pipe->params.log, FUM_LOG_WARN, "sampler %s does not use eta, which is ignored",
                run->program->sampler);
    return result;
}

// True if the label is a row of the model's table of classes, or a number that it can embed.
static bool is_class(const struct fum_unet_config *unet, float label) {
    if (unet->class_embed != FUM_UNET_CLASS_TABLE) return isfinite(label);
    return label >= 0 && label < (float)unet->class_count && label == floorf(label);
}

// Reports a class that is missing or out of range. Guidance of a model without a prompt takes the
// last class for the empty one.
static enum fum_result fail_class(const fum_pipeline *pipe, const struct fum_run *run,
                                  struct fum_error *err) {
    int last = pipe->view->unet.class_count - 1;
    char empty[64] = "";
    if (!pipe->view->num_text && last)
        snprintf(empty, sizeof empty, " (%d is the empty class where one was trained)", last);
    if (!run->params->has_class)
        return fum_error_set(err, FUM_ERR_ARG,
                             "the model has %d classes: choose one with --class, from 0 to %d%s",
                             last + 1, last, empty);
    return fum_error_set(err, FUM_ERR_ARG,
                         "class %g is not one of the model's: --class takes 0 to %d%s",
                         (double)run->params->class_label, last, empty);
}

static enum fum_result check_class(const fum_pipeline *pipe, struct fum_run *run,
                                   struct fum_error *err) {
    const struct fum_unet_config *unet = &pipe->view->unet;
    const struct fum_generate_params *p = run->params;
    bool has_classes = unet->class_embed != FUM_UNET_CLASS_NONE;
    if (run->labelled) return FUM_OK;
    run->class_label = p->class_label;
    if (!has_classes && p->has_class && !p->classifier)
        return fum_error_set(err, FUM_ERR_ARG, "the model %s has no classes: leave --class out",
                             fum_model_get_info(pipe->model)->name);
    if (!has_classes || (p->has_class && is_class(unet, p->class_label))) return FUM_OK;
    if (unet->class_embed != FUM_UNET_CLASS_TABLE)
        return fum_error_set(err, FUM_ERR_ARG,
                             "the model embeds a number for its class: give one with --class");
    return fail_class(pipe, run, err);
}

static enum fum_result check_count(struct fum_run *run, struct fum_error *err) {
    const struct fum_generate_params *params = run->params;
    if (params->count < 0 || params->count > FUM_MAX_PICTURES || params->batch < 0 ||
        params->batch > FUM_MAX_BATCH)
        return fum_error_set(err, FUM_ERR_ARG, "count must be 1 to %d, batch 1 to %d",
                             FUM_MAX_PICTURES, FUM_MAX_BATCH);
    run->count = params->count ? params->count : 1;
    run->batch = params->batch ? params->batch : 1;
    if (run->batch > run->count) run->batch = run->count;
    return FUM_OK;
}

// Sets the guidance and the UNet's copies of a picture: two, unless no negative prompt counts.
static enum fum_result check_guidance(const fum_pipeline *pipe, struct fum_run *run,
                                      struct fum_error *err) {
    const struct fum_generate_params *params = run->params;
    const struct fum_model_info *info = fum_model_get_info(pipe->model);
    run->guidance = params->guidance != 0 ? params->guidance : info->guidance;
    if (!isfinite(run->guidance))
        return fum_error_set(err, FUM_ERR_ARG, "guidance must be a number");
    // A UNet distilled with guidance reads it as an input: there is no second branch.
    bool distilled = pipe->view->unet.time_cond_channels > 0;
    // Without a prompt the second branch has the empty class, the last one.
    bool branches = info->takes_prompt || pipe->view->unet.class_embed == FUM_UNET_CLASS_TABLE;
    bool single = run->guidance == 1 && !fum_guidance_plus(params);
    run->copies = single || distilled || !branches ? 1 : 2;
    run->prompted = 1;
    if (!branches && run->guidance != 1)
        fum_log(pipe->params.log, FUM_LOG_WARN,
                "the model has neither a prompt nor classes: guidance is not used");
    if (distilled && params->negative && *params->negative)
        fum_log(pipe->params.log, FUM_LOG_WARN,
                "the model reads its guidance as an input: the negative prompt is not used");
    return FUM_OK;
}

static enum fum_result check_clip_skip(const fum_pipeline *pipe, struct fum_run *run,
                                       struct fum_error *err) {
    int own = fum_model_get_info(pipe->model)->clip_skip;
    run->clip_skip = run->params->clip_skip ? run->params->clip_skip : own;
    int most = fum_model_max_clip_skip(pipe->view);
    if (run->clip_skip < 1 || run->clip_skip > most)
        return fum_error_set(err, FUM_ERR_ARG,
                             "--clip-skip %d is not between 1 and %d, the text encoder's layers",
                             run->clip_skip, most);
    return FUM_OK;
}

static enum fum_result check_variance(const fum_pipeline *pipe, const struct fum_run *run,
                                      struct fum_error *err) {
    bool given = pipe->view->unet.out_channels > run->latent_channels;
    if (!run->program->variance_direct || given) return FUM_OK;
    return fum_error_set(
        err, FUM_ERR_FORMAT,
        "the scheduler's variance_type is learned, but the UNet gives no variance: "
        "its out_channels are %d",
        pipe->view->unet.out_channels);
}

// Checks the request and fills in the model's defaults.
static enum fum_result make_run(fum_pipeline *pipe, struct fum_run *run, struct fum_error *err) {
    const struct fum_generate_params *params = run->params;
    const struct fum_model_info *info = fum_model_get_info(pipe->model);
    if ((!params->prompt && info->takes_prompt) || !params->on_image)
        return fum_error_set(err, FUM_ERR_ARG, "a prompt and on_image are required");
    if (params->prompt && !info->takes_prompt)
        return fum_error_set(err, FUM_ERR_ARG, "the model %s takes no prompt", info->name);
    enum fum_result result = check_count(run, err);
    pipe->seamless = params->seamless;
    if (!result) result = check_guidance(pipe, run, err);
    if (!result) result = check_clip_skip(pipe, run, err);
    if (!result) result = fum_changes_choose(pipe, run, err);
    if (!result) result = fum_tasks_choose(pipe, run, err);
    if (!result) result = check_size(pipe, run, err);
    if (!result) result = fum_tasks_open(pipe, run, err);
    if (!result) result = check_noise(run, err);
    if (!result) result = check_class(pipe, run, err);
    if (!result) result = fum_guide_open(pipe, run, err);
    if (!result) result = make_program(pipe, run, err);
    if (!result) result = fum_guidance_check(run, err);
    if (!result) result = fum_step_cache_check(run, err);
    if (!result) result = check_variance(pipe, run, err);
    if (!result) result = fum_guide_check(run, err);
    return result ? result : check_step_noise(run, err);
}

// Denoises a batch, in f32 when a narrower type overflows.
static enum fum_result make_latents(fum_pipeline *pipe, const struct fum_run *run, int first,
                                    float *latents, struct fum_error *err) {
    struct fum_batch batch = {.first = first, .latents = latents};
    for (;;) {
        const char *node = NULL;
        // A decoder that needed its room may have made the UNet leave.
        enum fum_result result =
            pipe->unet->compiled.exe ? FUM_OK : fum_denoise_prepare(pipe, run, err);
        if (!result) result = fum_denoise(pipe, run, &batch, err);
        if (result || batch.finite) return result;
        result = fum_denoise_diagnose(pipe, run, first, &node, err);
        if (!result) result = fum_component_widen(pipe->unet, node, "starting again", err);
        if (result) return result;
    }
}

struct picture {
    int index;
    const float *latents;
    uint8_t *pixels;
};

// Decodes a picture and reports on it. A cancel at the last report is ignored, since the picture is
// complete.
static enum fum_result decode_picture(fum_pipeline *pipe, const struct fum_run *run,
                                      const struct picture *picture, struct fum_error *err) {
    pipe->run = run;
    pipe->image = picture->index;
    const struct fum_latents latents = {picture->latents, run->latent_height, run->latent_width};
    enum fum_result result = pipe->kind->make(pipe, &latents, picture->pixels, err);
    if (!result) fum_pipeline_report_decode(pipe, 1, 1);
    pipe->run = NULL;
    return result;
}

// Decodes a picture and gives it to the caller with its latents and its text.
static enum fum_result hand_over(fum_pipeline *pipe, const struct fum_run *run, int index,
                                 const float *latents, struct fum_error *err) {
    size_t values =
        (size_t)run->latent_height * (size_t)run->latent_width * (size_t)run->latent_channels;
    uint64_t seed = fum_run_seed(run, index);
    if (run->ends && !run->ends->noise[0]) seed = run->ends->seed[fum_run_share(run, index) >= 1];
    float *planes = fum_alloc(values, sizeof *planes);
    struct fum_bitmap decoded = {NULL, run->width, run->height, pipe->view->vae.out_channels};
    decoded.pixels = fum_alloc((size_t)run->width * (size_t)run->height, (size_t)decoded.channels);
    char *text = NULL;
    bool decodes = !run->invert && !run->latents_only;
    enum fum_result result = FUM_OK;
    if (!planes || !decoded.pixels)
        result = fum_error_set(err, FUM_ERR_NOMEM, "no memory for a picture");
    else if (decodes)
        result = decode_picture(pipe, run, &(struct picture){index, latents, decoded.pixels}, err);
    if (!result && decodes) result = fum_tasks_finish(pipe, run, &decoded, err);
    if (!result && !(text = fum_parameters_text(pipe, run, seed)))
        result = fum_error_set(err, FUM_ERR_NOMEM, "no memory for a picture's parameters");
    if (!result) {
        fum_pixels_to_planes(latents, planes,
                             (size_t)run->latent_height * (size_t)run->latent_width,
                             (size_t)run->latent_channels);
        struct fum_image image = {.index = index,
                                  .seed = seed,
                                  .width = decoded.width,
                                  .height = decoded.height,
                                  .pixels = decodes ? decoded.pixels : NULL,
                                  .channels = decoded.channels,
                                  .latents = planes,
                                  .latent_channels = run->latent_channels,
                                  .latent_width = run->latent_width,
                                  .latent_height = run->latent_height,
                                  .parameters = text,
                                  .parameters_bytes = strlen(text)};
        if (!run->params->on_image(run->params->user, &image))
            result = fum_error_set(err, FUM_ERR_CANCELLED, "stopped after picture %d of %d",
                                   index + 1, run->count);
    }
    fum_free(planes);
    fum_bitmap_free(&decoded);
    fum_free(text);
    return result;
}

// Encodes the prompts and makes ready what stays on the device. Without a budget that includes the
// decoder: what it lacks is found before the long work begins, and the time left is known.
static enum fum_result prepare_run(fum_pipeline *pipe, struct fum_run *run, struct fum_error *err) {
    struct fum_run_times *times = &pipe->times;
    *times = (struct fum_run_times){0};
    double start = fum_time_now();
    enum fum_result result = fum_encode(pipe, run, err);
    times->prompt = fum_time_now() - start - times->compile - times->load;
    if (!result) result = fum_tasks_encode(pipe, run, err);
    if (!result) result = fum_denoise_prepare(pipe, run, err);
    if (!result && !pipe->budget && pipe->kind->prepare && !run->invert && !run->latents_only)
        result = pipe->kind->prepare(pipe, run->latent_height, run->latent_width, err);
    return result;
}

// Stores the UNet's values in f32 unless the caller chose another type: an adaptive program would
// take coarse roundings for errors of its steps.
static void use_f32(fum_pipeline *pipe) {
    if (pipe->params.precision != FUM_PRECISION_AUTO || pipe->unet->storage == FUM_F32) return;
    fum_component_release(pipe->unet);
    pipe->unet->storage = FUM_F32;
}

enum fum_result fum_run_request(fum_pipeline *pipe, struct fum_run *run, struct fum_error *err) {
    float *latents = NULL;
    enum fum_result result = make_run(pipe, run, err);
    if (!result && run->params->prompt)
        result = fum_prompt_tags_take(&run->tags, run->params->prompt, err);
    if (!result) result = fum_conditions_make(pipe, run, err);
    if (!result) result = fum_pipeline_adapt(pipe, run, err);
    if (result || run->begin == FUM_DRAW_NONE) goto done;
    size_t one =
        (size_t)run->latent_channels * (size_t)run->latent_height * (size_t)run->latent_width;
    latents = fum_alloc((size_t)run->batch * one, sizeof *latents);
    if (!latents) {
        result = fum_error_set(err, FUM_ERR_NOMEM, "no memory for %d latents", run->batch);
        goto done;
    }
    if (run->program->adaptive) use_f32(pipe);
    if ((result = fum_budget_check(pipe, run, err))) goto done;
    if ((result = prepare_run(pipe, run, err))) goto done;
    // The weights have just been read, so the system still holds them, and the device computes
    // meanwhile.
    if (!pipe->hash && (result = fum_model_hash_begin(&pipe->hash, pipe->model, err))) goto done;
    // Pictures keep their places in batches, and so their bits, wherever the run begins.
    int start = run->begin / run->batch * run->batch;
    for (int first = start; first < run->count && !result; first += run->batch) {
        result = make_latents(pipe, run, first, latents, err);
        for (int b = 0; b < run->batch && first + b < run->count && !result; b++)
            if (first + b >= run->begin)
                result = hand_over(pipe, run, first + b, latents + (size_t)b * one, err);
    }
done:
    fum_sample_destroy(&run->program);
    fum_conditions_free(&run->conditions);
    fum_prompt_tags_free(&run->tags);
    fum_given_free(&run->given);
    fum_free(latents);
    return result;
}
