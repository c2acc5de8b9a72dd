// SPDX-License-Identifier: MIT
#include "evaluate/batch.h"

#include "base/alloc.h"
#include "base/error.h"
#include "evaluate/pictures.h"

#include <stdio.h>

enum fum_result fum_feature_batch_begin(struct fum_feature_batch *b, size_t total,
                                        struct fum_error *err) {
    struct fum_set *set = b->set;
    struct fum_feature_network *network = &b->context->network;
    size_t rows = total + FUM_FEATURE_BATCH;
    if (!network->run) {
        enum fum_result result = fum_features_open(network, b->context->params, err);
        if (result) return result;
    }
    b->pixels =
        fum_calloc(fum_feature_picture_numbers(network), FUM_FEATURE_BATCH * sizeof *b->pixels);
    set->features = fum_alloc(rows, network->width * sizeof *set->features);
    set->logits = network->classes ? fum_alloc(rows, network->classes * sizeof *set->logits) : NULL;
    if (b->pixels && set->features && (set->logits || !network->classes)) return FUM_OK;
    return fum_error_set(err, FUM_ERR_NOMEM, "%s: no memory for the features of %zu pictures",
                         set->path, total);
}

enum fum_result fum_feature_batch_write(const struct fum_feature_batch *b, size_t index,
                                        const struct fum_bitmap *bitmap, struct fum_error *err) {
    const struct fum_feature_network *network = &b->context->network;
    struct fum_bitmap converted = {0};
    enum fum_result result = fum_bitmap_convert(bitmap, network->channels, &converted, err);
    if (!result)
        fum_picture_scale(&converted, network->picture_width, network->picture_height,
                          b->pixels + index * fum_feature_picture_numbers(network));
    fum_bitmap_free(&converted);
    return result;
}

enum fum_result fum_feature_batch_run(struct fum_feature_batch *b, size_t count,
                                      struct fum_error *err) {
    struct fum_feature_network *network = &b->context->network;
    if (!count) return FUM_OK;
    enum fum_result result =
        network->run(network, b->pixels, b->set->features + b->rows * network->width,
                     b->set->logits + b->rows * network->classes, err);
    b->rows += count;
    return result;
}

enum fum_result fum_feature_batch_report(const struct fum_feature_batch *b, size_t done,
                                         size_t total, struct fum_error *err) {
    const struct fum_evaluate_params *params = b->context->params;
    if (!params->on_picture || params->on_picture(params->user, b->set->path, done, total))
        return FUM_OK;
    return fum_error_set(err, FUM_ERR_CANCELLED, "stopped");
}

enum fum_result fum_feature_batch_end(struct fum_feature_batch *b, enum fum_result result,
                                      struct fum_error *err) {
    struct fum_set *set = b->set;
    const struct fum_feature_network *network = &b->context->network;
    const char *features = b->context->params->features;
    fum_free(b->pixels);
    if (result) return result;
    if (!b->rows)
        return fum_error_set(err, FUM_ERR_FORMAT, "%s: no picture could be read", set->path);
    set->rows = (struct fum_rows){.f32 = set->features, .count = b->rows, .width = network->width};
    if (set->logits)
        set->scores =
            (struct fum_rows){.f32 = set->logits, .count = b->rows, .width = network->classes};
    snprintf(set->origin, sizeof set->origin, "%s", features ? features : "");
    return FUM_OK;
}
