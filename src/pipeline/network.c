// SPDX-License-Identifier: MIT
#include "pipeline/network.h"

#include "base/alloc.h"
#include "base/desc.h"
#include "base/error.h"
#include "exec/executable.h"
#include "graph/graph.h"

struct fum_network {
    const struct fum_model_view *view;
    fum_weights *weights;
    fum_graph *graph;
    fum_executable *executable;
    struct fum_unet_params unet;
    fum_tensor *out, *direction, *slope;
};

static bool trains_nothing(void *user, const char *name) {
    (void)user, (void)name;
    return false;
}

// Adds the gradient of the sum over out · direction.
static bool add_slope(struct fum_network *n) {
    const struct fum_attr number[] = {{"rank", 1}, {"d0", 1}, {0}};
    if (!n->out) return false;
    n->direction =
        fum_graph_input(n->graph, "direction", fum_tensor_shape(n->out), FUM_F32, FUM_STAGE_STEP);
    fum_tensor *product =
        fum_graph_add(n->graph, "mul", NULL, FUM_INPUTS(n->out, n->direction), NULL);
    fum_tensor *sum =
        product ? fum_graph_add(n->graph, "reduce_sum", NULL, FUM_INPUTS(product), number) : NULL;
    if (!sum || !fum_graph_gradient(n->graph, sum, &n->unet.x, 1, &n->slope)) return false;
    fum_graph_output(n->graph, n->slope, "slope");
    return true;
}

static enum fum_result build(struct fum_network *n, const struct fum_network_params *p,
                             struct fum_error *err) {
    const struct fum_unet_config *config = &n->view->unet;
    const struct fum_unet_sizes sizes = {.batch = p->batch};
    const struct fum_shape x = {4, {p->batch, p->height, p->width, config->in_channels}};
    enum fum_result result = fum_graph_create(&n->graph, FUM_F32, err);
    if (result) return result;
    // As in training, layers stay products of their own, which have gradients.
    if (p->slopes) fum_graph_train(n->graph, trains_nothing, NULL);
    n->unet.x = fum_graph_input(n->graph, "x", x, FUM_F32, FUM_STAGE_STEP);
    fum_unet_inputs(n->graph, config, &sizes, &n->unet);
    n->out = fum_unet_build(n->graph, config, &n->unet);
    if (n->out) fum_graph_output(n->graph, n->out, "out");
    bool built = n->out && (!p->slopes || add_slope(n));
    result = fum_graph_check(n->graph, err);
    if (result || built) return result;
    return fum_error_set(err, FUM_ERR_UNSUPPORTED, "the model needs more inputs than a picture");
}

static enum fum_result compile(struct fum_network *n, const struct fum_network_params *p,
                               struct fum_error *err) {
    const struct fum_weights_params weights = {
        .device = p->device, .source = n->view->unet_weights, .label = "unet"};
    const struct fum_executable_params named = {.label = "unet"};
    enum fum_result result = fum_weights_create(&n->weights, &weights, err);
    if (result) return result;
    const struct fum_executable_job job = {
        .graph = n->graph, .device = p->device, .weights = n->weights, .params = &named};
    return fum_executable_compile(&n->executable, &job, err);
}

enum fum_result fum_network_create(fum_network **network, const struct fum_network_params *params,
                                   struct fum_error *err) {
    const struct fum_model_view *view = fum_model_get_view(params->model);
    *network = NULL;
    if (!view->pixels || view->unet.context_channels)
        return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                             "%s: is no model of pictures without texts, such as train ddpm makes",
                             fum_model_get_info(params->model)->path);
    struct fum_network *n = *network = fum_calloc(1, sizeof *n);
    if (!n) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a network");
    n->view = view;
    enum fum_result result = build(n, params, err);
    if (!result) result = compile(n, params, err);
    if (result) fum_network_destroy(network);
    return result;
}

void fum_network_destroy(fum_network **network) {
    struct fum_network *n = *network;
    if (!n) return;
    fum_executable_destroy(&n->executable);
    fum_weights_destroy(&n->weights);
    fum_graph_destroy(&n->graph);
    fum_free(n);
    *network = NULL;
}

static size_t count_of(const fum_tensor *tensor) {
    struct fum_shape shape = fum_tensor_shape(tensor);
    return (size_t)fum_shape_count(&shape);
}

static enum fum_result write_point(struct fum_network *n, const struct fum_network_point *p,
                                   struct fum_error *err) {
    enum fum_result result =
        fum_executable_write(n->executable, n->unet.x, p->x, count_of(n->unet.x), err);
    if (!result)
        result = fum_executable_write(n->executable, n->unet.timesteps, p->times,
                                      count_of(n->unet.timesteps), err);
    if (!result && n->unet.class_labels && p->labels)
        result = fum_executable_write_i32(n->executable, n->unet.class_labels, p->labels,
                                          count_of(n->unet.class_labels), err);
    return result;
}

static enum fum_result run_out(struct fum_network *n, float *out, struct fum_error *err) {
    enum fum_result result = fum_executable_run(n->executable, FUM_STAGE_STEP, err);
    return result ? result : fum_executable_read(n->executable, n->out, out, count_of(n->out), err);
}

enum fum_result fum_network_run(fum_network *n, const struct fum_network_point *point, float *out,
                                struct fum_error *err) {
    enum fum_result result = write_point(n, point, err);
    return result ? result : run_out(n, out, err);
}

enum fum_result fum_network_slope(fum_network *n, const struct fum_network_point *point, float *out,
                                  float *slope, struct fum_error *err) {
    enum fum_result result = write_point(n, point, err);
    if (!result)
        result = fum_executable_write(n->executable, n->direction, point->direction,
                                      count_of(n->direction), err);
    if (!result) result = run_out(n, out, err);
    return result ? result
                  : fum_executable_read(n->executable, n->slope, slope, count_of(n->slope), err);
}
