// SPDX-License-Identifier: MIT
#include "evaluate/network.h"

#include "base/error.h"

static void close_network(struct fum_feature_network *network) {
    struct fum_device_network *net = network->state;
    fum_executable_destroy(&net->executable);
    fum_weights_destroy(&net->weights);
    fum_graph_destroy(&net->graph);
    fum_device_destroy(&net->device);
    fum_loader_close(&net->loader);
    fum_arena_destroy(&net->arena);
    fum_free(net);
}

static enum fum_result run_network(struct fum_feature_network *network, const float *pixels,
                                   float *features, float *logits, struct fum_error *err) {
    struct fum_device_network *net = network->state;
    enum fum_result result =
        fum_executable_write(net->executable, net->pixels, pixels,
                             FUM_FEATURE_BATCH * fum_feature_picture_numbers(network), err);
    if (!result) result = fum_executable_run(net->executable, FUM_STAGE_STEP, err);
    if (!result)
        result = fum_executable_read(net->executable, net->features, features,
                                     FUM_FEATURE_BATCH * network->width, err);
    if (!result)
        result = fum_executable_read(net->executable, net->logits, logits,
                                     FUM_FEATURE_BATCH * network->classes, err);
    return result;
}

enum fum_result fum_device_network_create(struct fum_feature_network *network,
                                          struct fum_error *err) {
    struct fum_device_network *net = fum_calloc(1, sizeof *net);
    if (!net) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for the network of the features");
    *network =
        (struct fum_feature_network){.run = run_network, .close = close_network, .state = net};
    net->arena = fum_arena_create();
    if (!net->arena)
        return fum_error_set(err, FUM_ERR_NOMEM, "no memory for the network of the features");
    return fum_graph_create(&net->graph, FUM_F32, err);
}

fum_tensor *fum_device_network_input(struct fum_feature_network *network) {
    struct fum_device_network *net = network->state;
    const struct fum_shape shape = {
        4, {FUM_FEATURE_BATCH, network->picture_height, network->picture_width, network->channels}};
    net->pixels = fum_graph_input(net->graph, "pixels", shape, FUM_F32, FUM_STAGE_STEP);
    return net->pixels;
}

enum fum_result fum_device_network_outputs(struct fum_feature_network *network,
                                           fum_tensor *features, fum_tensor *logits,
                                           struct fum_error *err) {
    struct fum_device_network *net = network->state;
    net->features = features;
    net->logits = logits;
    if (features) fum_graph_output(net->graph, features, "features");
    if (logits) fum_graph_output(net->graph, logits, "logits");
    enum fum_result result = fum_graph_check(net->graph, err);
    if (result) return result;
    network->width = (size_t)fum_tensor_shape(features).dim[1];
    network->classes = (size_t)fum_tensor_shape(logits).dim[1];
    return FUM_OK;
}

enum fum_result fum_device_network_compile(struct fum_feature_network *network,
                                           const struct fum_weight_source *source,
                                           const struct fum_evaluate_params *params,
                                           struct fum_error *err) {
    struct fum_device_network *net = network->state;
    const struct fum_device_params device = {.select = params->device, .log = params->log};
    enum fum_result result = fum_device_create(&net->device, &device, err);
    const struct fum_weights_params weights = {
        .device = net->device, .source = *source, .label = params->features};
    if (!result) result = fum_weights_create(&net->weights, &weights, err);
    if (result) return result;
    const struct fum_executable_params named = {.label = "features"};
    const struct fum_executable_job job = {
        .graph = net->graph, .device = net->device, .weights = net->weights, .params = &named};
    return fum_executable_compile(&net->executable, &job, err);
}
