// SPDX-License-Identifier: MIT
#include "pipeline/pipeline.h"

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "pipeline/budget.h"
#include "weights/packing.h"

#include <stdio.h>
#include <string.h>

enum fum_dtype fum_precision_storage(const fum_device *device, enum fum_precision precision) {
    const struct fum_device_info *info = fum_device_get_info(device);
    switch (precision) {
    case FUM_PRECISION_F32: return FUM_F32;
    case FUM_PRECISION_F16: return FUM_F16;
    case FUM_PRECISION_BF16: return FUM_BF16;
    case FUM_PRECISION_AUTO: break;
    }
    // CPU devices convert at every load and gain nothing but memory.
    return info->storage16 && info->type != FUM_DEVICE_CPU ? FUM_F16 : FUM_F32;
}

enum { NAMED = 3 }; // unused tensors that the warning names

// Counts a model's tensors that are missing or misshapen, and those that nothing uses.
struct findings {
    int bad, unused;
    char text[384];  // describes the first bad one
    char names[160]; // names the first unused ones
};

static void on_problem(void *user, enum fum_model_problem problem, const char *component,
                       const char *tensor, const char *detail) {
    struct findings *found = user;
    size_t used = strlen(found->names);
    if (problem == FUM_MODEL_UNMATCHED) {
        if (found->unused++ < NAMED)
            snprintf(found->names + used, sizeof found->names - used, "%s%.120s", used ? ", " : "",
                     tensor);
        return;
    }
    if (found->bad++) return;
    snprintf(found->text, sizeof found->text, "%s: tensor %s%s%s", component, tensor,
             problem == FUM_MODEL_MISSING ? " is missing from the model's files" : ": ", detail);
}

// Checks every tensor before the long work begins, not when its component is loaded.
static enum fum_result check_model(const fum_model *model, const struct fum_log *log,
                                   struct fum_error *err) {
    struct findings found = {0};
    const char *unusable = fum_model_get_info(model)->unusable;
    if (unusable) return fum_error_set(err, FUM_ERR_UNSUPPORTED, "%s", unusable);
    enum fum_result result = fum_model_check(model, on_problem, &found, err);
    if (found.bad)
        return fum_error_set(err, FUM_ERR_FORMAT, "%s; %d in all (fumarole info lists them)",
                             found.text, found.bad);
    if (found.unused)
        fum_log(log, FUM_LOG_WARN, "%s: %d tensor%s not used: %s%s",
                fum_model_get_info(model)->path, found.unused, found.unused == 1 ? " is" : "s are",
                found.names, found.unused > NAMED ? ", … (fumarole info lists them)" : "");
    return result;
}

struct fum_component *fum_pipeline_add(fum_pipeline *pipe, const struct fum_component *component) {
    struct fum_component *added = &pipe->components[pipe->num_components++];
    *added = *component;
    added->pipe = pipe;
    return added;
}

// Lists the components that a sampler needs. Prompts are encoded once, so their encoders leave the
// device first; the UNet runs at every step.
static void add_sampled(fum_pipeline *pipe, enum fum_dtype storage) {
    const struct fum_model_view *view = pipe->view;
    for (int i = 0; i < view->num_text; i++)
        fum_pipeline_add(pipe, &(struct fum_component){.name = view->text[i].component,
                                                       .source = &view->text[i].weights,
                                                       .storage = storage,
                                                       .build = fum_encoder_build,
                                                       .keep_rank = 0});
    pipe->unet = fum_pipeline_add(pipe, &(struct fum_component){.name = "unet",
                                                                .source = &view->unet_weights,
                                                                .storage = storage,
                                                                .build = fum_denoiser_build,
                                                                .keep_rank = 2});
}

static void add_components(fum_pipeline *pipe, enum fum_dtype storage) {
    if (fum_model_samples(pipe->view)) add_sampled(pipe, storage);
    if (pipe->kind->add_components) pipe->kind->add_components(pipe, storage);
}

