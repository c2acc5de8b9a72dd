// SPDX-License-Identifier: MIT
// Draws with autoencoders, without a sampler. The decoder makes a picture of a latent vector.
// The vector is drawn from the prior, encoded from a picture, or lies between two such vectors.
#include "pipeline/autoencoder.h"

#include "base/dtype.h"
#include "base/error.h"
#include "base/number.h"
#include "base/rng.h"
#include "io/image.h"

#include <stdlib.h>
#include <string.h>

// A request with all defaults filled in.
struct request {
    fum_pipeline *pipe;
    const struct fum_generate_params *params;
    const struct fum_latent_form *form;
    int count;
    float *latents;    // of all pictures
    float *class_mean; // of the class, or NULL
    uint8_t *pixels;   // of one picture
};

// ---- latents ----

// Draws the noise of a seed, or takes it from the caller's.
static void draw_latent(const struct request *r, int index, uint64_t seed, float *z) {
    const struct fum_latent_form *f = r->form;
    struct fum_rng rng;
    size_t each = fum_latent_count(f);
    if (r->params->noise) {
        memcpy(z, r->params->noise + (size_t)index * each, each * sizeof *z);
    } else {
        fum_rng_init(&rng, r->params->rng, seed);
        fum_rng_normal(&rng, z, each);
    }
    for (size_t i = 0; i < each && r->class_mean; i++) z[i] += r->class_mean[i];
}

// Makes one end of an interpolation.
static enum fum_result make_end(const struct request *r, const char *end, float *z,
                                struct fum_error *err) {
    if (!fum_end_is_seed(end)) return fum_autoencoder_encode_file(r->pipe, end, r->form, z, err);
    draw_latent(r, 0, strtoull(end, NULL, 10), z);
    return FUM_OK;
}

// Fills the latents of all pictures: equal steps on the line between both ends.
static enum fum_result interpolate(const struct request *r, struct fum_error *err) {
    size_t each = fum_latent_count(r->form);
    float *first = r->latents, *last = r->latents + (size_t)(r->count - 1) * each;
    enum fum_result result = make_end(r, r->params->interpolate[0], first, err);
    if (!result) result = make_end(r, r->params->interpolate[1], last, err);
    for (int i = 1; i + 1 < r->count && !result; i++) {
        float t = (float)i / (float)(r->count - 1);
        for (size_t k = 0; k < each; k++)
            first[(size_t)i * each + k] = (1 - t) * first[k] + t * last[k];
    }
    return result;
}

static enum fum_result make_latents(const struct request *r, struct fum_error *err) {
    const struct fum_generate_params *p = r->params;
    if (p->interpolate[0]) return interpolate(r, err);
    if (p->reconstruct)
        return fum_autoencoder_encode_file(r->pipe, p->reconstruct, r->form, r->latents, err);
    for (int i = 0; i < r->count; i++)
        draw_latent(r, i, p->seed + (uint64_t)i,
                    r->latents + (size_t)i * fum_latent_count(r->form));
    return FUM_OK;
}

// ---- the request ----

static enum fum_result check_noise(const struct request *r, struct fum_error *err) {
    const struct fum_latent_form *f = r->form;
    const int *s = r->params->noise_shape;
    bool fits = s[0] >= r->count && s[1] == f->channels && s[2] == f->height && s[3] == f->width;
    if (!r->params->noise || fits) return FUM_OK;
    return fum_error_set(err, FUM_ERR_ARG,
                         "the noise has shape [%d, %d, %d, %d], this run needs [%d, %d, %d, %d]",
                         s[0], s[1], s[2], s[3], r->count, f->channels, f->height, f->width);
}

static enum fum_result check_class(const struct request *r, struct fum_error *err) {
    const struct fum_autoencoder *a = r->pipe->view->autoencoder;
    const struct fum_generate_params *p = r->params;
    const char *name = fum_model_get_info(r->pipe->model)->name;
    int classes = a ? a->classes : 0;
    if (!classes && p->has_class)
        return fum_error_set(err, FUM_ERR_ARG, "the model %s has no classes: leave --class out",
                             name);
    if (!classes || r->form->encoded) return FUM_OK;
    if (!p->has_class)
        return fum_error_set(err, FUM_ERR_ARG,
                             "the model has %d classes: choose one with --class, from 0 to %d",
                             classes, classes - 1);
    if (p->class_label >= 0 && p->class_label < (float)classes &&
        p->class_label == (float)(int)p->class_label)
        return FUM_OK;
    return fum_error_set(err, FUM_ERR_ARG,
                         "class %g is not one of the model's: --class takes 0 to %d",
                         (double)p->class_label, classes - 1);
}

