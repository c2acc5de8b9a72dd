// SPDX-License-Identifier: MIT
#include "model/controlnet.h"

#include "base/error.h"
#include "base/json.h"
#include "base/macros.h"
#include "base/text.h"
#include "io/folder.h"
#include "model/components.h"
#include "model/find.h"
#include "model/unet_time.h"

#include <stdio.h>
#include <string.h>

static const char component[] = "control_net"; // in names.c

// ---- opening ----

// Adds what the configuration of a UNet has in addition: the types of the way up, which is the way
// down reversed.
static bool add_way_up(cJSON *config) {
    const cJSON *down = cJSON_GetObjectItemCaseSensitive(config, "down_block_types");
    cJSON *up = cJSON_CreateArray();
    bool good = up != NULL;
    for (int i = cJSON_GetArraySize(down) - 1; good && i >= 0; i--) {
        const char *type = cJSON_GetStringValue(cJSON_GetArrayItem(down, i));
        bool attends = type && !strcmp(type, "CrossAttnDownBlock2D");
        good = cJSON_AddItemToArray(
            up, cJSON_CreateString(attends ? "CrossAttnUpBlock2D" : "UpBlock2D"));
    }
    cJSON_DeleteItemFromObjectCaseSensitive(config, "up_block_types");
    if (good && cJSON_AddItemToObject(config, "up_block_types", up)) return true;
    cJSON_Delete(up);
    return false;
}

static enum fum_result check_class(const cJSON *config, const char *where, struct fum_error *err) {
    const char *class_name = fum_json_string(config, "_class_name", ""),
               *order = fum_json_string(config, "controlnet_conditioning_channel_order", "rgb");
    if (strcmp(class_name, "ControlNetModel"))
        return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                             "%s: a %s, where --control-net takes a ControlNetModel", where,
                             *class_name ? fum_text_show(class_name).text : "model without a name");
    if (strcmp(order, "rgb") || fum_json_bool(config, "global_pool_conditions", false))
        return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                             "%s: this ControlNet reads colours in the order %s or pools its "
                             "results, which is not supported",
                             where, fum_text_show(order).text);
    return FUM_OK;
}

// Where a ControlNet lies, and its configuration.
struct place {
    const char *weights, *where;
    cJSON *config; // owned
};

static enum fum_result find_in_folder(struct place *place, fum_arena *arena, const char *dir,
                                      struct fum_error *err) {
    const char *snapshot = fum_model_snapshot(arena, dir);
    if (snapshot) dir = snapshot;
    place->where = fum_path_join(arena, dir, "config.json");
    if (!place->where) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a path");
    enum fum_result result = fum_json_read(&place->config, place->where, err);
    if (!result) result = check_class(place->config, place->where, err);
    if (!result && !add_way_up(place->config))
        result = fum_error_set(err, FUM_ERR_NOMEM, "no memory for a configuration");
    return result ? result : fum_folder_find_weights(arena, dir, NULL, &place->weights, err);
}

// Takes the configuration of the model's UNet for a single file.
static enum fum_result find_file(struct place *place, const fum_model *model, const char *path,
                                 struct fum_error *err) {
    const struct fum_model_component *unet = fum_model_find_component(model, "unet");
    place->weights = place->where = path;
    place->config = unet ? cJSON_Duplicate(unet->config, true) : NULL;
    return place->config ? FUM_OK
                         : fum_error_set(err, FUM_ERR_NOMEM, "no memory for a configuration");
}

static enum fum_result open_weights(struct fum_control_net *net, const struct place *place,
                                    struct fum_error *err) {
    enum fum_result result = fum_loader_open(&net->loader, place->weights, err);
    if (result) return result;
    if (!fum_names_has_component(net->loader, component))
        return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                             "%s: not a ControlNet under names that are known (of diffusers, or of "
                             "the original layout)",
                             place->weights);
    return fum_names_create(&net->names, net->loader, component, place->config, err);
}

// ---- sizes ----

// Returns a dimension of a tensor; 0: there is no such tensor.
static int dim_of(const struct fum_control_net *net, int axis, const char *name) {
    struct fum_view view;
    bool found = fum_names_find(net->names, name, &view, NULL);
    return found && axis < view.rank && view.dim[axis] < 1 << 20 ? (int)view.dim[axis] : 0;
}

// Reads the channels of the picture's embedding off its convolutions.
static enum fum_result read_levels(struct fum_control_net *net, const char *where,
                                   struct fum_error *err) {
    char name[64];
    int channels = dim_of(net, 0, "controlnet_cond_embedding.conv_in.weight");
    net->channels = dim_of(net, 1, "controlnet_cond_embedding.conv_in.weight");
    while (channels && net->num_levels < FUM_CONTROL_MAX_LEVELS) {
        net->levels[net->num_levels++] = channels;
        snprintf(name, sizeof name, "controlnet_cond_embedding.blocks.%d.weight",
                 2 * net->num_levels - 1);
        channels = dim_of(net, 0, name);
    }
    if (!channels && net->num_levels && net->channels == 3) return FUM_OK;
    return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                         "%s: this ControlNet reads a picture of %d channels, not of 3", where,
                         net->channels);
}

static enum fum_result refuse_family(const struct place *place, const fum_model *model,
                                     const char *what, struct fum_error *err) {
    return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                         "%s: this ControlNet is for another family than the model %s (%s): they "
                         "differ in %s",
                         place->where, fum_model_get_info(model)->name,
                         fum_model_get_info(model)->family, what);
}

