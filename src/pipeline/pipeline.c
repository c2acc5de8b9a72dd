// SPDX-License-Identifier: MIT
#include "pipeline/pipeline.h"

#include "base/error.h"
#include "base/log.h"
#include "pipeline/budget.h"

#include <stdio.h>
#include <string.h>

static enum fum_dtype storage_of(const fum_device *device, enum fum_precision precision) {
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

static void on_problem(void *user, enum fum_model_problem problem, const char *part,
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
    snprintf(found->text, sizeof found->text, "%s: tensor %s%s%s", part, tensor,
             problem == FUM_MODEL_MISSING ? " is missing from the model's files" : ": ", detail);
}

// Looks for every tensor before the long work begins, not when its part is loaded.
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

enum fum_result fum_pipeline_create(fum_pipeline **out, fum_device *device, const fum_model *model,
                                    const struct fum_pipeline_params *params,
                                    struct fum_error *err) {
    *out = NULL;
    enum fum_result result = check_model(model, params ? params->log : NULL, err);
    if (result) return result;
    fum_pipeline *pipe = fum_calloc(1, sizeof *pipe);
    if (!pipe) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a pipeline");
    pipe->device = device;
    pipe->model = model;
    pipe->view = fum_model_get_view(model);
    if (params) pipe->params = *params;
    if (pipe->params.precision == FUM_PRECISION_F16 && !fum_device_get_info(device)->storage16) {
        fum_free(pipe);
        return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                             "%s cannot store f16: use --precision f32 or bf16",
                             fum_device_get_info(device)->name);
    }
    enum fum_dtype storage = storage_of(device, pipe->params.precision);
    pipe->text_storage = pipe->unet_storage = pipe->vae_storage = storage;
    if (storage == FUM_F16 && pipe->view->traits.vae_overflows_f16) pipe->vae_storage = FUM_F32;
    fum_budget_begin(pipe);
    *out = pipe;
    return FUM_OK;
}

static void context_clear(struct fum_context *context) {
    fum_free(context->prompt);
    fum_free(context->negative);
    fum_free(context->hidden);
    fum_free(context->pooled);
    *context = (struct fum_context){0};
}

void fum_stage_graph_clear(struct fum_stage_graph *g) {
    fum_executable_destroy(&g->exe);
    fum_graph_destroy(&g->graph);
}

void fum_pipeline_destroy(fum_pipeline **pipeline) {
    if (!pipeline || !*pipeline) return;
    fum_pipeline *pipe = *pipeline;
    for (int i = 0; i < FUM_MODEL_MAX_TEXT; i++) {
        fum_stage_graph_clear(&pipe->encoders[i].g);
        fum_weights_destroy(&pipe->text_weights[i]);
    }
    fum_stage_graph_clear(&pipe->denoiser.g);
    fum_stage_graph_clear(&pipe->decoder.g);
    fum_weights_destroy(&pipe->unet_weights);
    fum_weights_destroy(&pipe->vae_weights);
    context_clear(&pipe->context);
    fum_model_hash_end(&pipe->hash);
    fum_free(pipe);
    *pipeline = NULL;
}

static bool on_load(void *user, uint64_t done, uint64_t total) {
    fum_pipeline *pipe = user;
    return pipe->params.on_load(pipe->params.user, pipe->loading, done, total);
}

static bool on_compile(void *user, int done, int total) {
    fum_pipeline *pipe = user;
    return pipe->params.on_compile(pipe->params.user, pipe->loading, done, total);
}

bool fum_pipeline_report_decode(const fum_pipeline *pipe, int done, int total) {
    const struct fum_generate_params *params = pipe->run ? pipe->run->params : NULL;
    return !params || !params->on_work ||
           params->on_work(params->user, FUM_WORK_DECODE, pipe->image, done, total);
}

static void add_times(fum_pipeline *pipe, const fum_executable *exe) {
    struct fum_executable_stats stats;
    fum_executable_get_stats(exe, &stats);
    pipe->times.kernels += stats.kernels;
    pipe->times.compile += stats.compile_seconds;
    pipe->times.load += stats.load_seconds;
}

static void on_dump(void *user, const char *pass, const char *text, const char *dot) {
    fum_pipeline *pipe = user;
    pipe->params.on_graph(pipe->params.user, pipe->loading, pass, text, dot);
}

enum fum_result fum_pipeline_check_graph(const fum_graph *graph, const char *part,
                                         struct fum_error *err) {
    struct fum_error built = {0};
    enum fum_result result = fum_graph_check(graph, &built);
    if (!result) return FUM_OK;
    return fum_error_set(err, result == FUM_ERR_ARG ? FUM_ERR_UNSUPPORTED : result, "%s: %s", part,
                         built.text);
}

enum fum_result fum_pipeline_compile(fum_pipeline *pipe, struct fum_stage_graph *g,
                                     const char *part, const struct fum_weight_source *source,
                                     fum_weights **weights, struct fum_error *err) {
    enum fum_result result = FUM_OK;
    if (!*weights) {
        struct fum_weights_params params = {.device = pipe->device,
                                            .source = *source,
                                            .label = part,
                                            .threads = pipe->params.threads,
                                            .on_progress = pipe->params.on_load ? on_load : NULL,
                                            .room = pipe->budget ? fum_budget_room : NULL,
                                            .user = pipe};
        result = fum_weights_create(weights, &params, err);
    }
    struct fum_executable_params executable = {
        .label = part,
        .dump = pipe->params.on_graph && !pipe->probing ? on_dump : NULL,
        .on_compile = pipe->params.on_compile ? on_compile : NULL,
        .user = pipe};
    pipe->loading = part;
    if (!result)
        result =
            fum_executable_compile(&g->exe, g->graph, pipe->device, *weights, &executable, err);
    if (!result) {
        fum_budget_say(pipe, part, g->exe);
        add_times(pipe, g->exe);
    }
    return result;
}

enum fum_result fum_pipeline_probe(fum_pipeline *pipe, struct fum_stage_graph *g, const char *part,
                                   const struct fum_weight_source *source, struct fum_error *err) {
    fum_weights *none = NULL;
    enum fum_result result = fum_pipeline_compile(pipe, g, part, source, &none, err);
    fum_stage_graph_clear(g);
    fum_weights_destroy(&none);
    return result == FUM_ERR_NOMEM ? FUM_OK : result; // as the budget's answer was: nothing
}

void fum_pipeline_get_stats(const fum_pipeline *pipe, struct fum_pipeline_stats *stats) {
    *stats = (struct fum_pipeline_stats){.memory_peak = fum_device_memory_peak(pipe->device) +
                                                        fum_device_staging_bytes(pipe->device),
                                         .unet = pipe->unet_stats,
                                         .vae = pipe->vae_stats,
                                         .step_seconds = pipe->times.step,
                                         .decode_seconds = pipe->times.decode,
                                         .kernels = pipe->times.kernels,
                                         .compile_seconds = pipe->times.compile,
                                         .load_seconds = pipe->times.load,
                                         .prompt_seconds = pipe->times.prompt};
    // Before the first decoding, estimates its time from the steps' rate.
    double step = pipe->unet_stats.flops[FUM_STAGE_STEP],
           decode = pipe->vae_stats.flops[FUM_STAGE_STEP];
    if (stats->decode_seconds == 0 && step > 0)
        stats->decode_seconds = stats->step_seconds * decode / step;
}
