// SPDX-License-Identifier: MIT
// Building graphs, fusion, planning: everything that needs no device.

#include "test.h"

#include "base/alloc.h"
#include "graph/dump.h"
#include "graph/fuse/fuse.h"
#include "graph/interp.h"
#include "graph/passes.h"
#include "graph/plan.h"

static struct fum_shape shape4(int64_t a, int64_t b, int64_t c, int64_t d) {
    return (struct fum_shape){4, {a, b, c, d}};
}

static struct fum_shape shape1(int64_t a) {
    return (struct fum_shape){1, {a}};
}

static const struct fum_device_info small = {
    .name = "small",
    .max_binding = 1 << 20,
    .max_allocation = 1 << 22,
    .max_buffer = 1 << 22,
    .binding_align = 256,
    .shared_bytes = 16384,
    .max_group_invocations = 128,
    .max_group_size = {128, 128, 64},
    .max_group_count = {65535, 65535, 65535},
    .max_push_bytes = 128,
    .max_bindings = 8,
    .subgroup_size = 32,
    .planning_only = true,
};

static fum_graph *graph_new(void) {
    fum_graph *graph = NULL;
    assert_int_equal(fum_graph_create(&graph, FUM_F32, NULL), FUM_OK);
    return graph;
}

// conv (bias) + time row, SiLU after a second conv, residual at the end: a residual block in small.
static fum_tensor *block(fum_graph *g, fum_tensor *x, fum_tensor *row) {
    int64_t c = 8;
    fum_tensor *w1 = fum_graph_weight(g, "conv1.weight", shape4(3, 3, c, c), FUM_PACK_CONV);
    fum_tensor *b1 = fum_graph_weight(g, "conv1.bias", shape1(c), FUM_PACK_NONE);
    fum_tensor *w2 = fum_graph_weight(g, "conv2.weight", shape4(3, 3, c, c), FUM_PACK_CONV);
    const struct fum_attr pad[] = {{"pad", 1}, {0}};
    fum_tensor *h = fum_graph_add(g, "conv2d", "conv1", FUM_INPUTS(x, w1, b1), pad);
    h = fum_graph_add(g, "add", "time", FUM_INPUTS(h, row), NULL);
    h = fum_graph_add(g, "silu", "act", FUM_INPUTS(h), NULL);
    h = fum_graph_add(g, "upsample", "up", FUM_INPUTS(h), NULL);
    h = fum_graph_add(g, "conv2d", "conv2", FUM_INPUTS(h, w2), pad);
    fum_tensor *u = fum_graph_add(g, "upsample", "up2", FUM_INPUTS(x), NULL);
    return fum_graph_add(g, "add", "sum", FUM_INPUTS(u, h), NULL);
}

static void wrong_graphs_are_refused_by_name(void **state) {
    (void)state;
    struct fum_error err = {0};
    fum_graph *g = graph_new();
    fum_tensor *x = fum_graph_input(g, "x", shape4(1, 4, 4, 8), FUM_F32, FUM_STAGE_STEP);
    fum_tensor *w = fum_graph_weight(g, "w", shape4(3, 3, 7, 8), FUM_PACK_CONV);
    fum_tensor *y = fum_graph_add(g, "conv2d", "down.conv", FUM_INPUTS(x, w), NULL);
    assert_null(y);
    assert_int_equal(fum_tensor_shape(y).rank, 0);
    assert_int_equal(fum_tensor_dtype(y), FUM_DTYPE_UNKNOWN);
    assert_null(fum_tensor_name(y));
    assert_null(fum_graph_add(g, "silu", "later", FUM_INPUTS(y), NULL));
    assert_int_equal(fum_graph_check(g, &err), FUM_ERR_ARG);
    assert_non_null(strstr(err.text, "down.conv"));
    assert_non_null(strstr(err.text, "1x4x4x8"));
    assert_non_null(strstr(err.text, "3x3x7x8"));
    fum_graph_destroy(&g);

    g = graph_new();
    x = fum_graph_input(g, "x", shape1(4), FUM_F32, FUM_STAGE_STEP);
    assert_null(fum_graph_add(g, "no_such_op", "n", FUM_INPUTS(x), NULL));
    assert_int_equal(fum_graph_check(g, &err), FUM_ERR_ARG);
    assert_non_null(strstr(err.text, "no_such_op"));
    fum_graph_destroy(&g);

    g = graph_new();
    x = fum_graph_input(g, "x", shape1(4), FUM_F32, FUM_STAGE_STEP);
    assert_null(
        fum_graph_add(g, "silu", "n", FUM_INPUTS(x), (struct fum_attr[]){{"slope", 1}, {0}}));
    assert_int_equal(fum_graph_check(g, &err), FUM_ERR_ARG);
    assert_non_null(strstr(err.text, "slope"));
    fum_graph_destroy(&g);

    g = graph_new();
    assert_null(
        fum_graph_input(g, "big", shape4(1 << 30, 1 << 30, 1 << 30, 4), FUM_F32, FUM_STAGE_STEP));
    assert_int_equal(fum_graph_check(g, &err), FUM_ERR_ARG);
    fum_graph_destroy(&g);
}