// Returns the channels of the text that the file's first transformer reads; 0: it has none.
static int find_context(const struct fum_control_net *net) {
    char name[96];
    for (int i = 0; i < net->unet.num_blocks; i++) {
        snprintf(name, sizeof name,
                 "down_blocks.%d.attentions.0.transformer_blocks.0.attn2.to_k.weight", i);
        int channels = dim_of(net, 1, name);
        if (channels) return channels;
    }
    return 0;
}

// Checks that the results fit the UNet's skips, and that the text is the model's.
static enum fum_result check_fit(const struct fum_control_net *net, const struct place *place,
                                 const fum_model *model, struct fum_error *err) {
    const struct fum_unet_config *own = &net->unet, *unet = &fum_model_get_view(model)->unet;
    int context = find_context(net);
    if (context && context != unet->down[0].context_channels)
        return refuse_family(place, model, "the channels of the text", err);
    if (own->text_time != unet->text_time || own->text_time_in != unet->text_time_in ||
        own->text_time != (dim_of(net, 0, "add_embedding.linear_1.weight") > 0))
        return refuse_family(place, model, "the embeddings of picture sizes", err);
    bool same = own->num_blocks == unet->num_blocks &&
                dim_of(net, 0, "conv_in.weight") == unet->down[0].channels;
    for (int i = 0; i < own->num_blocks && same; i++)
        same = own->down[i].channels == unet->down[i].channels &&
               own->down[i].layers == unet->down[i].layers;
    if (!same) return refuse_family(place, model, "the levels", err);
    if (own->in_channels == fum_model_get_view(model)->vae.latent_channels) return FUM_OK;
    return refuse_family(place, model, "the channels of the latents", err);
}

static enum fum_result open_net(struct fum_control_net *net, const fum_model *model,
                                struct place *place, struct fum_error *err) {
    enum fum_result result = open_weights(net, place, err);
    if (!result) result = fum_unet_config_parse(&net->unet, place->config, place->where, err);
    if (result) return result;
    net->unet.in_channels = dim_of(net, 1, "conv_in.weight");
    net->unet.class_embed = FUM_UNET_CLASS_NONE;
    net->unet.time_cond_channels = 0;
    result = read_levels(net, place->where, err);
    return result ? result : check_fit(net, place, model, err);
}

enum fum_result fum_control_net_open(struct fum_control_net *net, const fum_model *model,
                                     const char *path, struct fum_error *err) {
    struct place place = {0};
    enum fum_file_kind kind = FUM_FILE_NONE;
    *net = (struct fum_control_net){0};
    fum_arena *arena = fum_arena_create();
    if (!arena) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a ControlNet");
    enum fum_result result = fum_file_look(path, &kind, err);
    if (!result && kind == FUM_FILE_FOLDER)
        result = find_in_folder(&place, arena, path, err);
    else if (!result)
        result = find_file(&place, model, path, err);
    if (!result) result = open_net(net, model, &place, err);
    if (result) fum_control_net_close(net);
    cJSON_Delete(place.config);
    fum_arena_destroy(&arena);
    return result;
}

void fum_control_net_close(struct fum_control_net *net) {
    fum_names_destroy(&net->names);
    fum_loader_close(&net->loader);
}

// ---- the graph ----

fum_tensor *fum_control_net_embed(fum_graph *graph, const struct fum_control_net *net,
                                  const char *prefix, fum_tensor *picture) {
    struct fum_nn nn;
    char name[24];
    fum_nn_init(&nn, graph, prefix);
    size_t mark = fum_nn_enter(&nn, "controlnet_cond_embedding");
    fum_tensor *x = fum_nn_conv(&nn, "conv_in", fum_nn_stored(&nn, picture), net->levels[0], NULL);
    x = fum_nn_unary(&nn, "silu", NULL, x);
    for (int i = 0; i < 2 * (net->num_levels - 1); i++) {
        const struct fum_nn_conv conv = {.stride = 1 + i % 2};
        snprintf(name, sizeof name, "blocks.%d", i);
        x = fum_nn_conv(&nn, name, x, net->levels[(i + 1) / 2], &conv);
        x = fum_nn_unary(&nn, "silu", NULL, x);
    }
    x = fum_nn_conv(&nn, "conv_out", x, net->unet.down[0].channels, NULL);
    fum_nn_leave(&nn, mark);
    return x;
}

int fum_control_net_build(fum_graph *graph, const struct fum_control_net *net,
                          const struct fum_unet_params *params,
                          fum_tensor *results[FUM_UNET_MAX_SKIPS + 1]) {
    struct fum_unet_builder b = {.config = &net->unet, .params = params, .encoder = true};
    const struct fum_nn_conv plain = {.kernel = 1};
    char name[40];
    fum_nn_init(&b.nn, graph, params->prefix);
    fum_tensor *middle = fum_unet_encode(&b);
    if (!middle) return 0;
    for (int i = 0; i < b.num_skips; i++) {
        snprintf(name, sizeof name, "controlnet_down_blocks.%d", i);
        results[i] = fum_nn_conv(&b.nn, name, b.skips[i], fum_nn_channels(b.skips[i]), &plain);
        if (!results[i]) return 0;
    }
    results[b.num_skips] =
        fum_nn_conv(&b.nn, "controlnet_mid_block", middle, fum_nn_channels(middle), &plain);
    return results[b.num_skips] ? b.num_skips + 1 : 0;
}
