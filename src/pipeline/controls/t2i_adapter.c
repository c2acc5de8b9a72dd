// SPDX-License-Identifier: MIT
// A T2I-adapter as a part of the recorded step.
#include "graph/graph.h"
#include "pipeline/control.h"
#include "pipeline/pipeline.h"

static enum fum_result open_adapter(struct fum_control_part *part, const fum_model *model,
                                    struct fum_error *err) {
    struct fum_t2i_adapter *a = &part->adapter;
    enum fum_result result = fum_t2i_adapter_open(a, model, part->path, err);
    if (result) return result;
    part->channels = a->channels;
    part->square = a->square;
    return FUM_OK;
}

static void close_adapter(struct fum_control_part *part) {
    fum_t2i_adapter_close(&part->adapter);
}

static bool find_weight(const struct fum_control_part *part, const char *name,
                        struct fum_view *view) {
    return fum_t2i_adapter_find(&part->adapter, name, view);
}

static void add_adapter(fum_graph *graph, const struct fum_control_part *part,
                        const struct fum_control_step *step) {
    struct fum_denoiser *d = step->denoiser;
    fum_tensor *features[FUM_T2I_MAX_LEVELS];
    int count = fum_t2i_adapter_build(graph, &part->adapter, step->prefix, step->picture, features);
    fum_control_sum(graph, step, features, d->control.features, count);
    d->control.num_features = count;
}

const struct fum_control_kind fum_control_adapter = {.matches = fum_t2i_adapter_matches,
                                                     .open = open_adapter,
                                                     .close = close_adapter,
                                                     .find = find_weight,
                                                     .add = add_adapter};
