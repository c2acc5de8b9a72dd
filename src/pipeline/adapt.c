// SPDX-License-Identifier: MIT
// Changes the set of adapters that a pipeline draws with. Weights that are on the device are loaded
// again in their places, so that nothing is compiled. Adapters beside the weights are part of the
// graph, which is built again for a set of other layers or ranks (beside.c).
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
    if (!fum_adapters_same_products(old, adapters, component->name)) {
        fum_component_release(component);
        return FUM_OK;
    }
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

// Loads again what differs between the two sets.
static enum fum_result change_set(fum_pipeline *pipe, fum_adapters *adapters,
                                  struct fum_error *err) {
    fum_adapters *old = pipe->adapters;
    enum fum_result result = FUM_OK;
    pipe->adapters = adapters;
    fum_embeddings_clear(&pipe->embeddings); // of the text encoders' old weights
    for (int i = 0; i < pipe->num_components; i++) {
        struct fum_error failed = {0};
        enum fum_result one = rewrite(&pipe->components[i], old, adapters, &failed);
        if (one && !result) result = fum_error_set(err, one, "%s", failed.text);
    }
    fum_adapters_close(&old);
    return result;
}

// Lists the request's adapters, then those of the prompt's tags.
static void list_adapters(const struct fum_run *run, struct fum_adapter *list) {
    const struct fum_generate_params *p = run->params;
    for (int i = 0; i < p->num_adapters; i++) list[i] = p->adapters[i];
    for (size_t i = 0; i < run->tags.count; i++) {
        const struct fum_lora_tag *tag = &run->tags.loras[i];
        list[(size_t)p->num_adapters + i] =
            (struct fum_adapter){tag->name, tag->unet_weight, tag->text_weight};
    }
}

enum fum_result fum_pipeline_adapt(fum_pipeline *pipe, const struct fum_run *run,
                                   struct fum_error *err) {
    const struct fum_generate_params *p = run->params;
    struct fum_adapters_params params = {.dir = p->adapter_dir,
                                         .beside = p->adapter_mode == FUM_ADAPTERS_BESIDE,
                                         .log = pipe->params.log};
    if (p->num_adapters < 0 || p->num_adapters > FUM_MAX_ADAPTERS ||
        run->tags.count > FUM_MAX_ADAPTERS)
        return fum_error_set(err, FUM_ERR_ARG, "at most %d adapters can be used", FUM_MAX_ADAPTERS);
    params.count = p->num_adapters + (int)run->tags.count;
    struct fum_adapter *list = fum_alloc((size_t)params.count, sizeof *list);
    if (!list) return no_memory(err);
    list_adapters(run, list);
    params.list = list;
    fum_adapters *adapters = NULL;
    enum fum_result result = FUM_OK;
    if (!fum_adapters_same(pipe->adapters, &params)) {
        if (params.count) result = fum_adapters_open(&adapters, pipe->model, &params, err);
        if (!result) result = change_set(pipe, adapters, err);
    }
    fum_free(list);
    return result;
}
