// SPDX-License-Identifier: MIT
// Runs a UNet without text on pictures and times of the host's choice, and the gradient of what it
// gives. It serves measures that compute on the host what to evaluate next.
#ifndef FUM_PIPELINE_NETWORK_H
#define FUM_PIPELINE_NETWORK_H

#include <fumarole/device.h>

#include "model/model.h"

struct fum_network_params {
    fum_device *device;
    const fum_model *model;
    int batch, width, height;
    bool slopes; // fum_network_slope will be called
};

// One thread at a time. Device and model must outlive it.
typedef struct fum_network fum_network;
// Compiles the network of a model. FUM_ERR_UNSUPPORTED: the model reads texts, or has a VAE.
enum fum_result fum_network_create(fum_network **network, const struct fum_network_params *params,
                                   struct fum_error *err);
void fum_network_destroy(fum_network **network);

// What the network is evaluated at.
struct fum_network_point {
    const float *x;         // [batch, height, width, channels]
    const float *times;     // [batch]
    const int32_t *labels;  // [batch]; NULL: the model has no table of classes
    const float *direction; // of a slope, of the shape of x; else NULL
};
// Stores what the network gives, [batch, height, width, its channels].
enum fum_result fum_network_run(fum_network *network, const struct fum_network_point *point,
                                float *out, struct fum_error *err);
// Does the same, and stores the gradient of the sum over out · direction by x, of the shape of x.
enum fum_result fum_network_slope(fum_network *network, const struct fum_network_point *point,
                                  float *out, float *slope, struct fum_error *err);

#endif
