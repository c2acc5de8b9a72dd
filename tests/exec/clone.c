// SPDX-License-Identifier: MIT
// One graph, many uses: a compilation or measurement works on a copy and leaves the graph as built.
#include "test.h"

#include <math.h>

#include <fumarole/tuning.h>

#include "graph/dump.h"
#include "exec/executable.h"
#include "graph/interp.h"

enum { HEIGHT = 12, WIDTH = 16, CHANNELS = 32, COUNT = HEIGHT * WIDTH * CHANNELS };

static float *numbers(size_t count, unsigned seed) {
    float *f = fum_alloc(count, sizeof *f);
    assert_non_null(f);
    for (size_t i = 0; i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        f[i] = (float)(seed >> 8) / (float)(1 << 24) - 0.5f;
    }
    return f;
}

static fum_tensor *constant(fum_graph *g, const char *name, struct fum_shape shape, unsigned seed) {
    float *data = numbers((size_t)fum_shape_count(&shape), seed);
    fum_tensor *t = fum_graph_constant(g, name, shape, data);
    fum_free(data);
    return t;
}

// The convolution's weight, as a file has it: [out, in, height, width].
static bool find_weight(void *user, const char *name, struct fum_view *view) {
    *view = (struct fum_view){
        .dtype = FUM_F32, .rank = 4, .dim = {CHANNELS, CHANNELS, 3, 3}, .data = user};
    return !strcmp(name, "taps");
}

struct net {
    fum_graph *g;
    fum_tensor *x, *y;
};

// A residual block, of which the fuser keeps few nodes: norm, SiLU, convolution, a row for every
// channel, and the sum with the input. A slice of whole rows follows.
static struct net build(void) {
    struct net n;
    assert_int_equal(fum_graph_create(&n.g, FUM_F32, NULL), FUM_OK);
    struct fum_shape image = {4, {1, HEIGHT, WIDTH, CHANNELS}}, line = {1, {CHANNELS}},
                     row = {4, {1, 1, 1, CHANNELS}}, taps = {4, {3, 3, CHANNELS, CHANNELS}};
    n.x = fum_graph_input(n.g, "x", image, FUM_F32, FUM_STAGE_STEP);
    fum_tensor *norm[] = {n.x, constant(n.g, "gamma", line, 1), constant(n.g, "beta", line, 2)};
    fum_tensor *h = fum_graph_add(n.g, "group_norm", "norm", (struct fum_inputs){norm, 3},
                                  (struct fum_attr[]){{"groups", 4}, {0}});
    h = fum_graph_add(n.g, "silu", "act", FUM_INPUTS(h), NULL);
    fum_tensor *conv[] = {h, fum_graph_weight(n.g, "taps", taps, FUM_PACK_CONV),
                          constant(n.g, "bias", line, 4)};
    h = fum_graph_add(n.g, "conv2d", "conv", (struct fum_inputs){conv, 3},
                      (struct fum_attr[]){{"pad", 1}, {0}});
    fum_tensor *time[] = {h, constant(n.g, "row", row, 5)};
    h = fum_graph_add(n.g, "add", "time", (struct fum_inputs){time, 2}, NULL);
    fum_tensor *sum[] = {h, n.x};
    h = fum_graph_add(n.g, "add", "sum", (struct fum_inputs){sum, 2}, NULL);
    h = fum_graph_add(n.g, "slice", "half", FUM_INPUTS(h),
                      (struct fum_attr[]){{"axis", 1}, {"start", 4}, {"count", 4}, {0}});
    n.y = fum_graph_add(n.g, "tanh", "end", FUM_INPUTS(h), NULL);
    fum_graph_output(n.g, n.y, "y");
    struct fum_error err = {0};
    if (fum_graph_check(n.g, &err)) fail_msg("%s", err.text);
    return n;
}

static char *text_of(const fum_graph *g) {
    char *text = fum_dump_text(g, NULL);
    assert_non_null(text);
    return text;
}

static fum_device *planning(const char *name) {
    fum_device *device = NULL;
    struct fum_error err = {0};
    if (fum_device_create_planning(&device, name, &err)) fail_msg("%s", err.text);
    return device;
}