static const struct fum_picture_kind *choose_kind(const struct fum_model_view *view) {
    if (view->vqvae && fum_model_samples(view)) return &fum_pictures_of_vectors;
    if (!fum_model_samples(view)) return &fum_pictures_of_autoencoder;
    if (view->pixels) return &fum_pictures_of_pixels;
    return view->vae.kind->posterior ? &fum_pictures_of_vae : &fum_pictures_of_tiny;
}

// Replaces the type's name by the library's own, which lives as long as the pipeline.
static enum fum_result check_weights(const char **weights, struct fum_error *err) {
    const struct fum_packing *packing = *weights ? fum_quantised_find(*weights) : NULL;
    if (*weights && !packing)
        return fum_error_set(err, FUM_ERR_ARG, "there is no quantised type \"%s\"",
                             fum_text_show(*weights).text);
    if (packing) *weights = packing->name;
    return FUM_OK;
}

enum fum_result fum_pipeline_create(fum_pipeline **out, fum_device *device, const fum_model *model,
                                    const struct fum_pipeline_params *params,
                                    struct fum_error *err) {
    *out = NULL;
    struct fum_pipeline_params own = params ? *params : (struct fum_pipeline_params){0};
    enum fum_result result = check_model(model, own.log, err);
    if (!result) result = check_weights(&own.weights, err);
    if (result) return result;
    const struct fum_device_info *info = fum_device_get_info(device);
    if (own.precision == FUM_PRECISION_F16 && !info->storage16)
        return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                             "%s cannot store f16: use --precision f32 or bf16", info->name);
    fum_pipeline *pipe = fum_calloc(1, sizeof *pipe);
    if (!pipe) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a pipeline");
    pipe->device = device;
    pipe->model = model;
    pipe->view = fum_model_get_view(model);
    pipe->params = own;
    pipe->kind = choose_kind(pipe->view);
    add_components(pipe, fum_precision_storage(device, pipe->params.precision));
    fum_budget_begin(pipe);
    *out = pipe;
    return FUM_OK;
}

void fum_pipeline_destroy(fum_pipeline **pipeline) {
    if (!pipeline || !*pipeline) return;
    fum_pipeline *pipe = *pipeline;
    for (int i = 0; i < pipe->num_components; i++) fum_component_release(&pipe->components[i]);
    fum_embeddings_clear(&pipe->embeddings);
    fum_adapters_close(&pipe->adapters);
    fum_model_hash_end(&pipe->hash);
    fum_guide_close(&pipe->guide);
    fum_cache_track_free(&pipe->cache_track);
    fum_control_close(&pipe->controls);
    fum_free(pipe);
    *pipeline = NULL;
}

enum fum_dtype fum_pipeline_storage(const fum_pipeline *pipe) {
    return pipe->unet->storage;
}

double fum_pipeline_encode_flops(const fum_pipeline *pipe) {
    return pipe->vae_encoder->stats.flops[FUM_STAGE_STEP];
}

void fum_pipeline_get_stats(const fum_pipeline *pipe, struct fum_pipeline_stats *stats) {
    *stats = (struct fum_pipeline_stats){.memory_peak = fum_device_memory_peak(pipe->device) +
                                                        fum_device_staging_bytes(pipe->device),
                                         .step_seconds = pipe->times.step,
                                         .decode_seconds = pipe->times.decode,
                                         .kernels = pipe->times.kernels,
                                         .compile_seconds = pipe->times.compile,
                                         .load_seconds = pipe->times.load,
                                         .prompt_seconds = pipe->times.prompt};
    if (pipe->unet) stats->unet = pipe->unet->stats;
    if (pipe->vae) stats->vae = pipe->vae->stats;
    if (!pipe->vae || !pipe->unet) return;
    // Before the first decoding, estimates its time from the steps' rate.
    double step = pipe->unet->stats.flops[FUM_STAGE_STEP],
           decode = pipe->vae->stats.flops[FUM_STAGE_STEP];
    if (stats->decode_seconds == 0 && step > 0)
        stats->decode_seconds = stats->step_seconds * decode / step;
}
