// SPDX-License-Identifier: MIT
// Checks a job against its model and the limits of its context.
#include "fields.h"

#include <string.h>

// Requires a prompt from models that take one, and refuses it for others.
static bool check_prompts(struct job_reader *r) {
    const struct fum_generate_params *picture = &r->options->picture;
    const struct catalogue_entry *model = r->model;
    if (model && model->takes_prompt && !picture->prompt)
        return job_refuse(r->error, "prompt", "missing", "prompt is missing");
    if (model && !model->takes_prompt && (picture->prompt || picture->negative))
        return job_refuse(r->error, picture->prompt ? "prompt" : "negative_prompt", NULL,
                          "the model %s takes no prompt; leave %s out", model->name,
                          picture->prompt ? "prompt" : "negative_prompt");
    return true;
}

// ---- sampling ----

const char *job_default_schedule(const struct job_reader *r) {
    const char *sampler = r->options->picture.sampler;
    if (!r->model || !sampler) return r->model ? r->model->schedule : NULL;
    for (size_t i = 0; fum_sampler_name(i); i++)
        if (strcmp(fum_sampler_name(i), sampler) == 0) return r->model->schedules[i];
    return NULL;
}

static bool check_sampling(struct job_reader *r) {
    const struct fum_generate_params *picture = &r->options->picture;
    const struct catalogue_entry *model = r->model;
    if (!model) return true;
    if (picture->sampler && !job_default_schedule(r))
        return job_refuse(r->error, "sampling_method", NULL,
                          "sampling_method: the model %s does not run with %s", model->name,
                          picture->sampler);
    const char *sampler = picture->sampler ? picture->sampler : model->sampler;
    if (!picture->schedule || fum_sampler_accepts(sampler, picture->schedule)) return true;
    return job_refuse(r->error, "scheduler", NULL,
                      "scheduler: the sampler %s does not run on the schedule %s", sampler,
                      picture->schedule);
}

// Checks that a strength leaves some of the steps.
static bool check_strength(struct job_reader *r, const char *name, double strength, int steps) {
    if (!steps || (int)(steps * strength) >= 1) return true;
    return job_refuse(r->error, name, "out_of_range", "%s of %g leaves none of %d steps", name,
                      strength > 0 ? strength : 0, steps);
}

static bool check_steps(struct job_reader *r) {
    const struct fum_generate_params *picture = &r->options->picture;
    const struct fum_hires_params *hires = &r->options->hires;
    int most = r->context->max_steps, sigmas = r->spec->request.num_sigmas - 1,
        steps = picture->steps;
    if (sigmas > 0 && most && sigmas > most)
        return job_refuse(r->error, "sigmas", "out_of_range", "sigmas make %d steps; at most %d",
                          sigmas, most);
    if (!steps && r->model) steps = r->model->steps;
    if (sigmas > 0) steps = sigmas;
    double strength = picture->strength, second = hires->strength;
    if (strength == 0) strength = r->options->outpaint ? 1 : 0.75; // the library's defaults
    if (second <= 0) second = 0.7;
    if (r->init_image && !check_strength(r, "strength", strength, steps)) return false;
    if (hires->steps) steps = hires->steps;
    return !r->options->two_passes || check_strength(r, "hires_strength", second, steps);
}

// ---- sizes ----

static int round_down(int side, int multiple) {
    return side / multiple > 0 ? side / multiple * multiple : multiple;
}

// Finds the size as the library does: that of the fields, of the picture to start from, or of the
// model.
static struct job_size find_size(const struct job_reader *r) {
    const struct fum_generate_params *picture = &r->options->picture;
    const struct job_picture *init = r->init_image;
    struct job_size size = {r->model->width, r->model->height};
    if (init) {
        int width = init->width + picture->outpaint[0] + picture->outpaint[2],
            height = init->height + picture->outpaint[1] + picture->outpaint[3];
        size.width = round_down(width, r->model->size_multiple);
        size.height = round_down(height, r->model->size_multiple);
    }
    if (picture->width) size.width = picture->width;
    if (picture->height) size.height = picture->height;
    return size;
}

// Checks a side that is given; 0: none. `own`: the model's.
static bool check_side(struct job_reader *r, const char *name, int side, int own) {
    int multiple = r->model->size_multiple;
    while (multiple % 8) multiple += r->model->size_multiple;
    if (side % multiple == 0 || side == own) return true;
    return job_refuse(r->error, name, "out_of_range", "%s must be a multiple of %d", name,
                      multiple);
}

static bool check_pixels(struct job_reader *r, const char *name, double pixels, double most) {
    if (!most || pixels <= most) return true;
    return job_refuse(r->error, name, "out_of_range",
                      "%s: the pictures would have %.0f pixels; at most %.0f are drawn here", name,
                      pixels, most);
}

// Checks the results of a second pass and of a network that enlarges pictures.
static bool check_larger(struct job_reader *r, const struct job_size *size) {
    const struct generate_options *options = r->options;
    const struct fum_hires_params *hires = &options->hires;
    double scale = hires->scale > 0 ? hires->scale : 2, width = size->width, height = size->height;
    if (options->two_passes) {
        width = hires->width ? hires->width : width * scale;
        height = hires->height ? hires->height : height * scale;
        if (!check_side(r, "hires_width", hires->width, 0) ||
            !check_side(r, "hires_height", hires->height, 0) ||
            !check_pixels(r, hires->width ? "hires_width" : "hires_scale", width * height,
                          (double)r->context->max_pixels))
            return false;
    }
    if (!options->upscale_model) return true;
    double factor = r->upscale ? r->upscale : 1, pixels = width * height;
    for (int i = 0; i < options->upscale_repeats; i++) pixels *= factor * factor;
    return check_pixels(r, "upscale_repeats", pixels, FUM_MAX_PIXELS);
}

static bool check_sizes(struct job_reader *r, struct job_size *size) {
    const struct fum_generate_params *picture = &r->options->picture;
    if (!r->model) return true;
    *size = find_size(r);
    const char *name = "init_img";
    if (picture->height) name = "height";
    if (picture->width) name = "width";
    return check_side(r, "width", picture->width, r->model->width) &&
           check_side(r, "height", picture->height, r->model->height) &&
           check_pixels(r, name, (double)size->width * size->height,
                        (double)r->context->max_pixels) &&
           check_larger(r, size);
}

bool job_check_limits(struct job_reader *r, struct job_size *size) {
    return check_prompts(r) && check_sampling(r) && check_steps(r) && check_sizes(r, size);
}
