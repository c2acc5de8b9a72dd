// SPDX-License-Identifier: MIT
// A network of your own, trained on the device: one hidden layer learns sin(x) with Adam.
//
//     cc fit.c $(pkg-config --cflags --libs fumarole) -lm -o fit && ./fit
#include <fumarole/graph.h>
#include <fumarole/parameters.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { BATCH = 64, HIDDEN = 32, STEPS = 1000, WEIGHTS = 4 };

static const struct {
    const char *name, *first, *second; // the weight, and Adam's two moments of it
    struct fum_shape shape;
    enum fum_pack pack;
} weights[WEIGHTS] = {
    {"hidden.weight", "first.0", "second.0", {2, {1, HIDDEN}}, FUM_PACK_LINEAR},
    {"hidden.bias", "first.1", "second.1", {1, {HIDDEN}}, FUM_PACK_NONE},
    {"output.weight", "first.2", "second.2", {2, {HIDDEN, 1}}, FUM_PACK_LINEAR},
    {"output.bias", "first.3", "second.3", {1, {1}}, FUM_PACK_NONE},
};

struct net {
    fum_graph *graph;
    fum_tensor *x, *y, *row, *loss, *weight[WEIGHTS];
};

static fum_tensor *add(struct net *net, const char *op, struct fum_inputs in) {
    return fum_graph_add(net->graph, op, NULL, in, NULL);
}

static void add_loss(struct net *net) {
    const struct fum_attr number[] = {{"rank", 1}, {"d0", 1}, {0}};
    const struct fum_attr mean[] = {{"mul", 1.0 / BATCH}, {0}};
    fum_tensor **w = net->weight;
    fum_tensor *h =
        add(net, "tanh", FUM_INPUTS(add(net, "matmul", FUM_INPUTS(net->x, w[0], w[1]))));
    fum_tensor *y = add(net, "matmul", FUM_INPUTS(h, w[2], w[3]));
    fum_tensor *error = add(net, "squared_error", FUM_INPUTS(y, net->y));
    fum_tensor *sum = fum_graph_add(net->graph, "reduce_sum", NULL, FUM_INPUTS(error), number);
    net->loss = fum_graph_add(net->graph, "scale", "loss", FUM_INPUTS(sum), mean);
    fum_graph_output(net->graph, net->loss, "loss");
}

// Adds the loss of a batch, its gradients and an update of every weight: one recorded step.
static void build(struct net *net) {
    const struct fum_shape column = {2, {BATCH, 1}}, row = {1, {3}};
    fum_tensor *grads[WEIGHTS] = {0};
    net->x = fum_graph_input(net->graph, "x", column, FUM_F32, FUM_STAGE_STEP);
    net->y = fum_graph_input(net->graph, "y", column, FUM_F32, FUM_STAGE_STEP);
    net->row = fum_graph_input(net->graph, "row", row, FUM_F32, FUM_STAGE_STEP);
    for (int i = 0; i < WEIGHTS; i++)
        net->weight[i] =
            fum_graph_parameter(net->graph, weights[i].name, weights[i].shape, weights[i].pack);
    add_loss(net);
    fum_graph_gradient(net->graph, net->loss, net->weight, WEIGHTS, grads);
    for (int i = 0; i < WEIGHTS; i++) {
        fum_tensor *first =
            fum_graph_parameter(net->graph, weights[i].first, weights[i].shape, weights[i].pack);
        fum_tensor *second =
            fum_graph_parameter(net->graph, weights[i].second, weights[i].shape, weights[i].pack);
        add(net, "adam_update", FUM_INPUTS(net->weight[i], first, second, grads[i], net->row));
    }
}

// Fills the weights of the hidden layer; zeros would never move.
static enum fum_result start(fum_parameters *parameters, struct fum_error *err) {
    enum fum_result result = FUM_OK;
    for (int i = 0; i < 3 && result == FUM_OK; i++) {
        float values[HIDDEN];
        for (int k = 0; k < HIDDEN; k++) values[k] = 2 * (float)rand() / (float)RAND_MAX - 1;
        result = fum_parameters_write(parameters, weights[i].name, values, HIDDEN, err);
    }
    return result;
}

static enum fum_result step(fum_executable *exe, const struct net *net, int done,
                            struct fum_error *err) {
    float x[BATCH], y[BATCH];
    // The rate, and what corrects Adam's moments for having begun at zero.
    const float row[3] = {1e-2f, 1 - powf(0.9f, (float)done + 1),
                          1 - powf(0.999f, (float)done + 1)};
    for (int i = 0; i < BATCH; i++) {
        x[i] = 6 * (float)rand() / (float)RAND_MAX - 3;
        y[i] = sinf(x[i]);
    }
    enum fum_result result = fum_executable_write(exe, net->x, x, BATCH, err);
    if (result == FUM_OK) result = fum_executable_write(exe, net->y, y, BATCH, err);
    if (result == FUM_OK) result = fum_executable_write(exe, net->row, row, 3, err);
    return result == FUM_OK ? fum_executable_run(exe, FUM_STAGE_STEP, err) : result;
}

int main(void) {
    struct fum_error err = {0};
    struct net net = {0};
    fum_device *device = NULL;
    fum_parameters *parameters = NULL;
    fum_executable *exe = NULL;
    float loss = 0;
    enum fum_result result = fum_device_create(&device, NULL, &err);
    if (result == FUM_OK) result = fum_graph_create(&net.graph, FUM_F32, &err);
    if (result == FUM_OK) build(&net);
    if (result == FUM_OK) result = fum_parameters_create(&parameters, device, &err);
    const struct fum_executable_params params = {.parameters = parameters};
    if (result == FUM_OK) result = fum_executable_create(&exe, net.graph, device, &params, &err);
    if (result == FUM_OK) result = start(parameters, &err);
    for (int i = 0; i < STEPS && result == FUM_OK; i++) {
        result = step(exe, &net, i, &err);
        if (result == FUM_OK) result = fum_executable_read(exe, net.loss, &loss, 1, &err);
        if (i % 100 == 99) printf("step %d: mean squared error %g\n", i + 1, (double)loss);
    }
    if (result != FUM_OK) fprintf(stderr, "fit: %s\n", err.text);
    fum_executable_destroy(&exe);
    fum_parameters_destroy(&parameters);
    fum_graph_destroy(&net.graph);
    fum_device_destroy(&device);
    return result == FUM_OK ? 0 : 1;
}
