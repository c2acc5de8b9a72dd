// SPDX-License-Identifier: MIT
// SRVGGNetCompact, the small network of Real-ESRGAN: convolutions with PReLU at the picture's own
// size. Their last channels become the pixels of the large picture, added to its nearest
// enlargement.
#include "model/upscaler.h"
#include "nn/nn.h"

#include <stdio.h>

enum { MAX_LAYERS = 512, MAX_SCALE = 8 };

static bool recognise(struct fum_upscaler_net *net) {
    const fum_loader *l = net->loader;
    int last = 0; // number of the last convolution
    net->channels = fum_loader_dim(l, net->prefix, 1, "body.0.weight");
    net->features = fum_loader_dim(l, net->prefix, 0, "body.0.weight");
    while (last < MAX_LAYERS && fum_loader_dim(l, net->prefix, 0, "body.%d.weight", last + 2) &&
           fum_loader_dim(l, net->prefix, 0, "body.%d.weight", last + 1))
        last += 2;
    int outputs = fum_loader_dim(l, net->prefix, 0, "body.%d.weight", last);
    if (last < 2 || fum_loader_dim(l, net->prefix, 1, "body.1.weight") ||
        (net->channels != 1 && net->channels != 3))
        return false;
    net->blocks = last / 2;
    net->radius = net->blocks + 1;
    for (net->scale = 1; net->scale <= MAX_SCALE; net->scale++)
        if (outputs == net->channels * net->scale * net->scale) return true;
    return false;
}

static fum_tensor *prelu(struct fum_nn *nn, int index, fum_tensor *x) {
    char name[24];
    struct fum_shape slopes = {1, {fum_nn_channels(x)}};
    if (!x) return NULL;
    snprintf(name, sizeof name, "body.%d", index);
    fum_tensor *slope = fum_nn_weight(nn, name, "weight", slopes, FUM_PACK_NONE);
    return slope ? fum_graph_add(nn->graph, "prelu", NULL, FUM_INPUTS(x, slope), NULL) : NULL;
}

static fum_tensor *build(fum_graph *graph, const struct fum_upscaler_net *net, fum_tensor *x) {
    struct fum_nn nn;
    const struct fum_attr factor[] = {{"factor", net->scale}, {0}};
    fum_tensor *base = x;
    char name[24];
    fum_nn_init(&nn, graph, NULL);
    for (int i = 0; i < net->blocks; i++) {
        snprintf(name, sizeof name, "body.%d", 2 * i);
        x = prelu(&nn, 2 * i + 1, fum_nn_conv(&nn, name, x, net->features, NULL));
    }
    snprintf(name, sizeof name, "body.%d", 2 * net->blocks);
    x = fum_nn_conv(&nn, name, x, net->channels * net->scale * net->scale, NULL);
    if (x && net->scale > 1) {
        x = fum_graph_add(graph, "pixel_shuffle", NULL, FUM_INPUTS(x), factor);
        base = fum_graph_add(graph, "upsample", NULL, FUM_INPUTS(base), factor);
    }
    return fum_nn_add(&nn, NULL, x, base);
}

const struct fum_upscaler_family fum_upscaler_srvgg = {"SRVGG compact", recognise, build};
