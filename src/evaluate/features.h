// SPDX-License-Identifier: MIT
// Networks that turn pictures into features, as records.
#ifndef FUM_EVALUATE_FEATURES_H
#define FUM_EVALUATE_FEATURES_H

#include <fumarole/evaluate.h>

// An open network. One thread at a time.
struct fum_feature_network {
    size_t width;       // numbers of a feature
    size_t classes;     // logits; 0: none
    int size, channels; // of the pictures: size × size, channels last
    int batch;          // pictures that run at once
    // Computes the features [batch, width] and logits [batch, classes] of a batch of pictures in
    // 0..1, [batch, size, size, channels].
    enum fum_result (*run)(struct fum_feature_network *network, const float *pixels,
                           float *features, float *logits, struct fum_error *err);
    void (*close)(struct fum_feature_network *network);
    void *state; // the kind's own
};

// A kind of network: "NAME:PATH" selects it.
struct fum_feature_kind {
    const char *name;
    const char *what; // its path leads to, for messages
    enum fum_result (*open)(struct fum_feature_network *network, const char *path,
                            const struct fum_evaluate_params *params, struct fum_error *err);
};
extern const struct fum_feature_kind fum_feature_inception;

// Opens the network that params->features names. Without one that is FUM_ERR_ARG.
enum fum_result fum_features_open(struct fum_feature_network *network,
                                  const struct fum_evaluate_params *params, struct fum_error *err);
// Closes it; one that is all zero is ignored.
void fum_features_close(struct fum_feature_network *network);

#endif
