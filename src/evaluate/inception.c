// SPDX-License-Identifier: MIT
// Runs Inception v3 on a device.
#include "evaluate/inception.h"

#include "base/error.h"
#include "evaluate/features.h"
#include "exec/executable.h"

enum { BATCH = 8 };

struct inception {
    fum_loader *loader;
    struct fum_inception_weights *folded;
    fum_graph *graph;
    fum_device *device;
    fum_weights *weights;
    fum_executable *executable;
    struct fum_inception tensors;
};

static void close_inception(struct fum_feature_network *network) {
    struct inception *net = network->state;
    fum_executable_destroy(&net->executable);
    fum_weights_destroy(&net->weights);
    fum_graph_destroy(&net->graph);
    fum_device_destroy(&net->device);
    fum_inception_weights_destroy(&net->folded);
    fum_loader_close(&net->loader);
    fum_free(net);
}

static enum fum_result run_inception(struct fum_feature_network *network, const float *pixels,
                                     float *features, float *logits, struct fum_error *err) {
    struct inception *net = network->state;
    size_t batch = (size_t)network->batch, side = FUM_INCEPTION_SIZE;
    enum fum_result result = fum_executable_write(net->executable, net->tensors.pixels, pixels,
                                                  batch * side * side * 3, err);
    if (!result) result = fum_executable_run(net->executable, FUM_STAGE_STEP, err);
    if (!result)
        result = fum_executable_read(net->executable, net->tensors.features, features,
                                     batch * network->width, err);
    if (!result)
        result = fum_executable_read(net->executable, net->tensors.logits, logits,
                                     batch * network->classes, err);
    return result;
}

static enum fum_result build_graph(struct inception *net, struct fum_error *err) {
    const struct fum_shape shape = {4, {BATCH, FUM_INCEPTION_SIZE, FUM_INCEPTION_SIZE, 3}};
    enum fum_result result = fum_graph_create(&net->graph, FUM_F32, err);
    if (result) return result;
    net->tensors.pixels = fum_graph_input(net->graph, "pixels", shape, FUM_F32, FUM_STAGE_STEP);
    net->tensors.weights = net->loader;
    if (!fum_inception_build(net->graph, &net->tensors, err)) return FUM_ERR_FORMAT;
    fum_graph_output(net->graph, net->tensors.features, "features");
    fum_graph_output(net->graph, net->tensors.logits, "logits");
    return fum_graph_check(net->graph, err);
}

static enum fum_result compile_graph(struct inception *net, const char *path,
                                     const struct fum_evaluate_params *params,
                                     struct fum_error *err) {
    const struct fum_device_params device = {.select = params->device, .log = params->log};
    enum fum_result result = fum_device_create(&net->device, &device, err);
    const struct fum_weights_params weights = {
        .device = net->device, .source = fum_inception_weights_source(net->folded), .label = path};
    if (!result) result = fum_weights_create(&net->weights, &weights, err);
    if (result) return result;
    const struct fum_executable_params named = {.label = "inception"};
    const struct fum_executable_job job = {
        .graph = net->graph, .device = net->device, .weights = net->weights, .params = &named};
    return fum_executable_compile(&net->executable, &job, err);
}

static enum fum_result open_inception(struct fum_feature_network *network, const char *path,
                                      const struct fum_evaluate_params *params,
                                      struct fum_error *err) {
    struct inception *net = fum_calloc(1, sizeof *net);
    if (!net) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for the network of the features");
    *network = (struct fum_feature_network){.size = FUM_INCEPTION_SIZE,
                                            .channels = 3,
                                            .batch = BATCH,
                                            .run = run_inception,
                                            .close = close_inception,
                                            .state = net};
    enum fum_result result = fum_loader_open(&net->loader, path, err);
    if (!result) result = fum_inception_weights_create(&net->folded, net->loader, err);
    if (!result) result = build_graph(net, err);
    if (!result) result = compile_graph(net, path, params, err);
    if (result) {
        fum_features_close(network);
        return result;
    }
    network->width = (size_t)fum_tensor_shape(net->tensors.features).dim[1];
    network->classes = (size_t)fum_tensor_shape(net->tensors.logits).dim[1];
    return FUM_OK;
}

const struct fum_feature_kind fum_feature_inception = {
    "inception", "the weights that pytorch-fid uses (.pth or .safetensors)", open_inception};
