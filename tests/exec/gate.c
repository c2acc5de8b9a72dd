// SPDX-License-Identifier: MIT
// Nodes behind a closed gate are left out of a run, and only ops that mask may read them.
#include "open.h"

#include "exec/executable.h"
#include "graph/graph.h"
#include "graph/passes.h"

#include <math.h>

enum { COUNT = 8 };

// Behind the gate: a state that counts runs, and what is computed of it. A sum reads that masked.
struct net {
    fum_graph *graph;
    fum_tensor *runs, *one, *factor, *sum;
};

static struct net build(const char *reader) {
    struct net n;
    const struct fum_shape shape = {1, {COUNT}}, single = {1, {1}};
    assert_int_equal(fum_graph_create(&n.graph, FUM_F32, NULL), FUM_OK);
    n.one = fum_graph_input(n.graph, "one", shape, FUM_F32, FUM_STAGE_STEP);
    n.factor = fum_graph_input(n.graph, "factor", single, FUM_F32, FUM_STAGE_STEP);
    n.runs = fum_graph_state(n.graph, "runs", shape, FUM_F32, FUM_STAGE_STEP);
    fum_graph_set_gate(n.graph, 3);
    fum_tensor *next = fum_graph_add(n.graph, "add", NULL, FUM_INPUTS(n.runs, n.one), NULL);
    fum_tensor *kept = fum_graph_add(n.graph, "assign", NULL, FUM_INPUTS(n.runs, next), NULL);
    fum_tensor *root = fum_graph_add(n.graph, "sqrt", NULL, FUM_INPUTS(next), NULL);
    fum_graph_set_gate(n.graph, 0);
    assert_non_null(kept);
    fum_tensor *masked = fum_graph_add(n.graph, reader, NULL, FUM_INPUTS(root, n.factor), NULL);
    n.sum = fum_graph_add(n.graph, "add", NULL, FUM_INPUTS(masked, n.one), NULL);
    fum_graph_output(n.graph, n.sum, "sum");
    return n;
}

static void write_all(fum_executable *exe, const fum_tensor *tensor, float value) {
    struct fum_error err = {0};
    float values[COUNT];
    size_t count = (size_t)fum_shape_count(&tensor->desc.shape);
    for (size_t i = 0; i < count; i++) values[i] = value;
    ok(fum_executable_write(exe, tensor, values, count, &err), &err);
}

static void expect(fum_executable *exe, const fum_tensor *tensor, double value) {
    struct fum_error err = {0};
    float values[COUNT];
    ok(fum_executable_read(exe, tensor, values, COUNT, &err), &err);
    for (int i = 0; i < COUNT; i++) assert_true(fabs((double)values[i] - value) < 1e-6);
}

static void what_is_behind_a_closed_gate_is_left_out(void **state) {
    (void)state;
    struct fum_error err = {0};
    struct net n = build("masked_mul");
    fum_device *device = open_device(true);
    fum_executable *exe = NULL;
    ok(fum_executable_create(&exe, n.graph, device, NULL, &err), &err);
    write_all(exe, n.one, 1);
    write_all(exe, n.runs, 0);
    double runs = 0;
    for (int i = 0; i < 6; i++) {
        bool open = i % 3 != 1;
        runs += open;
        fum_executable_set_gate(exe, 3, open);
        write_all(exe, n.factor, open ? 2 : 0);
        ok(fum_executable_run(exe, FUM_STAGE_STEP, &err), &err);
        expect(exe, n.runs, runs);
        expect(exe, n.sum, open ? 1 + 2 * sqrt(runs) : 1);
    }
    fum_executable_set_gate(exe, 2, false); // another one
    write_all(exe, n.factor, 0);
    ok(fum_executable_run(exe, FUM_STAGE_STEP, &err), &err);
    expect(exe, n.runs, runs + 1);
    assert_int_equal(fum_device_validation_messages(device), 0);
    fum_executable_destroy(&exe);
    fum_graph_destroy(&n.graph);
    fum_device_destroy(&device);
}

static void only_masks_may_read_it(void **state) {
    (void)state;
    struct fum_error err = {0};
    struct net n = build("mul");
    fum_pass_prune(n.graph);
    assert_int_equal(fum_pass_verify(n.graph, "building", &err), FUM_ERR_ARG);
    assert_non_null(strstr(err.text, "behind a gate"));
    fum_graph_destroy(&n.graph);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_behind_a_closed_gate_is_left_out),
                                       cmocka_unit_test(only_masks_may_read_it)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
