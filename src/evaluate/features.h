// SPDX-License-Identifier: MIT
// Networks that turn pictures into features, as records.
#ifndef FUM_EVALUATE_FEATURES_H
#define FUM_EVALUATE_FEATURES_H

#include <fumarole/evaluate.h>

enum { FUM_FEATURE_BATCH = 8 }; // pictures that a network takes at once

// An open network. One thread at a time.
struct fum_feature_network {
    size_t width;   // numbers of a feature
    size_t classes; // logits; 0: none
    int picture_width, picture_height, channels;
    // Computes the features [batch, width] and logits [batch, classes] of FUM_FEATURE_BATCH
    // pictures in 0..1, [batch, height, width, channels].
    enum fum_result (*run)(struct fum_feature_network *network, const float *pixels,
                           float *features, float *logits, struct fum_error *err);
    void (*close)(struct fum_feature_network *network);
    void *state; // the kind's own
};

// Returns the numbers of a picture.
static inline size_t fum_feature_picture_numbers(const struct fum_feature_network *network) {
    return (size_t)network->picture_width * (size_t)network->picture_height *
           (size_t)network->channels;
}

// A kind of network: "NAME:PATH" selects it.
struct fum_feature_kind {
    const char *name;
    const char *what; // its path leads to, for messages
    // Fills a network that fum_device_network_create made. The caller closes it after a failure.
    enum fum_result (*open)(struct fum_feature_network *network, const char *path,
                            const struct fum_evaluate_params *params, struct fum_error *err);
};
extern const struct fum_feature_kind fum_feature_inception, fum_feature_classifier;

// Opens the network that params->features names. Without one that is FUM_ERR_ARG.
enum fum_result fum_features_open(struct fum_feature_network *network,
                                  const struct fum_evaluate_params *params, struct fum_error *err);
// Closes it; one that is all zero is ignored.
void fum_features_close(struct fum_feature_network *network);

#endif