// The copy has the same text, is another graph's, and outlives no change of its own.
static void a_copy_is_the_same_graph(void **state) {
    (void)state;
    struct net net = build();
    fum_graph *clone = NULL;
    assert_int_equal(fum_graph_clone(&clone, net.g, NULL), FUM_OK);
    char *before = text_of(net.g), *copied = text_of(clone);
    assert_string_equal(before, copied);
    for (int i = 0; i < clone->count; i++) {
        const fum_tensor *t = clone->tensors[i];
        assert_int_equal(t->id, i);
        assert_ptr_equal(t->graph, clone);
        for (int k = 0; k < t->num_inputs; k++)
            assert_true(!t->in[k] || t->in[k] == clone->tensors[t->in[k]->id]);
    }
    // A node of the copy does not appear in the original.
    fum_tensor *end = clone->tensors[net.y->id];
    assert_non_null(fum_graph_add(clone, "relu", "more", FUM_INPUTS(end), NULL));
    char *after = text_of(net.g);
    assert_string_equal(before, after);
    fum_free(before), fum_free(copied), fum_free(after);
    fum_graph_destroy(&clone);
    // An error of building is the copy's error.
    assert_null(fum_graph_add(net.g, "no_such_op", "bad", FUM_INPUTS(net.x), NULL));
    assert_int_equal(fum_graph_clone(&clone, net.g, NULL), FUM_ERR_ARG);
    assert_null(clone);
    fum_graph_destroy(&net.g);
}

static void a_copy_without_memory_is_an_error(void **state) {
    (void)state;
    struct net net = build();
    bool done = false;
    for (long n = 0; !done && n < 100; n++) {
        fum_graph *clone = NULL;
        fum_alloc_fail_after(n);
        enum fum_result result = fum_graph_clone(&clone, net.g, NULL);
        fum_alloc_fail_after(-1);
        done = !result;
        assert_true(done || (result == FUM_ERR_NOMEM && !clone));
        fum_graph_destroy(&clone);
    }
    assert_true(done);
    fum_graph_destroy(&net.g);
}

// Measured for every planning device, the graph's text stays as it was, and so does the measure.
static void measuring_leaves_the_graph_as_it_was(void **state) {
    (void)state;
    struct net net = build();
    char *before = text_of(net.g);
    struct fum_executable_size first = {0}, size;
    for (int i = 0; fum_device_planning_name(i); i++) {
        fum_device *device = planning(fum_device_planning_name(i));
        struct fum_error err = {0};
        if (fum_executable_measure(net.g, device, &size, &err)) fail_msg("%s", err.text);
        assert_true(size.activations && size.weights && size.least);
        if (!i) first = size;
        char *after = text_of(net.g);
        assert_string_equal(before, after);
        fum_free(after);
        fum_device_destroy(&device);
    }
    fum_device *device = planning(fum_device_planning_name(0));
    assert_int_equal(fum_executable_measure(net.g, device, &size, NULL), FUM_OK);
    assert_memory_equal(&size, &first, sizeof size);
    fum_device_destroy(&device);
    fum_free(before);
    fum_graph_destroy(&net.g);
}

// ---- budgets ----

enum { WIDE = 64, SIDE = 16, CONVS = 4 };

static bool find_wide(void *user, const char *name, struct fum_view *view) {
    (void)name;
    *view = (struct fum_view){.dtype = FUM_F32, .rank = 4, .dim = {WIDE, WIDE, 3, 3}, .data = user};
    return true;
}

