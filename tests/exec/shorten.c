// SPDX-License-Identifier: MIT
// Steps that take a value from an earlier one: what FUM_STAGE_SHORT updates, and what it leaves
// out.
#include "open.h"

#include "exec/executable.h"
#include "graph/dump.h"
#include "graph/passes.h"
#include "graph/shorten.h"

#include <math.h>

enum { COUNT = 8 };

struct net {
    fum_graph *g;
    fum_tensor *x, *sum, *cache, *deep;
};

// A step adds x + tanh(exp(x)) to the sum. The cache holds exp(x).
static struct net build(void) {
    struct net n;
    struct fum_error err = {0};
    const struct fum_shape shape = {1, {COUNT}};
    ok(fum_graph_create(&n.g, FUM_F32, &err), &err);
    n.x = fum_graph_input(n.g, "x", shape, FUM_F32, FUM_STAGE_STEP);
    n.sum = fum_graph_state(n.g, "sum", shape, FUM_F32, FUM_STAGE_STEP);
    n.cache = fum_graph_state(n.g, "cache", shape, FUM_F32, FUM_STAGE_STEP);
    n.deep = fum_graph_add(n.g, "exp", "deep", FUM_INPUTS(n.x), NULL);
    fum_tensor *y = fum_graph_add(n.g, "tanh", "shallow", FUM_INPUTS(n.deep), NULL);
    y = fum_graph_add(n.g, "add", NULL, FUM_INPUTS(y, n.x), NULL);
    y = fum_graph_add(n.g, "add", NULL, FUM_INPUTS(n.sum, y), NULL);
    fum_graph_add(n.g, "assign", NULL, FUM_INPUTS(n.sum, y), NULL);
    fum_graph_add(n.g, "assign", NULL, FUM_INPUTS(n.cache, n.deep), NULL);
    const struct fum_shortcut cut = {n.deep, n.cache, n.cache};
    assert_true(fum_graph_shorten(n.g, &cut));
    ok(fum_graph_check(n.g, &err), &err);
    return n;
}

// Runs a stage from x = `value`.
static void run(fum_executable *exe, const struct net *n, float value, enum fum_stage stage) {
    struct fum_error err = {0};
    float x[COUNT];
    for (int i = 0; i < COUNT; i++) x[i] = value;
    ok(fum_executable_write(exe, n->x, x, COUNT, &err), &err);
    ok(fum_executable_run(exe, stage, &err), &err);
}

static void expect(fum_executable *exe, const fum_tensor *state, double value) {
    struct fum_error err = {0};
    float values[COUNT];
    ok(fum_executable_read(exe, state, values, COUNT, &err), &err);
    for (int i = 0; i < COUNT; i++) assert_true(fabs((double)values[i] - value) < 1e-5);
}

// A graph's picture has a colour for each stage.
static void short_steps_have_a_colour_of_their_own(void **state) {
    (void)state;
    struct net n = build();
    fum_pass_prune(n.g);
    char *dot = fum_dump_dot(n.g);
    assert_non_null(strstr(dot, "[fillcolor=palegreen, label=\"shallow.again"));
    assert_non_null(strstr(dot, "[fillcolor=lightsalmon, label=\"shallow"));
    fum_free(dot);
    fum_graph_destroy(&n.g);
}

static void a_short_step_takes_the_value_of_the_last_whole_one(void **state) {
    (void)state;
    struct fum_error err = {0};
    const float zeros[COUNT] = {0};
    struct net n = build();
    fum_device *device = open_device(true);
    fum_executable *exe = NULL;
    ok(fum_executable_create(&exe, n.g, device, NULL, &err), &err);
    ok(fum_executable_write(exe, n.sum, zeros, COUNT, &err), &err);
    ok(fum_executable_write(exe, n.cache, zeros, COUNT, &err), &err);
    double sum = 0;
    for (int round = 0; round < 2; round++) {
        float x = 0.25f + (float)round;
        run(exe, &n, x, FUM_STAGE_STEP);
        expect(exe, n.sum, sum += (double)x + tanh(exp((double)x)));
        expect(exe, n.cache, exp((double)x));
        run(exe, &n, -0.5f, FUM_STAGE_SHORT);
        expect(exe, n.sum, sum += -0.5 + tanh(exp((double)x)));
        expect(exe, n.cache, exp((double)x)); // a short step keeps it
    }
    assert_int_equal(fum_device_validation_messages(device), 0);
    fum_executable_destroy(&exe);
    fum_graph_destroy(&n.g);
    fum_device_destroy(&device);
}

static void a_short_step_evaluates_nothing_that_it_spares(void **state) {
    (void)state;
    struct fum_error err = {0};
    struct net n = build();
    fum_device *device = open_device(true);
    fum_executable *exe = NULL;
    ok(fum_executable_create(&exe, n.g, device, NULL, &err), &err);
    const fum_plan *plan = fum_executable_plan(exe);
    int steps[FUM_STAGE_COUNT];
    for (int s = 0; s < FUM_STAGE_COUNT; s++)
        steps[s] = plan->stage_begin[s + 1] - plan->stage_begin[s];
    // The whole step has the deep node and the cache's update more.
    assert_true(steps[FUM_STAGE_SHORT] > 0);
    assert_int_equal(steps[FUM_STAGE_STEP], steps[FUM_STAGE_SHORT] + 2);
    for (int i = plan->stage_begin[FUM_STAGE_SHORT]; i < plan->num_steps; i++)
        assert_string_not_equal(plan->steps[i].node->op->name, "exp");
    fum_executable_destroy(&exe);
    fum_graph_destroy(&n.g);
    fum_device_destroy(&device);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_steps_have_a_colour_of_their_own),
        cmocka_unit_test(a_short_step_takes_the_value_of_the_last_whole_one),
        cmocka_unit_test(a_short_step_evaluates_nothing_that_it_spares)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
