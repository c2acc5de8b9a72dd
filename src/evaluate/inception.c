// SPDX-License-Identifier: MIT
// Opens Inception v3 on a device.
#include "evaluate/inception.h"

#include "base/error.h"
#include "evaluate/network.h"

static enum fum_result build_graph(struct fum_feature_network *network, struct fum_error *err) {
    struct fum_device_network *net = network->state;
    struct fum_inception tensors = {.weights = net->loader,
                                    .pixels = fum_device_network_input(network)};
    if (!fum_inception_build(net->graph, &tensors, err)) return FUM_ERR_FORMAT;
    return fum_device_network_outputs(network, tensors.features, tensors.logits, err);
}

static enum fum_result open_inception(struct fum_feature_network *network, const char *path,
                                      const struct fum_evaluate_params *params,
                                      struct fum_error *err) {
    struct fum_device_network *net = network->state;
    struct fum_weight_source source = {0};
    network->picture_width = network->picture_height = FUM_INCEPTION_SIZE;
    network->channels = 3;
    enum fum_result result = fum_loader_open(&net->loader, path, err);
    if (!result) result = fum_inception_fold(&source, net->loader, net->arena, err);
    if (!result) result = build_graph(network, err);
    return result ? result : fum_device_network_compile(network, &source, params, err);
}

const struct fum_feature_kind fum_feature_inception = {
    "inception", "the weights that pytorch-fid uses (.pth or .safetensors)", open_inception};