// Builds convolutions whose weights are large enough to be streamed, each with a constant of the
// size of an image.
static fum_graph *build_wide(void) {
    fum_graph *g = NULL;
    assert_int_equal(fum_graph_create(&g, FUM_F32, NULL), FUM_OK);
    struct fum_shape image = {4, {1, SIDE, SIDE, WIDE}}, taps = {4, {3, 3, WIDE, WIDE}};
    fum_tensor *h = fum_graph_input(g, "x", image, FUM_F32, FUM_STAGE_STEP);
    for (int i = 0; i < CONVS; i++) {
        char name[16];
        snprintf(name, sizeof name, "taps%d", i);
        fum_tensor *conv[] = {h, fum_graph_weight(g, name, taps, FUM_PACK_CONV)};
        h = fum_graph_add(g, "conv2d", "conv", (struct fum_inputs){conv, 2},
                          (struct fum_attr[]){{"pad", 1}, {0}});
        fum_tensor *sum[] = {h, constant(g, "shift", image, 7)};
        h = fum_graph_add(g, "add", "sum", (struct fum_inputs){sum, 2}, NULL);
    }
    fum_graph_output(g, h, "y");
    struct fum_error err = {0};
    if (fum_graph_check(g, &err)) fail_msg("%s", err.text);
    return g;
}

// A budget, and what was requested of it.
struct budget {
    uint64_t bytes, wanted, least;
};

static uint64_t give_room(void *user, uint64_t wanted, uint64_t least) {
    struct budget *budget = user;
    budget->wanted = wanted;
    budget->least = least;
    return budget->bytes;
}

static enum fum_result compile_within(struct budget *budget, fum_device *device, const fum_graph *g,
                                      float *taps) {
    struct fum_error err = {0};
    fum_weights *weights = NULL;
    fum_executable *exe = NULL;
    const struct fum_weights_params params = {.device = device,
                                              .source = {.find = find_wide, .user = taps},
                                              .room = give_room,
                                              .user = budget,
                                              .label = "test"};
    if (fum_weights_create(&weights, &params, &err)) fail_msg("%s", err.text);
    enum fum_result result = fum_executable_compile(
        &exe, &(struct fum_executable_job){.graph = g, .device = device, .weights = weights}, &err);
    fum_executable_destroy(&exe);
    fum_weights_destroy(&weights);
    return result;
}

// The measured sizes are those that a compilation requests. The smallest budget holds what always
// stays, constants too: it is enough, and one byte less is not.
static void the_least_measured_size_is_enough(void **state) {
    (void)state;
    fum_graph *g = build_wide();
    float *taps = numbers(9 * WIDE * WIDE, 3);
    for (int i = 0; fum_device_planning_name(i); i++) {
        fum_device *device = planning(fum_device_planning_name(i));
        struct fum_executable_size size = {0};
        assert_int_equal(fum_executable_measure(g, device, &size, NULL), FUM_OK);
        struct budget budget = {.bytes = size.least};
        assert_int_equal(compile_within(&budget, device, g, taps), FUM_OK);
        assert_int_equal(budget.wanted, size.activations + size.weights);
        assert_int_equal(budget.least, size.least);
        assert_true(size.least < size.activations + size.weights);
        budget.bytes--;
        assert_int_equal(compile_within(&budget, device, g, taps), FUM_ERR_NOMEM);
        fum_device_destroy(&device);
    }
    fum_free(taps);
    fum_graph_destroy(&g);
}

static float *interpret(const struct net *net, const struct fum_weight_source *source,
                        const float *x, size_t *count) {
    struct fum_error err = {0};
    fum_interp *interp = NULL;
    if (fum_interp_create(&interp, net->g, source, false, &err) ||
        fum_interp_write(interp, net->x, x, COUNT, &err) || fum_interp_run_all(interp, &err))
        fail_msg("%s", err.text);
    *count = (size_t)fum_shape_count(&net->y->desc.shape);
    float *out = fum_alloc(*count, sizeof *out);
    assert_non_null(out);
    for (size_t i = 0; i < *count; i++) out[i] = (float)fum_interp_read(interp, net->y)[i];
    fum_interp_destroy(&interp);
    return out;
}

static void run(fum_executable *exe, const struct net *net, const float *x, const float *wanted,
                size_t count) {
    struct fum_error err = {0};
    float *out = fum_alloc(count, sizeof *out);
    assert_non_null(out);
    if (fum_executable_write(exe, net->x, x, COUNT, &err) ||
        fum_executable_run(exe, FUM_STAGE_STEP, &err) ||
        fum_executable_read(exe, net->y, out, count, &err))
        fail_msg("%s", err.text);
    for (size_t i = 0; i < count; i++) assert_true(fabsf(out[i] - wanted[i]) < 1e-4f);
    fum_free(out);
}