static void nodes_have_the_stage_of_their_inputs(void **state) {
    (void)state;
    fum_graph *g = graph_new();
    fum_tensor *w = fum_graph_constant(g, "w", shape1(4), (float[]){1, 2, 3, 4});
    fum_tensor *p = fum_graph_input(g, "p", shape1(4), FUM_F32, FUM_STAGE_PROMPT);
    fum_tensor *x = fum_graph_input(g, "x", shape1(4), FUM_F32, FUM_STAGE_STEP);
    fum_tensor *ww = fum_graph_add(g, "silu", NULL, FUM_INPUTS(w), NULL);
    fum_tensor *wp = fum_graph_add(g, "add", NULL, FUM_INPUTS(ww, p), NULL);
    fum_tensor *px = fum_graph_add(g, "add", NULL, FUM_INPUTS(wp, x), NULL);
    assert_int_equal(fum_graph_check(g, NULL), FUM_OK);
    assert_int_equal(ww->stage, FUM_STAGE_LOAD);
    assert_int_equal(wp->stage, FUM_STAGE_PROMPT);
    assert_int_equal(px->stage, FUM_STAGE_STEP);
    fum_graph_destroy(&g);
}

static float *numbers(size_t count, unsigned seed) {
    float *f = fum_alloc(count, sizeof *f);
    for (size_t i = 0; i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        f[i] = (float)(seed >> 8) / (float)(1 << 24) - 0.5f;
    }
    return f;
}

static bool find_weight(void *user, const char *name, struct fum_view *view) {
    static const struct {
        const char *name;
        int rank;
        int64_t dim[4];
    } weights[] = {{"conv1.weight", 4, {8, 8, 3, 3}},
                   {"conv1.bias", 1, {8}},
                   {"conv2.weight", 4, {8, 8, 3, 3}}};
    float **data = user;
    for (int i = 0; i < 3; i++) {
        if (strcmp(weights[i].name, name)) continue;
        *view = (struct fum_view){.dtype = FUM_F32, .rank = weights[i].rank, .data = data[i]};
        for (int k = 0; k < 4; k++) view->dim[k] = weights[i].dim[k];
        return true;
    }
    return false;
}

// Interprets the graph before and after fusion: the same numbers from fewer nodes.
static void fusion_keeps_the_numbers_with_fewer_nodes(void **state) {
    (void)state;
    float *data[] = {numbers(576, 1), numbers(8, 2), numbers(576, 3)};
    struct fum_weight_source source = {.find = find_weight, .user = data};
    float *in = numbers(2 * 4 * 6 * 8, 4), *time = numbers(16, 5);
    double *results[2] = {0};
    size_t count = 2 * 8 * 12 * 8;
    for (int fused = 0; fused < 2; fused++) {
        fum_graph *g = graph_new();
        fum_tensor *x = fum_graph_input(g, "x", shape4(2, 4, 6, 8), FUM_F32, FUM_STAGE_STEP);
        fum_tensor *row = fum_graph_input(g, "row", shape4(2, 1, 1, 8), FUM_F32, FUM_STAGE_STEP);
        fum_tensor *y = block(g, x, row);
        fum_graph_output(g, y, "y");
        assert_int_equal(fum_graph_check(g, NULL), FUM_OK);
        fum_pass_prune(g);
        if (fused) {
            const struct fum_device_info info = {.type = FUM_DEVICE_CPU};
            const struct fum_fuse_params params = {.info = &info};
            assert_int_equal(fum_graph_fuse(g, &params, NULL), FUM_OK);
            assert_string_equal(y->op->name, "conv2d");
        }
        assert_int_equal(fum_pass_verify(g, "test", NULL), FUM_OK);
        fum_interp *interp = NULL;
        assert_int_equal(fum_interp_create(&interp, g, &source, false, NULL), FUM_OK);
        fum_interp_write(interp, x, in, 2 * 4 * 6 * 8, NULL);
        fum_interp_write(interp, row, time, 16, NULL);
        struct fum_error err = {0};
        if (fum_interp_run_all(interp, &err)) fail_msg("%s", err.text);
        results[fused] = fum_alloc(count, sizeof(double));
        memcpy(results[fused], fum_interp_read(interp, y), count * sizeof(double));
        fum_interp_destroy(&interp);
        fum_graph_destroy(&g);
    }
    for (size_t i = 0; i < count; i++)
        assert_true(results[0][i] - results[1][i] < 1e-5 && results[1][i] - results[0][i] < 1e-5);
    for (int i = 0; i < 3; i++) fum_free(data[i]);
    fum_free(in), fum_free(time), fum_free(results[0]), fum_free(results[1]);
}

