// SPDX-License-Identifier: MIT
// What networks of features that run on a device share: a graph, its weights, its executable.
#ifndef FUM_EVALUATE_NETWORK_H
#define FUM_EVALUATE_NETWORK_H

#include "evaluate/features.h"
#include "exec/executable.h"
#include "io/loader.h"

// The state of such a network.
struct fum_device_network {
    fum_arena *arena;   // holds what the kind likes
    fum_loader *loader; // of the weights; may be NULL
    fum_graph *graph;   // f32
    fum_device *device;
    fum_weights *weights;
    fum_executable *executable;
    fum_tensor *pixels, *features, *logits;
};

// Creates the state with an empty graph. Closing the network destroys it, also after a failure.
enum fum_result fum_device_network_create(struct fum_feature_network *network,
                                          struct fum_error *err);
// Adds the input of pictures, of the size that the network states: [batch, height, width, channels]
// in 0..1.
fum_tensor *fum_device_network_input(struct fum_feature_network *network);
// Marks the results, [batch, width] and [batch, classes], checks the graph and states their sizes.
enum fum_result fum_device_network_outputs(struct fum_feature_network *network,
                                           fum_tensor *features, fum_tensor *logits,
                                           struct fum_error *err);
// Opens the device, loads the weights and compiles the graph.
enum fum_result fum_device_network_compile(struct fum_feature_network *network,
                                           const struct fum_weight_source *source,
                                           const struct fum_evaluate_params *params,
                                           struct fum_error *err);

#endif