// Returns how many dispatches the executable runs.
static int dispatches_of(const fum_executable *exe) {
    struct fum_executable_stats stats;
    fum_executable_get_stats(exe, &stats);
    return stats.dispatches[FUM_STAGE_STEP];
}

// A device, and the graph compiled for it with weights of its own.
struct place {
    fum_device *device;
    fum_weights *weights;
    fum_executable *exe;
};

// Compiles the graph for the place's device.
static void compile(struct place *p, const struct net *net,
                    const struct fum_weight_source *source) {
    struct fum_error err = {0};
    const struct fum_weights_params params = {
        .device = p->device, .source = *source, .label = "test"};
    if (fum_weights_create(&p->weights, &params, &err) ||
        fum_executable_compile(&p->exe,
                               &(struct fum_executable_job){
                                   .graph = net->g, .device = p->device, .weights = p->weights},
                               &err))
        fail_msg("%s", err.text);
}

static void clear(struct place *p) {
    assert_int_equal(fum_device_validation_messages(p->device), 0);
    fum_executable_destroy(&p->exe);
    fum_weights_destroy(&p->weights);
    fum_device_destroy(&p->device);
}

// Opens two devices, the second of which has only plain kernels, and a planning one.
static void open_devices(struct place places[3]) {
    struct fum_error err = {0};
    const struct fum_device_params params = {.validate = true};
    for (int i = 0; i < 2; i++) {
        if (!fum_device_create(&places[i].device, &params, &err)) continue;
        print_message("%s\n", err.text);
        if (getenv("FUM_REQUIRE_DEVICE")) fail();
        skip();
    }
    assert_int_equal(fum_device_force_variant(places[1].device, "plain", &err), FUM_OK);
    places[2].device = planning("adreno-7xx");
}

// The same graph is compiled for two devices and run on both in turn. On CPUs the convolution of
// the first is a Winograd transform. A third compilation is only planned.
static void one_graph_runs_on_two_devices(void **state) {
    (void)state;
    struct net net = build();
    float *taps = numbers(9 * CHANNELS * CHANNELS, 3), *x = numbers(COUNT, 9), one;
    const struct fum_weight_source source = {.find = find_weight, .user = taps};
    size_t count;
    float *wanted = interpret(&net, &source, x, &count);
    char *before = text_of(net.g);
    struct place places[3] = {{0}};
    open_devices(places);
    for (int i = 0; i < 3; i++) compile(&places[i], &net, &source);
    assert_true(dispatches_of(places[2].exe) > 0);
    if (fum_device_get_info(places[0].device)->type == FUM_DEVICE_CPU)
        assert_int_not_equal(dispatches_of(places[0].exe), dispatches_of(places[1].exe));
    for (int turn = 0; turn < 2; turn++)
        for (int i = 0; i < 2; i++) run(places[i].exe, &net, x, wanted, count);
    char *after = text_of(net.g);
    assert_string_equal(before, after);
    // What is added later belongs to no executable; what was there still runs.
    fum_tensor *later = fum_graph_add(net.g, "relu", "later", FUM_INPUTS(net.y), NULL);
    assert_non_null(later);
    assert_int_equal(fum_executable_read(places[0].exe, later, &one, 1, NULL), FUM_ERR_ARG);
    run(places[0].exe, &net, x, wanted, count);
    for (int i = 0; i < 3; i++) clear(&places[i]);
    fum_free(x), fum_free(wanted), fum_free(taps), fum_free(before), fum_free(after);
    fum_graph_destroy(&net.g);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_copy_is_the_same_graph),
                                       cmocka_unit_test(a_copy_without_memory_is_an_error),
                                       cmocka_unit_test(measuring_leaves_the_graph_as_it_was),
                                       cmocka_unit_test(the_least_measured_size_is_enough),
                                       cmocka_unit_test(one_graph_runs_on_two_devices)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
