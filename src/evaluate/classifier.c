// SPDX-License-Identifier: MIT
// Features by a classifier that fumarole trained: the input of its last layer, at timestep 0.
#include "model/classifier.h"

#include "evaluate/network.h"

static enum fum_result build_graph(struct fum_feature_network *network,
                                   const struct fum_classifier *classifier, struct fum_error *err) {
    struct fum_device_network *net = network->state;
    struct fum_classifier_outputs outputs;
    const float zeros[FUM_FEATURE_BATCH] = {0};
    const struct fum_attr to_signed[] = {{"mul", 2}, {"add", -1}, {0}};
    fum_tensor *pixels = fum_device_network_input(network);
    const struct fum_unet_params params = {
        .x = fum_graph_add(net->graph, "scale", NULL, FUM_INPUTS(pixels), to_signed),
        .timesteps =
            fum_graph_constant(net->graph, "t", (struct fum_shape){1, {FUM_FEATURE_BATCH}}, zeros)};
    fum_unet_classifier(net->graph, &classifier->config, &params, classifier->classes, &outputs);
    return fum_device_network_outputs(network, outputs.features, outputs.logits, err);
}

static enum fum_result open_classifier(struct fum_feature_network *network, const char *path,
                                       const struct fum_evaluate_params *params,
                                       struct fum_error *err) {
    struct fum_device_network *net = network->state;
    struct fum_classifier classifier;
    enum fum_result result = fum_classifier_open(&classifier, path, err);
    net->loader = classifier.loader; // closed with the network
    if (result) return result;
    network->channels = classifier.config.in_channels;
    network->picture_width = classifier.config.sample_width;
    network->picture_height = classifier.config.sample_height;
    network->classes = (size_t)classifier.classes;
    if ((result = build_graph(network, &classifier, err))) return result;
    const struct fum_weight_source source = fum_classifier_source(net->loader);
    return fum_device_network_compile(network, &source, params, err);
}

const struct fum_feature_kind fum_feature_classifier = {
    "classifier", "the folder of a classifier that fumarole trained", open_classifier};
