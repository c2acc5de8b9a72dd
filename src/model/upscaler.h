// SPDX-License-Identifier: MIT
// Opens networks that enlarge pictures, and builds their graphs. A family of them is a record.
#ifndef FUM_MODEL_UPSCALER_H
#define FUM_MODEL_UPSCALER_H

#include <fumarole/graph.h>

#include "io/loader.h"
#include "weights/weight.h"

struct fum_upscaler_family;

// A network as its weights describe it.
struct fum_upscaler_net {
    const struct fum_upscaler_family *family;
    fum_loader *loader;
    const char *prefix; // before all names in the file, "params_ema."
    int channels;       // of pictures: 1 or 3
    int scale;          // sides of the result are so many times as long
    int shuffle;        // pixels of a square's side that the network reads as channels; 1: none
    int features, growth, blocks, doublings;
    int layout; // of the names, the family's own number
    int radius; // pixels around a pixel that its result depends on
};

struct fum_upscaler_family {
    const char *name;
    // Reads the sizes of a network whose weights begin with net->prefix. False: it is of another
    // family.
    bool (*recognise)(struct fum_upscaler_net *net);
    // Adds the network. x: [1, height, width, channels · shuffle²] in 0..1. Returns [1, height ·
    // shuffle · scale, width · shuffle · scale, channels], or NULL after an error.
    fum_tensor *(*build)(fum_graph *graph, const struct fum_upscaler_net *net, fum_tensor *x);
};

extern const struct fum_upscaler_family fum_upscaler_rrdb, fum_upscaler_srvgg;

// Opens a file of weights. Errors: those of fum_loader_open, FUM_ERR_UNSUPPORTED (no such network).
enum fum_result fum_upscaler_net_open(struct fum_upscaler_net *net, const char *path,
                                      struct fum_error *err);
// Reads the sizes of the network in net->loader, which is open.
enum fum_result fum_upscaler_net_read(struct fum_upscaler_net *net, struct fum_error *err);
void fum_upscaler_net_close(struct fum_upscaler_net *net);
// Returns the source of its weights, which lasts as long as the network.
struct fum_weight_source fum_upscaler_net_source(struct fum_upscaler_net *net);

#endif