// A chain shares two places; what a later stage reads keeps its own.
static void a_chain_shares_two_places(void **state) {
    (void)state;
    struct fum_error err = {0};
    fum_graph *g = graph_new();
    fum_tensor *p = fum_graph_input(g, "p", shape4(1, 16, 16, 64), FUM_F32, FUM_STAGE_PROMPT);
    fum_tensor *kept = fum_graph_add(g, "silu", "kept", FUM_INPUTS(p), NULL);
    fum_tensor *x = fum_graph_input(g, "x", shape4(1, 16, 16, 64), FUM_F32, FUM_STAGE_STEP);
    fum_tensor *y = x;
    for (int i = 0; i < 10; i++) {
        const struct fum_attr attrs[] = {{"groups", 8}, {0}};
        fum_tensor *gamma = fum_graph_constant(g, "gamma", shape1(64), (float[64]){0});
        fum_tensor *in[] = {y, gamma, gamma};
        y = fum_graph_add(g, "group_norm", NULL, (struct fum_inputs){in, 3}, attrs);
    }
    y = fum_graph_add(g, "add", "end", FUM_INPUTS(y, kept), NULL);
    fum_graph_output(g, y, "y");
    assert_int_equal(fum_graph_check(g, &err), FUM_OK);
    fum_pass_prune(g);
    fum_plan *plan = NULL;
    if (fum_plan_create(&plan, g, &small, NULL, &err)) fail_msg("%s", err.text);
    if (fum_plan_verify(plan, g, &small, &err)) fail_msg("%s", err.text);
    uint64_t one = 16 * 16 * 64 * 4;
    assert_true(fum_plan_bytes(plan) < 7 * one); // p, kept, x, y, two of the chain and scratch
    assert_true(plan->unshared_bytes > 12 * one);
    // A broken plan is found out: the kept value is laid over the chain's.
    plan->places[kept->id] = plan->places[y->in[0]->id];
    assert_int_not_equal(fum_plan_verify(plan, g, &small, &err), FUM_OK);
    char *text = fum_dump_text(g, plan), *dot = fum_dump_dot(g);
    assert_non_null(strstr(text, "kept = silu("));
    assert_non_null(strstr(dot, "digraph"));
    fum_free(text);
    fum_free(dot);
    fum_plan_destroy(&plan);
    fum_graph_destroy(&g);
}

static void plans_stay_within_the_limits(void **state) {
    (void)state;
    struct fum_error err = {0};
    fum_graph *g = graph_new();
    fum_tensor *x = fum_graph_input(g, "x", shape4(1, 256, 256, 64), FUM_F32, FUM_STAGE_STEP);
    fum_graph_output(g, fum_graph_add(g, "silu", "too large", FUM_INPUTS(x), NULL), "y");
    fum_pass_prune(g);
    fum_plan *plan = NULL;
    assert_int_equal(fum_plan_create(&plan, g, &small, NULL, &err), FUM_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "small"));
    assert_null(plan);
    fum_graph_destroy(&g);
}

// Every allocation that fails while building and planning is an error, not a crash.
static void refused_memory_is_an_error(void **state) {
    (void)state;
    bool done = false;
    for (long n = 0; !done && n < 1000; n++) {
        fum_graph *g = NULL;
        fum_plan *plan = NULL;
        fum_alloc_fail_after(n);
        enum fum_result result = fum_graph_create(&g, FUM_F32, NULL);
        if (!result) {
            fum_tensor *x = fum_graph_input(g, "x", shape4(2, 4, 6, 8), FUM_F32, FUM_STAGE_STEP);
            fum_tensor *row =
                fum_graph_input(g, "row", shape4(2, 1, 1, 8), FUM_F32, FUM_STAGE_STEP);
            fum_graph_output(g, block(g, x, row), "y");
            result = fum_graph_check(g, NULL);
        }
        if (!result) {
            fum_pass_prune(g);
            result = fum_plan_create(&plan, g, &small, NULL, NULL);
        }
        fum_alloc_fail_after(-1);
        done = !result;
        if (result) assert_int_equal(result, FUM_ERR_NOMEM);
        fum_plan_destroy(&plan);
        fum_graph_destroy(&g);
    }
    assert_true(done);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_graphs_are_refused_by_name),
        cmocka_unit_test(nodes_have_the_stage_of_their_inputs),
        cmocka_unit_test(fusion_keeps_the_numbers_with_fewer_nodes),
        cmocka_unit_test(a_chain_shares_two_places),
        cmocka_unit_test(plans_stay_within_the_limits),
        cmocka_unit_test(refused_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