static enum fum_result check_request(const struct request *r, struct fum_error *err) {
    const struct fum_generate_params *p = r->params;
    const struct fum_model_info *info = fum_model_get_info(r->pipe->model);
    bool seeds = p->interpolate[0] &&
                 (fum_end_is_seed(p->interpolate[0]) || fum_end_is_seed(p->interpolate[1]));
    bool drawn = seeds || (!p->reconstruct && !p->interpolate[0]);
    if (!p->on_image || p->prompt)
        return fum_error_set(err, FUM_ERR_ARG, "the model %s takes no prompt, and needs on_image",
                             info->name);
    if (p->seamless)
        return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                             "seamless pictures are drawn by a sampler, and this one is not");
    if (r->count < 1 || r->count > FUM_MAX_PICTURES)
        return fum_error_set(err, FUM_ERR_ARG, "count must be 1 to %d", FUM_MAX_PICTURES);
    if ((p->width && p->width != info->width) || (p->height && p->height != info->height))
        return fum_error_set(err, FUM_ERR_ARG, "the model draws pictures of %d × %d alone",
                             info->width, info->height);
    if (seeds && (!fum_end_is_seed(p->interpolate[0]) || !fum_end_is_seed(p->interpolate[1])))
        return fum_error_set(err, FUM_ERR_ARG, "interpolate between two pictures or two seeds");
    if (drawn && r->pipe->view->kl)
        return fum_error_set(err, FUM_ERR_ARG,
                             "the model %s is the autoencoder of a larger one: it can "
                             "--reconstruct a picture or --interpolate two, but draws none",
                             info->name);
    if (drawn && r->pipe->view->vqvae)
        return fum_error_set(err, FUM_ERR_ARG,
                             "the model %s has no prior to draw from: \"fumarole train ddpm "
                             "--prior %s\" trains one; without it the model can --reconstruct a "
                             "picture or --interpolate two",
                             info->name, info->path);
    enum fum_result result = check_noise(r, err);
    return result ? result : check_class(r, err);
}

// Reads the mean of the class that the request names.
static enum fum_result read_class_mean(struct request *r, struct fum_error *err) {
    const struct fum_weight_source *source = &r->pipe->view->vae_weights;
    const struct fum_autoencoder *a = r->pipe->view->autoencoder;
    struct fum_view view;
    if (!a || !a->classes || !r->params->has_class) return FUM_OK;
    size_t each = (size_t)a->latent[0];
    if (!source->find(source->user, "class_mean.weight", &view) ||
        fum_view_count(&view) != each * (uint64_t)a->classes)
        return fum_error_set(err, FUM_ERR_FORMAT, "class_mean.weight is missing or misshapen");
    uint64_t bytes = each * fum_dtype_size(view.dtype);
    void *raw = fum_alloc(bytes, 1);
    r->class_mean = fum_alloc(each, sizeof *r->class_mean);
    enum fum_result result = FUM_OK;
    if (!raw || !r->class_mean)
        result = fum_error_set(err, FUM_ERR_NOMEM, "no memory for a class");
    else
        result = fum_view_read(&view, (uint64_t)r->params->class_label * bytes, bytes, raw, err);
    if (!result) fum_convert_to_f32(r->class_mean, raw, view.dtype, each);
    fum_free(raw);
    return result;
}

// ---- pictures ----

// Writes the text of a picture, what it depends on.
static char *describe(const struct request *r, uint64_t seed) {
    const struct fum_generate_params *p = r->params;
    const struct fum_model_info *info = fum_model_get_info(r->pipe->model);
    char label[FUM_NUMBER_BYTES];
    struct fum_image_extra extras[4];
    size_t count = 0;
    if (r->class_mean)
        extras[count++] =
            (struct fum_image_extra){"Class", fum_number_shorten(label, (double)p->class_label)};
    if (p->noise) extras[count++] = (struct fum_image_extra){"Initial noise", "from a file"};
    if (p->reconstruct) extras[count++] = (struct fum_image_extra){"Reconstructed", p->reconstruct};
    return fum_image_format_parameters(
        &(struct fum_image_parameters){.prompt = "",
                                       .steps = 1,
                                       .sampler = "none",
                                       .cfg = 1,
                                       .seed = seed,
                                       .width = r->form->picture_width,
                                       .height = r->form->picture_height,
                                       .model = info->name,
                                       .rng = p->rng == FUM_RNG_CPU ? "CPU" : "NV",
                                       .extra = extras,
                                       .extra_count = count,
                                       .version = "fumarole " FUM_VERSION});
}

