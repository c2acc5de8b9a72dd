// SPDX-License-Identifier: MIT
// Derives numbers from a model's configurations.
#include "model/model.h"

bool fum_model_samples(const struct fum_model_view *view) {
    return view->unet_weights.find != NULL;
}

int fum_model_text_channels(const struct fum_model_view *view) {
    int channels = 0;
    for (int i = 0; i < view->num_text; i++) channels += view->text[i].config.channels;
    return channels;
}

int fum_model_text_pooled(const struct fum_model_view *view, int index) {
    const struct fum_clip_config *text = &view->text[index].config;
    if (!view->unet.text_time) return 0;
    return view->unet.k_levels && !text->projection ? text->channels : text->projection;
}

int fum_model_pooled(const struct fum_model_view *view) {
    int channels = 0;
    for (int i = 0; i < view->num_text; i++)
        if (fum_model_text_pooled(view, i)) channels = fum_model_text_pooled(view, i);
    return channels;
}

// Returns the layers of the text encoder that has the fewest.
static int fewest_layers(const struct fum_model_view *view) {
    int layers = view->num_text ? view->text[0].config.layers : 0;
    for (int i = 1; i < view->num_text; i++)
        if (view->text[i].config.layers < layers) layers = view->text[i].config.layers;
    return layers;
}

int fum_model_skipped_layers(const struct fum_model_view *view, int clip_skip) {
    return clip_skip - 1 + view->traits.skip_base;
}

int fum_model_max_clip_skip(const struct fum_model_view *view) {
    return view->num_text ? fewest_layers(view) - fum_model_skipped_layers(view, 0) : 1;
}
