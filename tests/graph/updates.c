// SPDX-License-Identifier: MIT
// Checks the order of reads and updates of states: what a plan accepts, and what it refuses.

#include "test.h"

#include "graph/fuse/fuse.h"
#include "graph/interp.h"
#include "graph/passes.h"
#include "graph/plan.h"

// A counter that `stage` may update, and a table of which a row is read at every step.
struct net {
    fum_graph *graph;
    fum_tensor *counter, *table;
};

static struct net build(enum fum_stage stage) {
    struct net net;
    assert_int_equal(fum_graph_create(&net.graph, FUM_F32, NULL), FUM_OK);
    net.counter = fum_graph_state(net.graph, "counter", (struct fum_shape){1, {1}}, FUM_I32, stage);
    net.table =
        fum_graph_input(net.graph, "table", (struct fum_shape){2, {4, 8}}, FUM_F32, FUM_STAGE_STEP);
    return net;
}

static fum_tensor *next(const struct net *net, const char *name, fum_tensor *counter) {
    return fum_graph_add(net->graph, "counter_next", name, FUM_INPUTS(counter), NULL);
}

static void read_row(const struct net *net, const char *name, fum_tensor *counter) {
    fum_tensor *in[] = {net->table, counter};
    fum_graph_output(net->graph,
                     fum_graph_add(net->graph, "step_row", name, (struct fum_inputs){in, 2}, NULL),
                     name);
}

// Fuses and plans the graph and destroys it. A refusal must name `first` and `second`.
static void check_plan(struct net *net, const char *first, const char *second) {
    const struct fum_device_info info = {.name = "test",
                                         .max_buffer = 1 << 20,
                                         .max_allocation = 1 << 20,
                                         .max_binding = 1 << 20,
                                         .binding_align = 16,
                                         .max_bindings = 8,
                                         .max_push_bytes = 128,
                                         .max_group_count = {65535, 65535, 65535},
                                         .max_group_size = {128, 128, 64},
                                         .max_group_invocations = 128};
    struct fum_error err = {0};
    fum_plan *plan = NULL;
    if (fum_graph_check(net->graph, &err)) fail_msg("%s", err.text);
    fum_pass_prune(net->graph);
    const struct fum_fuse_params fuse = {.info = &info};
    if (fum_graph_fuse(net->graph, &fuse, &err)) fail_msg("%s", err.text);
    if (fum_plan_create(&plan, net->graph, &info, NULL, &err)) fail_msg("%s", err.text);
    enum fum_result result = fum_plan_verify(plan, net->graph, &info, &err);
    if (first) {
        assert_int_equal(result, FUM_ERR_ARG);
        if (!strstr(err.text, first) || !strstr(err.text, second)) fail_msg("%s", err.text);
    } else if (result) {
        fail_msg("%s", err.text);
    }
    fum_plan_destroy(&plan);
    fum_graph_destroy(&net->graph);
}

static void reads_before_and_after_an_update(void **state) {
    (void)state;
    struct net net = build(FUM_STAGE_STEP);
    read_row(&net, "before", net.counter);
    fum_tensor *updated = next(&net, "update", net.counter);
    read_row(&net, "after", updated);
    assert_int_equal(updated->stage, FUM_STAGE_STEP);
    check_plan(&net, NULL, NULL);
}

static void a_read_of_the_state_after_its_update_is_refused(void **state) {
    (void)state;
    struct net net = build(FUM_STAGE_STEP);
    next(&net, "update", net.counter);
    read_row(&net, "late", net.counter);
    check_plan(&net, "late", "update");
}

static void updates_follow_each_other(void **state) {
    (void)state;
    struct net net = build(FUM_STAGE_STEP);
    read_row(&net, "between", next(&net, "first", net.counter));
    read_row(&net, "after", next(&net, "second", net.graph->tensors[2]));
    check_plan(&net, NULL, NULL);

    net = build(FUM_STAGE_STEP); // the second update does not see the first
    next(&net, "first", net.counter);
    next(&net, "second", net.counter);
    check_plan(&net, "second", "first");

    net = build(FUM_STAGE_STEP); // a read of the first after the second
    fum_tensor *first = next(&net, "first", net.counter);
    next(&net, "second", first);
    read_row(&net, "late", first);
    check_plan(&net, "late", "second");
}

static void an_update_takes_the_stage_of_its_state(void **state) {
    (void)state;
    struct net net = build(FUM_STAGE_RUN);
    fum_tensor *once = next(&net, "once", net.counter);
    assert_int_equal(once->stage, FUM_STAGE_RUN);
    read_row(&net, "row", once);
    check_plan(&net, NULL, NULL);

    // A step that updates the state finds another value at its next repetition.
    net = build(FUM_STAGE_RUN);
    once = next(&net, "once", net.counter);
    read_row(&net, "row", net.counter);
    fum_tensor *in[] = {net.counter, net.graph->tensors[net.graph->count - 1]};
    fum_graph_add(net.graph, "counter_next", "each step", (struct fum_inputs){in, 2}, NULL);
    check_plan(&net, NULL, NULL);

    net = build(FUM_STAGE_RUN);
    once = next(&net, "once", net.counter);
    read_row(&net, "row", once);
    in[0] = net.counter, in[1] = net.graph->tensors[net.graph->count - 1];
    fum_graph_add(net.graph, "counter_next", "each step", (struct fum_inputs){in, 2}, NULL);
    check_plan(&net, "row", "each step");
}

