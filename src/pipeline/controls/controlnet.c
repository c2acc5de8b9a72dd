// SPDX-License-Identifier: MIT
// A ControlNet as a part of the recorded step.
#include "graph/graph.h"
#include "pipeline/control.h"
#include "pipeline/pipeline.h"

static enum fum_result open_net(struct fum_control_part *part, const fum_model *model,
                                struct fum_error *err) {
    part->square = 1;
    enum fum_result result = fum_control_net_open(&part->net, model, part->path, err);
    part->channels = part->net.channels;
    return result;
}

static void close_net(struct fum_control_part *part) {
    fum_control_net_close(&part->net);
}

static bool find_weight(const struct fum_control_part *part, const char *name,
                        struct fum_view *view) {
    return fum_names_find(part->net.names, name, view, NULL);
}

static void add_net(fum_graph *graph, const struct fum_control_part *part,
                    const struct fum_control_step *step) {
    struct fum_denoiser *d = step->denoiser;
    fum_tensor *results[FUM_UNET_MAX_SKIPS + 1];
    struct fum_unet_params params = d->unet;
    params.prefix = step->prefix;
    params.timestep_cond = params.class_labels = NULL;
    params.features = params.residuals = NULL;
    fum_graph_set_gate(graph, step->gate);
    params.hint = fum_control_net_embed(graph, &part->net, step->prefix, step->picture);
    int count = params.hint ? fum_control_net_build(graph, &part->net, &params, results) : 0;
    fum_graph_set_gate(graph, 0);
    fum_control_sum(graph, step, results, d->control.residuals, count);
    d->control.num_residuals = count;
}

const struct fum_control_kind fum_control_controlnet = {
    .open = open_net, .close = close_net, .find = find_weight, .add = add_net};
