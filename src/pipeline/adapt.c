// SPDX-License-Identifier: MIT
// Changes the set of adapters that a pipeline draws with. Weights that are on the device are loaded
// again in their places, so that nothing is compiled.
#include "base/alloc.h"
#include "base/error.h"
#include "pipeline/pipeline.h"

static enum fum_result no_memory(struct fum_error *err) {
    return fum_error_set(err, FUM_ERR_NOMEM, "no memory for adapters");
}

// Loads again what a component's weights of the old set and the new one are now.
static enum fum_result rewrite(struct fum_component *component, const fum_adapters *old,
                               const fum_adapters *adapters, struct fum_error *err) {
    size_t first = fum_adapters_list(old, component->name, NULL),
           count = first + fum_adapters_list(adapters, component->name, NULL);
    if (!component->weights || !count) return FUM_OK;
    const char **names = fum_alloc(count, sizeof *names);
    if (!names) return no_memory(err);
    fum_adapters_list(old, component->name, names);
    fum_adapters_list(adapters, component->name, names + first);
    enum fum_result result = fum_weights_rewrite(component->weights, names, (int)count, err);
    fum_free(names);
    // What was read in part must not be used.
    if (result) fum_component_release(component);
    return result;
}

static enum fum_result check_adapters(const struct fum_adapters_params *params,
                                      struct fum_error *err) {
    if (params->count < 0 || params->count > FUM_MAX_ADAPTERS)
        return fum_error_set(err, FUM_ERR_ARG, "%d adapters; at most %d can be used", params->count,
                             FUM_MAX_ADAPTERS);
    return FUM_OK;
}

enum fum_result fum_pipeline_adapt(fum_pipeline *pipe, const struct fum_generate_params *p,
                                   struct fum_error *err) {
    const struct fum_adapters_params params = {.list = p->adapters,
                                               .count = p->num_adapters,
                                               .dir = p->adapter_dir,
                                               .log = pipe->params.log};
    fum_adapters *old = pipe->adapters, *adapters = NULL;
    enum fum_result result = check_adapters(&params, err);
    if (result || fum_adapters_same(old, &params)) return result;
    if (params.count) result = fum_adapters_open(&adapters, pipe->model, &params, err);
    if (result) return result;
    pipe->adapters = adapters;
    fum_context_clear(&pipe->context); // of the text encoders' old weights
    for (int i = 0; i < pipe->num_components; i++) {
        struct fum_error failed = {0};
        enum fum_result one = rewrite(&pipe->components[i], old, adapters, &failed);
        if (one && !result) result = fum_error_set(err, one, "%s", failed.text);
    }
    fum_adapters_close(&old);
    return result;
}
