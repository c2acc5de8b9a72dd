// SPDX-License-Identifier: MIT
// Trains a small network: forward, backward and update in one recorded step, on the device and in
// the interpreter.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "exec/executable.h"
#include "graph/interp.h"
#include "weights/packing.h"
#include "weights/parameters.h"

enum { BATCH = 9, IN = 6, HIDDEN = 17, OUT = 3, PARAMETERS = 4, STEPS = 25 };

static const struct layer {
    const char *name;
    struct fum_shape shape; // in the graph
    enum fum_pack pack;
} layers[PARAMETERS] = {
    {"hidden.weight", {2, {IN, HIDDEN}}, FUM_PACK_LINEAR},
    {"hidden.bias", {1, {HIDDEN}}, FUM_PACK_NONE},
    {"output.weight", {2, {HIDDEN, OUT}}, FUM_PACK_LINEAR},
    {"output.bias", {1, {OUT}}, FUM_PACK_NONE},
};

static void fill(float *values, size_t count, unsigned seed) {
    for (size_t i = 0; i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        values[i] = (float)(seed >> 8) / (float)(1 << 23) - 1;
    }
}

// Initial values by name, as a file holds them.
struct initial {
    float values[PARAMETERS][IN * HIDDEN];
};

static bool find_initial(void *user, const char *name, struct fum_view *view) {
    struct initial *initial = user;
    for (int i = 0; i < PARAMETERS; i++) {
        const struct fum_shape *shape = &layers[i].shape;
        if (strcmp(layers[i].name, name)) continue;
        *view =
            (struct fum_view){.dtype = FUM_F32, .rank = shape->rank, .data = initial->values[i]};
        for (int k = 0; k < shape->rank; k++)
            view->dim[k] = shape->dim[shape->rank - 1 - k]; // file [out, in]
        return true;
    }
    return false;
}

struct net {
    fum_graph *graph;
    fum_tensor *x, *target, *parameter[PARAMETERS], *grad[PARAMETERS], *loss;
};

static fum_tensor *add(const struct net *net, const char *op, fum_tensor *a, fum_tensor *b,
                       fum_tensor *c) {
    fum_tensor *in[] = {a, b, c};
    return fum_graph_add(net->graph, op, NULL, (struct fum_inputs){in, c ? 3 : 2}, NULL);
}

// The mean squared error of a network with one hidden layer.
static struct net build_forward(void) {
    struct net net = {0};
    const struct fum_attr number[] = {{"rank", 1}, {"d0", 1}, {0}};
    const struct fum_attr mean[] = {{"mul", 1.0 / (BATCH * OUT)}, {0}};
    assert_int_equal(fum_graph_create(&net.graph, FUM_F32, NULL), FUM_OK);
    net.x = fum_graph_input(net.graph, "x", (struct fum_shape){2, {BATCH, IN}}, FUM_F32,
                            FUM_STAGE_STEP);
    net.target = fum_graph_input(net.graph, "target", (struct fum_shape){2, {BATCH, OUT}}, FUM_F32,
                                 FUM_STAGE_STEP);
    for (int i = 0; i < PARAMETERS; i++)
        net.parameter[i] =
            fum_graph_parameter(net.graph, layers[i].name, layers[i].shape, layers[i].pack);
    fum_tensor *h = add(&net, "matmul", net.x, net.parameter[0], net.parameter[1]);
    h = fum_graph_add(net.graph, "silu", NULL, FUM_INPUTS(h), NULL);
    fum_tensor *y = add(&net, "matmul", h, net.parameter[2], net.parameter[3]);
    fum_tensor *off = add(&net, "sub", y, net.target, NULL);
    fum_tensor *square = add(&net, "mul", off, off, NULL);
    fum_tensor *sum = fum_graph_add(net.graph, "reduce_sum", "sum", FUM_INPUTS(square), number);
    net.loss = fum_graph_add(net.graph, "scale", "loss", FUM_INPUTS(sum), mean);
    fum_graph_output(net.graph, net.loss, "loss");
    return net;
}