static enum fum_result hand_over(const struct request *r, int index, struct fum_error *err) {
    const struct fum_latent_form *f = r->form;
    const float *z = r->latents + (size_t)index * fum_latent_count(f);
    uint64_t seed = r->params->seed + (uint64_t)index;
    float *planes = fum_alloc(fum_latent_count(f), sizeof *planes);
    char *text = describe(r, seed);
    enum fum_result result = FUM_OK;
    if (!planes || !text) result = fum_error_set(err, FUM_ERR_NOMEM, "no memory for a picture");
    if (!result) result = fum_autoencoder_draw(r->pipe, f, z, r->pixels, err);
    if (!result) {
        fum_pixels_to_planes(z, planes, (size_t)f->height * (size_t)f->width, (size_t)f->channels);
        const struct fum_image image = {.index = index,
                                        .seed = seed,
                                        .width = f->picture_width,
                                        .height = f->picture_height,
                                        .pixels = r->pixels,
                                        .latents = planes,
                                        .latent_channels = f->channels,
                                        .latent_width = f->width,
                                        .latent_height = f->height,
                                        .parameters = text,
                                        .parameters_bytes = strlen(text),
                                        .channels = fum_autoencoder_channels(r->pipe)};
        if (!r->params->on_image(r->params->user, &image))
            result = fum_error_set(err, FUM_ERR_CANCELLED, "stopped after picture %d of %d",
                                   index + 1, r->count);
    }
    fum_free(planes);
    fum_free(text);
    return result;
}

// Returns the file that the first latents are encoded from; NULL: they are drawn.
static const char *encoded_file(const struct fum_generate_params *p) {
    if (p->interpolate[0]) return fum_end_is_seed(p->interpolate[0]) ? NULL : p->interpolate[0];
    return p->reconstruct;
}

bool fum_autoencoder_serves(const fum_pipeline *pipe, const struct fum_generate_params *params) {
    return !fum_model_samples(pipe->view) || encoded_file(params);
}

// Finds the size of the pictures, which is that of the encoded one.
static enum fum_result find_form(fum_pipeline *pipe, const char *path, struct fum_latent_form *form,
                                 struct fum_error *err) {
    const struct fum_model_info *info = fum_model_get_info(pipe->model);
    struct fum_bitmap size = {.width = info->width, .height = info->height};
    enum fum_result result = path ? fum_image_read_size(path, &size, err) : FUM_OK;
    if (!result && path)
        result = fum_autoencoder_check_size(pipe, path, size.width, size.height, err);
    if (!result) *form = fum_latent_form_of(pipe, path != NULL, size.width, size.height);
    return result;
}

static enum fum_result allocate(struct request *r, struct fum_error *err) {
    const struct fum_latent_form *f = r->form;
    size_t pixels = (size_t)f->picture_width * (size_t)f->picture_height;
    r->latents = fum_alloc((size_t)r->count * fum_latent_count(f), sizeof *r->latents);
    r->pixels = fum_alloc(pixels, (size_t)fum_autoencoder_channels(r->pipe));
    if (r->latents && r->pixels) return FUM_OK;
    return fum_error_set(err, FUM_ERR_NOMEM, "no memory for %d pictures", r->count);
}

enum fum_result fum_autoencoder_generate(fum_pipeline *pipe,
                                         const struct fum_generate_params *params, int begin,
                                         struct fum_error *err) {
    struct fum_latent_form form;
    struct request r = {.pipe = pipe,
                        .params = params,
                        .form = &form,
                        .count = params->count && !params->reconstruct ? params->count : 1};
    pipe->times = (struct fum_run_times){0};
    pipe->seamless = FUM_SEAMLESS_NONE;
    enum fum_result result = find_form(pipe, encoded_file(params), &form, err);
    if (!result) result = check_request(&r, err);
    if (!result) result = read_class_mean(&r, err);
    if (result || begin == FUM_DRAW_NONE) goto done;
    result = allocate(&r, err);
    if (!result) result = make_latents(&r, err);
    for (int i = begin; i < r.count && !result; i++) result = hand_over(&r, i, err);
done:
    fum_free(r.latents);
    fum_free(r.class_mean);
    fum_free(r.pixels);
    return result;
}
