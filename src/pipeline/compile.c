// SPDX-License-Identifier: MIT
#include "pipeline/compile.h"

#include "pipeline/budget.h"
#include "pipeline/pipeline.h"

static bool on_load(void *user, uint64_t done, uint64_t total) {
    const struct fum_component *component = user;
    const struct fum_pipeline_params *params = &component->pipe->params;
    return params->on_load(params->user, component->name, done, total);
}

static bool on_compile(void *user, int done, int total) {
    const struct fum_component *component = user;
    const struct fum_pipeline_params *params = &component->pipe->params;
    return params->on_compile(params->user, component->name, done, total);
}

static void on_dump(void *user, const char *pass, const char *text, const char *dot) {
    const struct fum_component *component = user;
    const struct fum_pipeline_params *params = &component->pipe->params;
    params->on_graph(params->user, component->name, pass, text, dot);
}

void fum_pipeline_choose_types(const fum_pipeline *pipe, fum_graph *graph,
                               const struct fum_weight_source *source) {
    if (pipe->params.weights)
        fum_graph_quantise(graph, pipe->params.weights);
    else if (pipe->params.precision == FUM_PRECISION_AUTO)
        fum_graph_keep_blocks(graph, source);
}

bool fum_pipeline_report_decode(const fum_pipeline *pipe, int done, int total) {
    const struct fum_generate_params *params = pipe->run ? pipe->run->params : NULL;
    return !params || !params->on_work ||
           params->on_work(params->user, FUM_WORK_DECODE, pipe->image, done, total);
}

// Finds a weight of a component, with the adapters' changes.
static bool find_weight(void *user, const char *name, struct fum_view *view) {
    const struct fum_component *component = user;
    const struct fum_weight_source *source = component->source;
    return fum_adapters_find(component->pipe->adapters, component->name, name, view) ||
           source->find(source->user, name, view);
}

static enum fum_result create_weights(struct fum_component *component, struct fum_error *err) {
    const fum_pipeline *pipe = component->pipe;
    struct fum_weights_params params = {.device = pipe->device,
                                        .source = {find_weight, component},
                                        .label = component->name,
                                        .threads = pipe->params.threads,
                                        .on_progress = pipe->params.on_load ? on_load : NULL,
                                        .room = pipe->budget ? fum_budget_room : NULL,
                                        .user = component};
    return fum_weights_create(&component->weights, &params, err);
}

static void add_times(fum_pipeline *pipe, const struct fum_executable_stats *stats) {
    pipe->times.kernels += stats->kernels;
    pipe->times.compile += stats->compile_seconds;
    pipe->times.load += stats->load_seconds;
}

enum fum_result fum_component_compile(struct fum_component *component,
                                      struct fum_compiled *compiled, struct fum_error *err) {
    fum_pipeline *pipe = component->pipe;
    struct fum_executable_params params = {.label = component->name,
                                           .dump = pipe->params.on_graph ? on_dump : NULL,
                                           .on_compile =
                                               pipe->params.on_compile ? on_compile : NULL,
                                           .user = component};
    struct fum_executable_stats stats;
    enum fum_result result = component->weights ? FUM_OK : create_weights(component, err);
    const struct fum_executable_job job = {.graph = compiled->graph,
                                           .device = pipe->device,
                                           .weights = component->weights,
                                           .params = &params};
    if (!result) result = fum_executable_compile(&compiled->exe, &job, err);
    if (result) return result;
    fum_executable_get_stats(compiled->exe, &stats);
    if (compiled == &component->compiled) component->stats = stats;
    fum_budget_log(component, &stats);
    add_times(pipe, &stats);
    return FUM_OK;
}
