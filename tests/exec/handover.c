// SPDX-License-Identifier: MIT
// Values leave a stage in groups for the host, which gives others to the next stage.
#include "open.h"

#include "exec/inside.h"

#include <math.h>

// Rows of five values, which are padded on the device.
enum { ROWS = 3, COLUMNS = 5, COUNT = ROWS * COLUMNS, VALUES = 3 };

// STEP computes 2 x, 4 x and 8 x. SHORT adds up what the host gives for them.
struct net {
    fum_graph *graph;
    fum_tensor *x, *sum;
    struct fum_handover_item items[VALUES];
};

static struct net build(enum fum_dtype storage) {
    struct net n;
    const struct fum_shape shape = {2, {ROWS, COLUMNS}};
    const struct fum_attr twice[] = {{"mul", 2}, {0}};
    assert_int_equal(fum_graph_create(&n.graph, storage, NULL), FUM_OK);
    n.x = fum_graph_input(n.graph, "x", shape, storage, FUM_STAGE_STEP);
    fum_tensor *value = n.x;
    n.sum = NULL;
    for (int i = 0; i < VALUES; i++) {
        char name[16];
        snprintf(name, sizeof name, "value%d", i);
        value = fum_graph_add(n.graph, "scale", NULL, FUM_INPUTS(value), twice);
        fum_graph_output(n.graph, value, name);
        fum_tensor *given = fum_graph_input(n.graph, name, shape, storage, FUM_STAGE_SHORT);
        n.items[i] = (struct fum_handover_item){.out = value, .in = given, .group = i > 0};
        n.sum = i ? fum_graph_add(n.graph, "add", NULL, FUM_INPUTS(n.sum, given), NULL) : given;
    }
    fum_graph_output(n.graph, n.sum, "sum");
    return n;
}

// Runs both stages with x = `base`, base + 1, …, and gives each value plus one.
static void run(fum_executable *exe, const struct net *n, float base) {
    struct fum_error err = {0};
    float x[COUNT], values[VALUES * COUNT];
    uint64_t ticket = 0;
    for (int i = 0; i < COUNT; i++) x[i] = base + (float)i;
    ok(fum_executable_write(exe, n->x, x, COUNT, &err), &err);
    ok(fum_executable_submit(exe, FUM_STAGE_STEP, &ticket, &err), &err);
    for (int group = 0; group < 2; group++) {
        int first = group, count = group + 1; // one value, then two
        ok(fum_executable_wait_group(exe, group, &err), &err);
        ok(fum_executable_take_group(exe, group, values, &err), &err);
        for (int i = 0; i < count * COUNT; i++) {
            float factor = (float)(2 << (first + i / COUNT));
            assert_true(fabsf(values[i] - factor * x[i % COUNT]) < 1e-6f);
            values[i] += 1;
        }
        ok(fum_executable_give_group(exe, group, values, &err), &err);
    }
    ok(fum_executable_run(exe, FUM_STAGE_SHORT, &err), &err);
    ok(fum_executable_read(exe, n->sum, values, COUNT, &err), &err);
    for (int i = 0; i < COUNT; i++) assert_true(fabsf(values[i] - (14 * x[i] + VALUES)) < 1e-6f);
}

static void check(enum fum_dtype storage, unsigned without) {
    struct fum_error err = {0};
    struct net n = build(storage);
    fum_device *device = open_without(without);
    fum_executable *exe = NULL;
    const struct fum_executable_job job = {
        .graph = n.graph, .device = device, .handover = {n.items, VALUES}};
    ok(fum_executable_compile(&exe, &job, &err), &err);
    run(exe, &n, 1);
    run(exe, &n, -20);
    // The first group is there before the last command.
    const struct fum_recording *step = &exe->stages[FUM_STAGE_STEP];
    assert_true(step->count >= 2);
    assert_true(step->items[0].handed == 0 && step->items[step->count - 1].handed == 1);
    assert_true(step->items[0].ticket < step->items[step->count - 1].ticket);
    fum_executable_destroy(&exe);
    fum_graph_destroy(&n.graph);
    fum_device_destroy(&device);
}

static void groups_leave_and_others_come_back(void **state) {
    (void)state;
    check(FUM_F32, 0);
    check(FUM_F16, 0);
    check(FUM_F32, FUM_WITHOUT_UNIFIED | FUM_WITHOUT_TIMELINE);
}

// The host must give every value before SHORT runs.
static void a_value_that_was_not_given_is_refused(void **state) {
    (void)state;
    struct fum_error err = {0};
    struct net n = build(FUM_F32);
    fum_device *device = open_device(true);
    fum_executable *exe = NULL;
    const struct fum_executable_job job = {
        .graph = n.graph, .device = device, .handover = {n.items, VALUES}};
    ok(fum_executable_compile(&exe, &job, &err), &err);
    assert_int_equal(fum_executable_run(exe, FUM_STAGE_SHORT, &err), FUM_ERR_ARG);
    assert_non_null(strstr(err.text, "value0"));
    run(exe, &n, 3);
    assert_int_equal(fum_device_validation_messages(device), 0);
    fum_executable_destroy(&exe);
    fum_graph_destroy(&n.graph);
    fum_device_destroy(&device);
}

int main(void) {
    need_device();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_leave_and_others_come_back),
        cmocka_unit_test(a_value_that_was_not_given_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