// The same with its gradient and a step of gradient descent.
static struct net build_training(void) {
    struct net net = build_forward();
    const struct fum_attr rate[] = {{"mul", -0.3}, {0}};
    struct fum_error err = {0};
    if (!fum_graph_gradient(net.graph, net.loss, net.parameter, PARAMETERS, net.grad)) {
        fum_graph_check(net.graph, &err);
        fail_msg("%s", err.text);
    }
    for (int i = 0; i < PARAMETERS; i++) {
        fum_tensor *move = fum_graph_add(net.graph, "scale", NULL, FUM_INPUTS(net.grad[i]), rate);
        fum_tensor *moved = add(&net, "add", net.parameter[i], move, NULL);
        add(&net, "assign", net.parameter[i], moved, NULL);
        fum_graph_output(net.graph, net.grad[i], layers[i].name);
    }
    if (fum_graph_check(net.graph, &err)) fail_msg("%s", err.text);
    return net;
}

struct data {
    struct initial initial;
    float x[BATCH * IN], target[BATCH * OUT];
};

static void make_data(struct data *data) {
    for (int i = 0; i < PARAMETERS; i++) fill(data->initial.values[i], IN * HIDDEN, 7 + 11u * i);
    fill(data->x, BATCH * IN, 3);
    fill(data->target, BATCH * OUT, 5);
}

static void must(enum fum_result result, const struct fum_error *err) {
    if (result) fail_msg("%s", err->text);
}

// Interprets STEPS steps; the loss before each goes to losses.
static void train_in_interpreter(struct data *data, double *losses, double *grads) {
    struct net net = build_training();
    struct fum_error err = {0};
    const struct fum_weight_source source = {.find = find_initial, .user = &data->initial};
    fum_interp *interp = NULL;
    must(fum_interp_create(&interp, net.graph, &source, false, &err), &err);
    must(fum_interp_write(interp, net.x, data->x, BATCH * IN, &err), &err);
    must(fum_interp_write(interp, net.target, data->target, BATCH * OUT, &err), &err);
    for (int step = 0; step < STEPS; step++) {
        must(fum_interp_run_all(interp, &err), &err);
        losses[step] = fum_interp_read(interp, net.loss)[0];
        if (!step) memcpy(grads, fum_interp_read(interp, net.grad[0]), IN * HIDDEN * sizeof *grads);
    }
    fum_interp_destroy(&interp);
    fum_graph_destroy(&net.graph);
}

static fum_executable *compile(const struct net *net, fum_device *device,
                               fum_parameters *parameters) {
    const struct fum_executable_params params = {.label = "training", .parameters = parameters};
    fum_executable *exe = NULL;
    struct fum_error err = {0};
    must(fum_executable_create(&exe, net->graph, device, &params, &err), &err);
    return exe;
}

static float run_step(fum_executable *exe, const struct net *net, const struct data *data) {
    struct fum_error err = {0};
    float loss;
    must(fum_executable_write(exe, net->x, data->x, BATCH * IN, &err), &err);
    must(fum_executable_write(exe, net->target, data->target, BATCH * OUT, &err), &err);
    must(fum_executable_run(exe, FUM_STAGE_STEP, &err), &err);
    must(fum_executable_read(exe, net->loss, &loss, 1, &err), &err);
    return loss;
}

// Trains on the device. Writes the final values of the first parameter.
static void train_on_device(fum_device *device, struct data *data, const double *want,
                            const double *want_grads, float *final) {
    struct net net = build_training(), forward = build_forward();
    const struct fum_weight_source source = {.find = find_initial, .user = &data->initial};
    struct fum_error err = {0};
    fum_parameters *parameters = NULL;
    float loss = 0, grads[IN * HIDDEN];
    must(fum_parameters_create_from(&parameters, device, &source, &err), &err);
    fum_executable *training = compile(&net, device, parameters);
    fum_executable *inference = compile(&forward, device, parameters);
    for (int step = 0; step < STEPS; step++) {
        loss = run_step(training, &net, data);
        if (!(fabs(loss - want[step]) < 1e-4 * want[step]))
            fail_msg("step %d: loss %.8g, want %.8g", step, loss, want[step]);
        must(fum_executable_read(training, net.grad[0], grads, IN * HIDDEN, &err), &err);
        for (int i = 0; i < IN * HIDDEN && !step; i++)
            assert_true(fabs(grads[i] - want_grads[i]) < 1e-5);
    }
    assert_true(loss < 0.1 * want[0]);
    assert_true(run_step(inference, &forward, data) < loss); // it sees the last update
    must(fum_parameters_read(parameters, layers[0].name, final, IN * HIDDEN, &err), &err);
    fum_executable_destroy(&inference);
    fum_executable_destroy(&training);
    fum_parameters_destroy(&parameters);
    fum_graph_destroy(&net.graph);
    fum_graph_destroy(&forward.graph);
}

