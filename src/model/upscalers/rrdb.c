// SPDX-License-Identifier: MIT
// RRDBNet, the network of ESRGAN and Real-ESRGAN: residual blocks of dense blocks, then doublings.
// Wang et al., "ESRGAN: enhanced super-resolution generative adversarial networks" (2018); Wang et
// al., "Real-ESRGAN" (2021). The latter's networks for smaller scales read squares of pixels as
// channels, so that they double the same two times.
#include "base/macros.h"
#include "model/upscaler.h"
#include "nn/nn.h"

#include <stdio.h>

enum { DENSE_BLOCKS = 3, CONVS = 5, MAX_DOUBLINGS = 5, MAX_BLOCKS = 256, NAME = 64 };

static const float slope = 0.2f;          // of the leaky ReLU
static const double residual_scale = 0.2; // of what blocks add

// Names of the modules. The oldest ones are numbers of a list that holds activations, too.
static const struct layout {
    const char *first, *dense, *trunk, *doubling, *second_last, *last;
    bool numbered;
} layouts[] = {
    {"conv_first", "body.%d.rdb%d.conv%d", "conv_body", "conv_up%d", "conv_hr", "conv_last", false},
    {"conv_first", "RRDB_trunk.%d.RDB%d.conv%d", "trunk_conv", "upconv%d", "HRconv", "conv_last",
     false},
    {"model.0", "model.1.sub.%d.RDB%d.conv%d.0", "model.1.sub.%d", "model.%d", "model.%d",
     "model.%d", true},
};

// ---- names ----

static const char *name_dense(const struct fum_upscaler_net *net, int block, int dense, int conv,
                              char text[NAME]) {
    snprintf(text, NAME, layouts[net->layout].dense, block, dense + 1, conv + 1);
    return text;
}

// Fills in the number of a module; formats without a number stay as they are.
static const char *name_module(const char *format, int number, char text[NAME]) {
    snprintf(text, NAME, format, number);
    return text;
}

static const char *name_doubling(const struct fum_upscaler_net *net, int index, char text[NAME]) {
    const struct layout *l = &layouts[net->layout];
    return name_module(l->doubling, l->numbered ? 3 * (index + 1) : index + 1, text);
}

static const char *name_second_last(const struct fum_upscaler_net *net, char text[NAME]) {
    return name_module(layouts[net->layout].second_last, 3 * net->doublings + 2, text);
}

static const char *name_last(const struct fum_upscaler_net *net, char text[NAME]) {
    return name_module(layouts[net->layout].last, 3 * net->doublings + 4, text);
}

// ---- sizes ----

// Returns a dimension of a module's weight; 0: there is no such weight.
static int weight_dim(const struct fum_upscaler_net *net, const char *module, int axis) {
    return fum_loader_dim(net->loader, net->prefix, axis, "%s.weight", module);
}

static void count_blocks(struct fum_upscaler_net *net) {
    char text[NAME];
    for (net->blocks = 0; net->blocks < MAX_BLOCKS; net->blocks++)
        if (!weight_dim(net, name_dense(net, net->blocks, 0, 0, text), 0)) break;
    net->growth = weight_dim(net, name_dense(net, 0, 0, 0, text), 0);
}

// Finds how often the network doubles: as many times as its last modules have such names.
static bool count_doublings(struct fum_upscaler_net *net) {
    char text[NAME];
    for (int n = 0; n <= MAX_DOUBLINGS; n++) {
        bool next = weight_dim(net, name_doubling(net, n, text), 0) != 0;
        net->doublings = n;
        if (weight_dim(net, name_second_last(net, text), 0) &&
            weight_dim(net, name_last(net, text), 0) && (layouts[net->layout].numbered || !next))
            return true;
        if (!next) return false;
    }
    return false;
}

// Finds the square that the first convolution reads as channels.
static bool read_shuffle(struct fum_upscaler_net *net, int inputs) {
    for (int s = 1; s <= 4; s *= 2) {
        net->shuffle = s;
        net->scale = (1 << net->doublings) / s;
        if (inputs == net->channels * s * s) return net->scale >= 1;
    }
    return false;
}