static void states_are_not_loaded(void **state) {
    (void)state;
    struct net net = build(FUM_STAGE_LOAD);
    assert_int_equal(fum_graph_check(net.graph, NULL), FUM_ERR_ARG);
    fum_graph_destroy(&net.graph);
}

static void only_states_are_updated(void **state) {
    (void)state;
    struct net net = build(FUM_STAGE_STEP);
    struct fum_error err;
    fum_tensor *in[] = {net.table, net.table};
    assert_null(fum_graph_add(net.graph, "assign", "wrong", (struct fum_inputs){in, 2}, NULL));
    assert_int_equal(fum_graph_check(net.graph, &err), FUM_ERR_ARG);
    assert_non_null(strstr(err.text, "must be a state"));
    fum_graph_destroy(&net.graph);
}

// A product that reads a state is not moved behind the state's update, into its activation.
static void fusion_keeps_reads_before_updates(void **state) {
    (void)state;
    for (int updated = 0; updated < 2; updated++) {
        struct net net = build(FUM_STAGE_STEP);
        const struct fum_shape shape = {2, {4, 8}};
        fum_tensor *kept = fum_graph_state(net.graph, "kept", shape, FUM_F32, FUM_STAGE_STEP);
        fum_tensor *w =
            fum_graph_input(net.graph, "w", (struct fum_shape){2, {8, 8}}, FUM_F32, FUM_STAGE_STEP);
        fum_tensor *y = fum_graph_add(net.graph, "matmul", "product", FUM_INPUTS(kept, w), NULL);
        if (updated) fum_graph_add(net.graph, "assign", "keep", FUM_INPUTS(kept, net.table), NULL);
        fum_tensor *act = fum_graph_add(net.graph, "silu", "act", FUM_INPUTS(y), NULL);
        fum_graph_output(net.graph, act, "act");
        int product = y->id;
        fum_pass_prune(net.graph);
        const struct fum_device_info info = {.type = FUM_DEVICE_CPU};
        assert_int_equal(fum_graph_fuse(net.graph, &(struct fum_fuse_params){.info = &info}, NULL),
                         FUM_OK);
        assert_int_equal(net.graph->tensors[product]->live, updated);
        if (updated)
            check_plan(&net, NULL, NULL);
        else
            fum_graph_destroy(&net.graph);
    }
}

static void an_op_updates_several_states(void **state) {
    (void)state;
    const struct fum_shape shape = {2, {4, 8}}, three = {1, {3}};
    for (int twice = 0; twice < 2; twice++) {
        struct net net = build(FUM_STAGE_STEP);
        struct fum_error err = {0};
        fum_tensor *in[5], *late[2];
        static const char *const names[] = {"value", "first", "second"};
        for (int i = 0; i < 3; i++)
            in[i] = fum_graph_state(net.graph, names[i], shape, FUM_F32, FUM_STAGE_STEP);
        if (twice) in[2] = in[1];
        in[3] = net.table;
        in[4] = fum_graph_input(net.graph, "row", three, FUM_F32, FUM_STAGE_STEP);
        fum_graph_add(net.graph, "adam_update", "adam", (struct fum_inputs){in, 5}, NULL);
        if (twice) {
            assert_int_equal(fum_graph_check(net.graph, &err), FUM_ERR_ARG);
            assert_non_null(strstr(err.text, "twice"));
            fum_graph_destroy(&net.graph);
            continue;
        }
        late[0] = in[2], late[1] = net.table; // the second moment, after the update
        fum_graph_output(
            net.graph, fum_graph_add(net.graph, "add", "late", (struct fum_inputs){late, 2}, NULL),
            "late");
        check_plan(&net, "late", "adam");
    }
}

static void the_interpreter_updates_states(void **state) {
    (void)state;
    struct net net = build(FUM_STAGE_STEP);
    fum_interp *interp = NULL;
    fum_tensor *kept =
        fum_graph_state(net.graph, "kept", (struct fum_shape){2, {4, 8}}, FUM_F32, FUM_STAGE_STEP);
    fum_tensor *in[] = {kept, net.table};
    fum_tensor *sum = fum_graph_add(net.graph, "add", "sum", (struct fum_inputs){in, 2}, NULL);
    in[1] = sum;
    fum_graph_add(net.graph, "assign", "keep", (struct fum_inputs){in, 2}, NULL);
    float ones[32];
    for (int i = 0; i < 32; i++) ones[i] = 1;
    assert_int_equal(fum_interp_create(&interp, net.graph, NULL, true, NULL), FUM_OK);
    assert_int_equal(fum_interp_write(interp, net.table, ones, 32, NULL), FUM_OK);
    for (int i = 0; i < 3; i++) assert_int_equal(fum_interp_run_all(interp, NULL), FUM_OK);
    for (int i = 0; i < 32; i++) assert_true(fum_interp_read(interp, kept)[i] == 3);
    fum_interp_destroy(&interp);
    fum_graph_destroy(&net.graph);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_before_and_after_an_update),
        cmocka_unit_test(a_read_of_the_state_after_its_update_is_refused),
        cmocka_unit_test(updates_follow_each_other),
        cmocka_unit_test(an_update_takes_the_stage_of_its_state),
        cmocka_unit_test(states_are_not_loaded),
        cmocka_unit_test(only_states_are_updated),
        cmocka_unit_test(fusion_keeps_reads_before_updates),
        cmocka_unit_test(an_op_updates_several_states),
        cmocka_unit_test(the_interpreter_updates_states),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