static void test_a_step_trains(void **state) {
    fum_device *device = *state;
    static struct data data;
    double losses[STEPS], grads[IN * HIDDEN];
    float first[IN * HIDDEN], second[IN * HIDDEN];
    make_data(&data);
    train_in_interpreter(&data, losses, grads);
    train_on_device(device, &data, losses, grads, first);
    train_on_device(device, &data, losses, grads, second);
    assert_memory_equal(first, second, sizeof first); // equal bits from run to run
}

static enum fum_result keep(void *user, const char *name, const struct fum_view *view,
                            struct fum_error *err) {
    struct initial *saved = user;
    (void)err;
    for (int i = 0; i < PARAMETERS; i++)
        if (!strcmp(layers[i].name, name))
            memcpy(saved->values[i], view->data, fum_view_count(view) * sizeof(float));
    return FUM_OK;
}

// What is saved is what was loaded, and parameters of one name are one.
static void test_parameters_are_saved_as_loaded(void **state) {
    fum_device *device = *state;
    static struct data data;
    static struct initial saved;
    struct net net = build_forward();
    struct fum_error err = {0};
    fum_parameters *parameters = NULL;
    make_data(&data);
    const struct fum_weight_source source = {.find = find_initial, .user = &data.initial};
    must(fum_parameters_create_from(&parameters, device, &source, &err), &err);
    for (int i = 0; i < PARAMETERS; i++) {
        struct fum_weight weight = fum_tensor_weight(net.parameter[i]);
        must(fum_parameters_load(parameters, &weight, &err), &err);
        must(fum_parameters_add(parameters, &weight, NULL, &err), &err); // keeps its values
        weight.desc.shape.dim[0]++;
        assert_int_equal(fum_parameters_add(parameters, &weight, NULL, &err), FUM_ERR_ARG);
    }
    must(fum_parameters_save(parameters, keep, &saved, &err), &err);
    for (int i = 0; i < PARAMETERS; i++)
        assert_memory_equal(saved.values[i], data.initial.values[i],
                            (size_t)fum_shape_count(&layers[i].shape) * sizeof(float));
    const float zeros[OUT] = {0};
    float back[OUT] = {1, 1, 1};
    must(fum_parameters_write(parameters, "output.bias", zeros, OUT, &err), &err);
    must(fum_parameters_read(parameters, "output.bias", back, OUT, &err), &err);
    assert_memory_equal(back, zeros, sizeof back);
    assert_int_equal(fum_parameters_read(parameters, "output.bias", back, 2, &err), FUM_ERR_ARG);
    struct fum_weight other = {
        .name = "other", .desc = {{1, {OUT}}, FUM_F32}, .packing = &fum_packing_plain};
    assert_int_equal(fum_parameters_load(parameters, &other, &err), FUM_ERR_FORMAT);
    fum_parameters_destroy(&parameters);
    fum_graph_destroy(&net.graph);
}

static void test_parameters_need_a_store(void **state) {
    struct net net = build_forward();
    struct fum_error err = {0};
    fum_executable *exe = NULL;
    assert_int_equal(fum_executable_create(&exe, net.graph, *state, NULL, &err), FUM_ERR_ARG);
    assert_non_null(strstr(err.text, "hidden.weight"));
    fum_graph_destroy(&net.graph);
}

