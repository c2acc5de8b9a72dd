// SPDX-License-Identifier: MIT
#include "pipeline/component.h"

#include "base/dtype.h"
#include "base/error.h"
#include "base/log.h"
#include "pipeline/pipeline.h"

void fum_compiled_clear(struct fum_compiled *compiled) {
    fum_executable_destroy(&compiled->exe);
    fum_graph_destroy(&compiled->graph);
}

void fum_component_release(struct fum_component *component) {
    fum_compiled_clear(&component->compiled);
    fum_weights_destroy(&component->weights);
}

enum fum_result fum_component_check_graph(const struct fum_component *component,
                                          const fum_graph *graph, struct fum_error *err) {
    struct fum_error built = {0};
    enum fum_result result = fum_graph_check(graph, &built);
    if (!result) return FUM_OK;
    return fum_error_set(err, result == FUM_ERR_ARG ? FUM_ERR_UNSUPPORTED : result, "%s: %s",
                         component->name, built.text);
}

enum fum_result fum_component_measure(struct fum_component *component, const struct fum_run *run,
                                      struct fum_executable_size *size, struct fum_error *err) {
    fum_graph *graph = NULL;
    if (component->measure) return component->measure(component, run, size, err);
    enum fum_result result = component->build(component, run, &graph, err);
    if (!result) result = fum_executable_measure(graph, component->pipe->device, size, err);
    fum_graph_destroy(&graph);
    return result;
}

enum fum_result fum_component_widen(struct fum_component *component, const char *node,
                                    const char *doing, struct fum_error *err) {
    if (component->storage == FUM_F32)
        return fum_error_set(
            err, FUM_ERR_FORMAT,
            "%s: %s gives non-finite values, in f32 too: the weights may be damaged",
            component->name, node);
    fum_log(component->pipe->params.log, FUM_LOG_WARN, "%s: %s overflows %s; %s in f32",
            component->name, node, fum_dtype_name(component->storage), doing);
    fum_component_release(component);
    component->storage = FUM_F32;
    return FUM_OK;
}
