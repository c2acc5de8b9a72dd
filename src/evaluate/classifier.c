// SPDX-License-Identifier: MIT
// Features by a classifier that fumarole trained: the input of its last layer, at timestep 0.
#include "base/error.h"
#include "base/json.h"
#include "evaluate/network.h"
#include "model/unet.h"

#include <string.h>

// Finds the folder with the model: the path, or "model" in a folder of a training.
static enum fum_result read_config(const char **dir, cJSON **json, fum_arena *arena,
                                   const char *path, struct fum_error *err) {
    char *config = fum_path_join(arena, path, "config.json"),
         *inner = fum_path_join(arena, path, "model");
    if (!config || !inner) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a path");
    *dir = path;
    if (!fum_path_may_exist(config)) {
        *dir = inner;
        config = fum_path_join(arena, inner, "config.json");
        if (!config) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a path");
    }
    enum fum_result result = fum_json_read(json, config, err);
    if (result) return result;
    const char *class_name = fum_json_string(*json, "_class_name", "");
    if (!strcmp(class_name, "FumaroleClassifier")) return FUM_OK;
    return fum_error_set(err, FUM_ERR_FORMAT,
                         "%s: not a classifier of fumarole train (_class_name is \"%s\")", config,
                         class_name);
}

static enum fum_result build_graph(struct fum_feature_network *network,
                                   const struct fum_unet_config *config, int classes,
                                   struct fum_error *err) {
    struct fum_device_network *net = network->state;
    struct fum_classifier_outputs outputs;
    const float zeros[FUM_FEATURE_BATCH] = {0};
    const struct fum_attr to_signed[] = {{"mul", 2}, {"add", -1}, {0}};
    fum_tensor *pixels = fum_device_network_input(network);
    const struct fum_unet_params params = {
        .x = fum_graph_add(net->graph, "scale", NULL, FUM_INPUTS(pixels), to_signed),
        .timesteps =
            fum_graph_constant(net->graph, "t", (struct fum_shape){1, {FUM_FEATURE_BATCH}}, zeros)};
    fum_unet_classifier(net->graph, config, &params, classes, &outputs);
    return fum_device_network_outputs(network, outputs.features, outputs.logits, err);
}

static enum fum_result read_sizes(struct fum_feature_network *network,
                                  const struct fum_unet_config *config, const cJSON *json,
                                  const char *path, struct fum_error *err) {
    double classes = fum_json_number(json, "classes", 0);
    network->channels = config->in_channels;
    network->picture_width = config->sample_width;
    network->picture_height = config->sample_height;
    network->classes = (size_t)classes;
    if (classes >= 1 && classes <= 1 << 16 && config->sample_width > 0 && config->sample_height > 0)
        return FUM_OK;
    return fum_error_set(err, FUM_ERR_FORMAT, "%s: its config.json needs sample_size and classes",
                         path);
}

static bool find_weight(void *user, const char *name, struct fum_view *view) {
    const struct fum_loader_tensor *tensor = fum_loader_find(user, name);
    if (tensor) *view = tensor->view;
    return tensor != NULL;
}

static enum fum_result open_classifier(struct fum_feature_network *network, const char *path,
                                       const struct fum_evaluate_params *params,
                                       struct fum_error *err) {
    struct fum_device_network *net = network->state;
    struct fum_unet_config config;
    const char *dir = NULL;
    cJSON *json = NULL;
    enum fum_result result = read_config(&dir, &json, net->arena, path, err);
    if (!result) result = fum_unet2d_config_parse(&config, json, path, err);
    if (!result) result = read_sizes(network, &config, json, path, err);
    char *weights = result ? NULL : fum_path_join(net->arena, dir, "model.safetensors");
    if (!result && !weights) result = fum_error_set(err, FUM_ERR_NOMEM, "no memory for a path");
    if (!result) result = fum_loader_open(&net->loader, weights, err);
    if (!result) result = build_graph(network, &config, (int)network->classes, err);
    cJSON_Delete(json);
    if (result) return result;
    const struct fum_weight_source source = {.find = find_weight, .user = net->loader};
    return fum_device_network_compile(network, &source, params, err);
}

const struct fum_feature_kind fum_feature_classifier = {
    "classifier", "the folder of a classifier that fumarole trained", open_classifier};