static void test_gradients_that_cannot_be(void **state) {
    (void)state;
    struct fum_error err;
    fum_tensor *grad;
    struct net net = build_forward();
    fum_tensor *square = add(&net, "mul", net.x, net.x, NULL);
    assert_false(fum_graph_gradient(net.graph, square, &net.x, 1, &grad)); // no single number
    assert_int_equal(fum_graph_check(net.graph, &err), FUM_ERR_ARG);
    fum_graph_destroy(&net.graph);

    net = build_forward(); // a value that the loss does not depend on
    fum_tensor *other = fum_graph_parameter(net.graph, "other", layers[1].shape, FUM_PACK_NONE);
    assert_false(fum_graph_gradient(net.graph, net.loss, &other, 1, &grad));
    assert_int_equal(fum_graph_check(net.graph, &err), FUM_ERR_ARG);
    assert_non_null(strstr(err.text, "other"));
    fum_graph_destroy(&net.graph);

    net = build_forward(); // a value that the loss depends on through stop_gradient alone
    fum_tensor *stopped =
        fum_graph_add(net.graph, "stop_gradient", NULL, FUM_INPUTS(net.loss), NULL);
    assert_false(fum_graph_gradient(net.graph, stopped, net.parameter, 1, &grad));
    assert_int_equal(fum_graph_check(net.graph, &err), FUM_ERR_ARG);
    assert_non_null(strstr(err.text, "does not depend on hidden.weight"));
    fum_graph_destroy(&net.graph);

    net = build_forward(); // an op without a gradient
    const struct fum_attr number[] = {{"rank", 1}, {"d0", 1}, {0}};
    fum_tensor *slope =
        fum_graph_add(net.graph, "unary_gradient", "slope", FUM_INPUTS(net.x, net.x), NULL);
    fum_tensor *sum = fum_graph_add(net.graph, "reduce_sum", NULL, FUM_INPUTS(slope), number);
    assert_false(fum_graph_gradient(net.graph, sum, &net.x, 1, &grad));
    assert_int_equal(fum_graph_check(net.graph, &err), FUM_ERR_ARG);
    assert_non_null(strstr(err.text, "unary_gradient"));
    fum_graph_destroy(&net.graph);
}

// Holds the gradient of x stop_gradient(x) to be x.
static void test_nothing_flows_through_stop_gradient(void **state) {
    struct net net = {0};
    struct fum_error err = {0};
    const struct fum_attr twice[] = {{"mul", 2}, {0}};
    must(fum_graph_create(&net.graph, FUM_F32, &err), &err);
    net.x = fum_graph_input(net.graph, "x", (struct fum_shape){1, {1}}, FUM_F32, FUM_STAGE_STEP);
    fum_tensor *x = fum_graph_add(net.graph, "scale", NULL, FUM_INPUTS(net.x), twice), *grad;
    fum_tensor *fixed = fum_graph_add(net.graph, "stop_gradient", NULL, FUM_INPUTS(x), NULL);
    assert_true(fum_graph_gradient(net.graph, add(&net, "mul", x, fixed, NULL), &net.x, 1, &grad));
    fum_graph_output(net.graph, grad, "grad");
    fum_executable *exe = compile(&net, *state, NULL);
    float three = 3, got = 0;
    must(fum_executable_write(exe, net.x, &three, 1, &err), &err);
    must(fum_executable_run(exe, FUM_STAGE_STEP, &err), &err);
    must(fum_executable_read(exe, grad, &got, 1, &err), &err);
    assert_true(got == 2 * 2 * 3); // twice as much if it flowed through both factors
    fum_executable_destroy(&exe);
    fum_graph_destroy(&net.graph);
}

static int set_up(void **state) {
    struct fum_error err = {0};
    fum_device *device = NULL;
    if (fum_device_create(&device, &(struct fum_device_params){.validate = true}, &err)) {
        print_message("%s\n", err.text);
        if (getenv("FUM_REQUIRE_DEVICE")) return 1;
        exit(77);
    }
    *state = device;
    return 0;
}

static int tear_down(void **state) {
    fum_device *device = *state;
    fum_device_destroy(&device);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_step_trains),
        cmocka_unit_test(test_parameters_are_saved_as_loaded),
        cmocka_unit_test(test_parameters_need_a_store),
        cmocka_unit_test(test_gradients_that_cannot_be),
        cmocka_unit_test(test_nothing_flows_through_stop_gradient),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