// Returns the pixels that each convolution adds to the surroundings, in pixels of the picture.
static int find_radius(const struct fum_upscaler_net *net) {
    int convs = 2 + net->blocks * DENSE_BLOCKS * CONVS; // before the doublings
    return (convs + 2) * net->shuffle;                  // later ones: 1/2 + 1/4 + … and 2 last
}

static bool recognise(struct fum_upscaler_net *net) {
    char text[NAME];
    for (net->layout = 0; net->layout < (int)FUM_COUNT(layouts); net->layout++) {
        const char *first = layouts[net->layout].first;
        count_blocks(net);
        net->features = weight_dim(net, first, 0);
        if (!net->blocks || !net->features || !count_doublings(net)) continue;
        net->channels = weight_dim(net, name_last(net, text), 0);
        if ((net->channels != 1 && net->channels != 3) ||
            !read_shuffle(net, weight_dim(net, first, 1)))
            continue;
        net->radius = find_radius(net);
        return true;
    }
    return false;
}

// ---- the graph ----

static fum_tensor *leaky(struct fum_nn *nn, fum_tensor *x, fum_tensor *slopes) {
    return x ? fum_graph_add(nn->graph, "prelu", NULL, FUM_INPUTS(x, slopes), NULL) : NULL;
}

static fum_tensor *add_scaled(struct fum_nn *nn, fum_tensor *x, fum_tensor *added) {
    return fum_nn_add(nn, NULL, fum_nn_scale(nn, NULL, added, residual_scale, 0), x);
}

static fum_tensor *dense_block(struct fum_nn *nn, const struct fum_upscaler_net *net, fum_tensor *x,
                               fum_tensor *slopes, const int place[2]) {
    fum_tensor *all = x, *y = NULL;
    char text[NAME];
    for (int i = 0; i < CONVS; i++) {
        bool last = i + 1 == CONVS;
        y = fum_nn_conv(nn, name_dense(net, place[0], place[1], i, text), all,
                        last ? net->features : net->growth, NULL);
        if (last) break;
        all = fum_nn_concat(nn, NULL, all, leaky(nn, y, slopes));
    }
    return add_scaled(nn, x, y);
}

static fum_tensor *add_blocks(struct fum_nn *nn, const struct fum_upscaler_net *net, fum_tensor *x,
                              fum_tensor *slopes) {
    char text[NAME];
    fum_tensor *first = x;
    for (int b = 0; b < net->blocks; b++) {
        fum_tensor *y = x;
        for (int d = 0; d < DENSE_BLOCKS; d++)
            y = dense_block(nn, net, y, slopes, (const int[2]){b, d});
        x = add_scaled(nn, x, y);
    }
    x = fum_nn_conv(nn, name_module(layouts[net->layout].trunk, net->blocks, text), x,
                    net->features, NULL);
    return fum_nn_add(nn, NULL, first, x);
}

static fum_tensor *build(fum_graph *graph, const struct fum_upscaler_net *net, fum_tensor *x) {
    struct fum_nn nn;
    char text[NAME];
    fum_nn_init(&nn, graph, NULL);
    fum_tensor *slopes = fum_graph_constant(graph, "slope", (struct fum_shape){1, {1}}, &slope);
    x = fum_nn_conv(&nn, layouts[net->layout].first, x, net->features, NULL);
    x = add_blocks(&nn, net, x, slopes);
    for (int i = 0; i < net->doublings && x; i++) {
        x = fum_graph_add(graph, "upsample", NULL, FUM_INPUTS(x), NULL);
        x = fum_nn_conv(&nn, name_doubling(net, i, text), x, net->features, NULL);
        x = leaky(&nn, x, slopes);
    }
    x = fum_nn_conv(&nn, name_second_last(net, text), x, net->features, NULL);
    return fum_nn_conv(&nn, name_last(net, text), leaky(&nn, x, slopes), net->channels, NULL);
}

const struct fum_upscaler_family fum_upscaler_rrdb = {"ESRGAN", recognise, build};
