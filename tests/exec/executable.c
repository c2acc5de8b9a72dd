// SPDX-License-Identifier: MIT
// Compiled graphs on the device against the interpreter: fusion, shared memory, stages, folding,
// weights by name.

#include "test.h"

#include <math.h>

#include "exec/executable.h"
#include "graph/fuse/fuse.h"
#include "graph/interp.h"

enum { CHANNELS = 20, HEIGHT = 5, WIDTH = 7, BATCH = 2, COUNT = BATCH * HEIGHT * WIDTH * CHANNELS };

static float *numbers(size_t count, unsigned seed) {
    float *f = fum_alloc(count, sizeof *f);
    for (size_t i = 0; i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        f[i] = (float)(seed >> 8) / (float)(1 << 24) - 0.5f;
    }
    return f;
}

// Weights are made up by name: the same name gives the same numbers.
struct made {
    float *data[32];
    char name[32][32];
    int count;
    const char *missing;
};

static bool find_weight(void *user, const char *name, struct fum_view *view) {
    struct made *made = user;
    if (made->missing && !strcmp(made->missing, name)) return false;
    bool conv = strstr(name, "conv") && strstr(name, "weight");
    *view = (struct fum_view){
        .dtype = FUM_F32, .rank = conv ? 4 : 1, .dim = {CHANNELS, CHANNELS, 3, 3}};
    int i = 0;
    while (i < made->count && strcmp(made->name[i], name)) i++;
    if (i == made->count) {
        snprintf(made->name[i], sizeof made->name[i], "%s", name);
        made->data[i] = numbers(conv ? CHANNELS * CHANNELS * 9 : CHANNELS, (unsigned)(i + 7));
        made->count++;
    }
    view->data = made->data[i];
    return true;
}

static void made_free(struct made *made) {
    for (int i = 0; i < made->count; i++) fum_free(made->data[i]);
}

static fum_tensor *add(fum_graph *g, const char *op, struct fum_inputs in,
                       const struct fum_attr *attrs) {
    return fum_graph_add(g, op, NULL, in, attrs);
}

static fum_tensor *weight(fum_graph *g, const char *name) {
    bool conv = strstr(name, "conv") && strstr(name, "weight");
    struct fum_shape shape = conv ? (struct fum_shape){4, {3, 3, CHANNELS, CHANNELS}}
                                  : (struct fum_shape){1, {CHANNELS}};
    return fum_graph_weight(g, name, shape, conv ? FUM_PACK_CONV : FUM_PACK_NONE);
}

static const struct fum_attr pad[] = {{"pad", 1}, {0}}, groups[] = {{"groups", 4}, {0}};

struct net {
    fum_graph *g;
    fum_tensor *x, *prompt, *y;
};

// Two residual blocks; the rows that they add depend on the prompt, one factor on weights alone.
static struct net build(enum fum_dtype storage) {
    struct net n;
    assert_int_equal(fum_graph_create(&n.g, storage, NULL), FUM_OK);
    n.x = fum_graph_input(n.g, "x", (struct fum_shape){4, {BATCH, HEIGHT, WIDTH, CHANNELS}},
                          storage, FUM_STAGE_STEP);
    n.prompt = fum_graph_input(n.g, "prompt", (struct fum_shape){4, {BATCH, 1, 1, CHANNELS}},
                               storage, FUM_STAGE_PROMPT);
    float ramp[CHANNELS];
    for (int i = 0; i < CHANNELS; i++) ramp[i] = 0.1f * (float)i - 0.7f;
    fum_tensor *factor = fum_graph_constant(n.g, "ramp", (struct fum_shape){1, {CHANNELS}}, ramp);
    factor = add(n.g, "tanh", FUM_INPUTS(factor), NULL);
    factor = add(n.g, "mul", FUM_INPUTS(factor, weight(n.g, "factor")), NULL);
    fum_tensor *h = n.x, *row = add(n.g, "silu", FUM_INPUTS(n.prompt), NULL);
    for (int i = 0; i < 2; i++) {
        char name[4][32];
        static const char *const parts[] = {"norm.weight", "norm.bias", "conv.weight", "conv.bias"};
        for (int k = 0; k < 4; k++) snprintf(name[k], sizeof name[k], "%d.%s", i, parts[k]);
        fum_tensor *in[] = {h, weight(n.g, name[0]), weight(n.g, name[1])};
        fum_tensor *t = fum_graph_add(n.g, "group_norm", NULL, (struct fum_inputs){in, 3}, groups);
        t = add(n.g, "silu", FUM_INPUTS(t), NULL);
        t = add(n.g, "conv2d", FUM_INPUTS(t, weight(n.g, name[2]), weight(n.g, name[3])), pad);
        t = add(n.g, "add", FUM_INPUTS(t, row), NULL);
        t = add(n.g, "mul", FUM_INPUTS(t, factor), NULL);
        h = add(n.g, "add", FUM_INPUTS(t, h), NULL);
    }
    n.y = h;
    fum_graph_output(n.g, n.y, "y");
    return n;
}

static double relative_rms(const float *a, const double *b, size_t count) {
    double error = 0, size = 0;
    for (size_t i = 0; i < count; i++) {
        error += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        size += (double)b[i] * b[i];
    }
    return sqrt(error / size);
}

static void on_dump(void *user, const char *pass, const char *text, const char *dot) {
    char *passes = user;
    strcat(strcat(passes, pass), " ");
    assert_non_null(strstr(text, "group_norm"));
    assert_non_null(strstr(dot, "digraph"));
}

static bool always(const struct fum_device_info *info, const struct fum_op_call *call) {
    (void)info, (void)call;
    return true;
}

// A convolution that reads what a norm would have written, whatever is faster on the device.
struct normalising {
    struct fum_op op;
    struct fum_op_fusion fusion;
    struct fum_input_read reads;
};

// Replaces the graph's convolutions.
static void make_normalising(fum_graph *g, struct normalising *conv) {
    const struct fum_op *plain = fum_op_find("conv2d");
    *conv = (struct normalising){*plain, *plain->fusion, *plain->fusion->reads};
    conv->reads.reads_normalised = always;
    conv->fusion.reads = &conv->reads;
    conv->op.fusion = &conv->fusion;
    for (int i = 0; i < g->count; i++)
        if (g->tensors[i]->op == plain) g->tensors[i]->op = &conv->op;
}

static void check_normalising(const fum_plan *plan, const struct normalising *conv) {
    int convs = 0, norms = 0, act = fum_op_attr_index(&conv->op, conv->reads.norm_act_attr);
    for (int i = 0; i < plan->num_steps; i++) {
        const fum_tensor *t = plan->steps[i].node;
        norms += t->op == fum_op_find("group_norm_affine");
        if (t->op != &conv->op) continue;
        convs++;
        assert_non_null(t->in[conv->reads.norm_input]);
        assert_ptr_equal(t->in[conv->reads.norm_input]->in[0], t->in[0]);
        assert_true(t->attr[act] == FUM_ACT_SILU);
    }
    assert_int_equal(convs, 2);
    assert_int_equal(norms, 2);
}

static void compare(fum_device *device, enum fum_dtype storage, double bound, bool normalising) {
    struct fum_error err = {0};
    struct made made = {0};
    struct fum_weight_source source = {.find = find_weight, .user = &made};
    struct net reference = build(storage), net = build(storage);
    struct normalising conv;
    if (normalising) make_normalising(net.g, &conv);
    fum_interp *interp = NULL;
    fum_weights *weights = NULL;
    fum_executable *exe = NULL;
    char passes[128] = "";
    if (fum_interp_create(&interp, reference.g, &source, false, &err)) fail_msg("%s", err.text);
    struct fum_executable_params params = {.dump = on_dump, .user = passes};
    if (fum_weights_create(
            &weights,
            &(struct fum_weights_params){.device = device, .source = source, .label = "test"},
            &err) ||
        fum_executable_compile(
            &exe,
            &(struct fum_executable_job){
                .graph = net.g, .device = device, .weights = weights, .params = &params},
            &err))
        fail_msg("%s", err.text);
    if (normalising) check_normalising(fum_executable_plan(exe), &conv);
    assert_string_equal(passes,
                        "prune gate epilogue upsample concat quantise lower norm alias plan ");
    struct fum_executable_stats stats;
    fum_executable_get_stats(exe, &stats);
    assert_int_equal(stats.dispatches[FUM_STAGE_LOAD], 2); // tanh and mul, folded when compiled
    assert_int_equal(stats.dispatches[FUM_STAGE_PROMPT], 1);
    float *out = fum_alloc(COUNT, sizeof *out), *first = fum_alloc(COUNT, sizeof *first);
    // The same prompt with two inputs, then the first input again: later runs leave nothing behind.
    for (int run = 0; run < 3; run++) {
        float *x = numbers(COUNT, run == 1 ? 99 : 3), *p = numbers(BATCH * CHANNELS, 5);
        fum_interp_write(interp, reference.x, x, COUNT, &err);
        fum_interp_write(interp, reference.prompt, p, BATCH * CHANNELS, &err);
        if (fum_interp_run_all(interp, &err)) fail_msg("%s", err.text);
        if (run == 0 && (fum_executable_write(exe, net.prompt, p, BATCH * CHANNELS, &err) ||
                         fum_executable_run(exe, FUM_STAGE_PROMPT, &err)))
            fail_msg("%s", err.text);
        if (fum_executable_write(exe, net.x, x, COUNT, &err) ||
            fum_executable_run(exe, FUM_STAGE_STEP, &err) ||
            fum_executable_read(exe, net.y, out, COUNT, &err))
            fail_msg("%s", err.text);
        double error = relative_rms(out, fum_interp_read(interp, reference.y), COUNT);
        if (!(error <= bound)) fail_msg("run %d in %s: %g", run, fum_dtype_name(storage), error);
        if (run == 0) memcpy(first, out, COUNT * sizeof *out);
        fum_free(x);
        fum_free(p);
    }
    assert_memory_equal(first, out, COUNT * sizeof *out);
    fum_free(first);
    fum_free(out);
    fum_executable_destroy(&exe);
    fum_weights_destroy(&weights);
    fum_interp_destroy(&interp);
    fum_graph_destroy(&net.g);
    fum_graph_destroy(&reference.g);
    made_free(&made);
}

static void executables_match_the_interpreter(void **state) {
    fum_device *device = *state;
    for (int normalising = 0; normalising < 2; normalising++) {
        compare(device, FUM_F32, 1e-5, normalising);
        if (fum_device_get_info(device)->storage16) compare(device, FUM_F16, 5e-3, normalising);
        compare(device, FUM_BF16, 4e-2, normalising);
    }
    assert_int_equal(fum_device_validation_messages(device), 0);
}

static void bad_weights_are_refused(void **state) {
    fum_device *device = *state;
    struct fum_error err = {0};
    struct made made = {.missing = "1.conv.bias"};
    struct fum_weight_source source = {.find = find_weight, .user = &made};
    struct net net = build(FUM_F32);
    fum_weights *weights = NULL;
    fum_executable *exe = NULL;
    fum_weights_create(
        &weights, &(struct fum_weights_params){.device = device, .source = source, .label = "part"},
        &err);
    assert_int_equal(
        fum_executable_compile(
            &exe,
            &(struct fum_executable_job){.graph = net.g, .device = device, .weights = weights},
            &err),
        FUM_ERR_FORMAT);
    assert_null(exe);
    assert_non_null(strstr(err.text, "1.conv.bias"));
    assert_non_null(strstr(err.text, "part"));
    // Nothing half-loaded stays: with the tensor there it works.
    made.missing = NULL;
    if (fum_executable_compile(
            &exe,
            &(struct fum_executable_job){.graph = net.g, .device = device, .weights = weights},
            &err))
        fail_msg("%s", err.text);
    fum_executable_destroy(&exe);
    // Without a source at all.
    assert_int_equal(fum_executable_create(&exe, net.g, device, NULL, &err), FUM_ERR_ARG);
    fum_weights_destroy(&weights);
    fum_graph_destroy(&net.g);
    made_free(&made);
}

// Runs all stages of the net, and reads y.
static void run_net(fum_executable *exe, const struct net *net, float *y) {
    struct fum_error err = {0};
    float *x = numbers(COUNT, 3), *prompt = numbers(BATCH * CHANNELS, 5);
    if (fum_executable_write(exe, net->prompt, prompt, BATCH * CHANNELS, &err) ||
        fum_executable_write(exe, net->x, x, COUNT, &err) ||
        fum_executable_run(exe, FUM_STAGE_PROMPT, &err) ||
        fum_executable_run(exe, FUM_STAGE_STEP, &err) ||
        fum_executable_read(exe, net->y, y, COUNT, &err))
        fail_msg("%s", err.text);
    fum_free(x);
    fum_free(prompt);
}

// Compiles the net with a store of its own, runs it, and leaves both open.
static void open_net(fum_device *device, struct made *made, const struct net *net,
                     fum_weights **weights, fum_executable **exe) {
    struct fum_error err = {0};
    struct fum_weights_params params = {
        .device = device, .source = {.find = find_weight, .user = made}, .label = "test"};
    if (fum_weights_create(weights, &params, &err) ||
        fum_executable_compile(
            exe,
            &(struct fum_executable_job){.graph = net->g, .device = device, .weights = *weights},
            &err))
        fail_msg("%s", err.text);
}

// A rewritten weight changes the result to what a fresh store gives, bit for bit. "factor" is read
// by a node that is computed when weights load.
static void rewritten_weights_are_as_those_of_a_fresh_store(void **state) {
    fum_device *device = *state;
    struct fum_error err = {0};
    struct made made = {0};
    struct net net = build(FUM_F32);
    fum_weights *weights[2];
    fum_executable *exe[2];
    float *before = fum_alloc(COUNT, sizeof *before), *after = fum_alloc(COUNT, sizeof *after),
          *fresh = fum_alloc(COUNT, sizeof *fresh);
    static const char *const names[] = {"factor", "0.conv.weight", "1.norm.bias"};
    open_net(device, &made, &net, &weights[0], &exe[0]);
    for (int n = 0; n < 3; n++) {
        const char *const rewritten[] = {"of no model", names[n]};
        run_net(exe[0], &net, before);
        for (int i = 0; i < made.count; i++)
            for (int k = 0; !strcmp(made.name[i], names[n]) && k < CHANNELS; k++)
                made.data[i][k] += 0.25f * (float)(k % 3 + 1);
        if (fum_weights_rewrite(weights[0], rewritten, 2, &err)) fail_msg("%s", err.text);
        run_net(exe[0], &net, after);
        open_net(device, &made, &net, &weights[1], &exe[1]);
        run_net(exe[1], &net, fresh);
        assert_memory_equal(after, fresh, COUNT * sizeof *after);
        assert_memory_not_equal(after, before, COUNT * sizeof *after);
        fum_executable_destroy(&exe[1]);
        fum_weights_destroy(&weights[1]);
    }
    // A tensor that is gone is refused and named.
    made.missing = "factor";
    assert_int_equal(fum_weights_rewrite(weights[0], names, 1, &err), FUM_ERR_FORMAT);
    assert_non_null(strstr(err.text, "factor"));
    fum_executable_destroy(&exe[0]);
    fum_weights_destroy(&weights[0]);
    fum_graph_destroy(&net.g);
    fum_free(before), fum_free(after), fum_free(fresh);
    made_free(&made);
    assert_int_equal(fum_device_validation_messages(device), 0);
}

// Counts the nodes that read `a` and `b` as the two parts of a concatenation.
static int count_joined(const fum_plan *plan, const fum_tensor *a, const fum_tensor *b) {
    int joined = 0;
    for (int i = 0; i < plan->num_steps; i++) {
        const fum_tensor *t = plan->steps[i].node;
        joined += t->in[0] && t->in[0]->id == a->id && t->in[3] && t->in[3]->id == b->id;
    }
    return joined;
}

// A norm reads the parts of a concatenation that others read whole, also as factors and addends of
// a convolution.
static void a_norm_reads_parts_of_a_concatenation(void **state) {
    fum_device *device = *state;
    struct fum_error err = {0};
    enum { A = 16, B = 4, SIZE = BATCH * HEIGHT * WIDTH };
    for (int normalising = 0; normalising < 2; normalising++) {
        struct made made = {0};
        struct fum_weight_source source = {.find = find_weight, .user = &made};
        fum_graph *g[2];
        fum_tensor *a[2], *b[2], *y[2];
        struct normalising conv;
        for (int k = 0; k < 2; k++) {
            assert_int_equal(fum_graph_create(&g[k], FUM_F32, NULL), FUM_OK);
            struct fum_shape shape = {4, {BATCH, HEIGHT, WIDTH, A}};
            a[k] = fum_graph_input(g[k], "a", shape, FUM_F32, FUM_STAGE_STEP);
            shape.dim[3] = B;
            b[k] = fum_graph_input(g[k], "b", shape, FUM_F32, FUM_STAGE_STEP);
            fum_tensor *both = add(g[k], "concat", FUM_INPUTS(a[k], b[k]), NULL);
            fum_tensor *in[] = {both, weight(g[k], "norm.weight"), weight(g[k], "norm.bias")};
            const struct fum_attr each[] = {{"groups", CHANNELS}, {0}};
            fum_tensor *norm =
                fum_graph_add(g[k], "group_norm", NULL, (struct fum_inputs){in, 3}, each);
            fum_tensor *h = add(g[k], "silu", FUM_INPUTS(norm), NULL);
            h = add(g[k], "conv2d",
                    FUM_INPUTS(h, weight(g[k], "conv.weight"), weight(g[k], "conv.bias")), pad);
            y[k] = add(g[k], "add", FUM_INPUTS(h, both), NULL);
            fum_graph_output(g[k], y[k], "y");
        }
        if (normalising) make_normalising(g[1], &conv);
        fum_interp *interp = NULL;
        fum_weights *weights = NULL;
        fum_executable *exe = NULL;
        struct fum_weights_params from = {.device = device, .source = source, .label = "test"};
        if (fum_interp_create(&interp, g[0], &source, false, &err) ||
            fum_weights_create(&weights, &from, &err) ||
            fum_executable_compile(
                &exe,
                &(struct fum_executable_job){.graph = g[1], .device = device, .weights = weights},
                &err))
            fail_msg("%s", err.text);
        assert_int_equal(count_joined(fum_executable_plan(exe), a[1], b[1]), 1);
        float *data[2] = {numbers(SIZE * A, 1), numbers(SIZE * B, 2)},
              *out = fum_alloc(SIZE * CHANNELS, sizeof *out);
        fum_interp_write(interp, a[0], data[0], SIZE * A, &err);
        fum_interp_write(interp, b[0], data[1], SIZE * B, &err);
        if (fum_interp_run_all(interp, &err) ||
            fum_executable_write(exe, a[1], data[0], SIZE * A, &err) ||
            fum_executable_write(exe, b[1], data[1], SIZE * B, &err) ||
            fum_executable_run(exe, FUM_STAGE_STEP, &err) ||
            fum_executable_read(exe, y[1], out, SIZE * CHANNELS, &err))
            fail_msg("%s", err.text);
        assert_true(relative_rms(out, fum_interp_read(interp, y[0]), SIZE * CHANNELS) < 1e-5);
        fum_free(data[0]), fum_free(data[1]), fum_free(out);
        fum_executable_destroy(&exe);
        fum_weights_destroy(&weights);
        fum_interp_destroy(&interp);
        fum_graph_destroy(&g[0]);
        fum_graph_destroy(&g[1]);
        made_free(&made);
    }
}

static fum_tensor *slice(fum_graph *g, fum_tensor *x, int axis, int start, int count) {
    return add(g, "slice", FUM_INPUTS(x),
               (struct fum_attr[]){{"axis", axis}, {"start", start}, {"count", count}, {0}});
}

// True if the compiled graph's twin of the node is a view.
static bool is_window(const fum_executable *exe, const fum_tensor *node) {
    const fum_plan *plan = fum_executable_plan(exe);
    for (int i = 0; i < plan->num_steps; i++)
        if (plan->steps[i].node->id == node->id) return plan->steps[i].node->alias;
    fail_msg("%s is not computed", node->name);
    return false;
}

// Slices of whole rows on the device's alignment are views; others, and those of states, are
// copied. All are right.
static void slices_of_whole_rows_are_views(void **state) {
    fum_device *device = *state;
    struct fum_error err = {0};
    fum_graph *g = NULL;
    fum_executable *exe = NULL;
    enum { ROWS = 6, ALL = ROWS * 4 * 64 };
    fum_graph_create(&g, FUM_F32, NULL);
    fum_tensor *x =
        fum_graph_input(g, "x", (struct fum_shape){3, {ROWS, 4, 64}}, FUM_F32, FUM_STAGE_STEP);
    fum_tensor *kept =
        fum_graph_state(g, "kept", (struct fum_shape){3, {ROWS, 4, 64}}, FUM_F32, FUM_STAGE_STEP);
    fum_tensor *h = add(g, "relu", FUM_INPUTS(x), NULL);
    // rows 1 to 3, then row 2
    fum_tensor *rows = slice(g, h, 0, 1, 3), *within = slice(g, rows, 0, 1, 1);
    fum_tensor *channels = slice(g, h, 2, 4, 8), *of_state = slice(g, kept, 0, 2, 1);
    fum_tensor *y = add(g, "add", FUM_INPUTS(within, of_state), NULL);
    y = add(g, "add", FUM_INPUTS(y, slice(g, rows, 0, 0, 1)), NULL);
    fum_graph_output(g, y, "y");
    fum_graph_output(g, within, "within");
    fum_graph_output(g, add(g, "scale", FUM_INPUTS(channels), (struct fum_attr[]){{"mul", 2}, {0}}),
                     "twice");
    if (fum_executable_create(&exe, g, device, NULL, &err)) fail_msg("%s", err.text);
    assert_true(is_window(exe, rows) && is_window(exe, within));
    assert_false(is_window(exe, channels) || is_window(exe, of_state));
    float *in = numbers(ALL, 5), *old = numbers(ALL, 6), *out = fum_alloc(ALL, sizeof *out);
    if (fum_executable_write(exe, x, in, ALL, &err) ||
        fum_executable_write(exe, kept, old, ALL, &err))
        fail_msg("%s", err.text);
    for (int run = 0; run < 2; run++) {
        if (fum_executable_run(exe, FUM_STAGE_STEP, &err) ||
            fum_executable_read(exe, y, out, 256, &err))
            fail_msg("%s", err.text);
        for (int i = 0; i < 256; i++)
            assert_true(out[i] == fmaxf(in[512 + i], 0) + old[512 + i] + fmaxf(in[256 + i], 0));
        if (fum_executable_read(exe, within, out, 256, &err)) fail_msg("%s", err.text);
        for (int i = 0; i < 256; i++) assert_true(out[i] == fmaxf(in[512 + i], 0));
        if (fum_executable_read(exe, fum_graph_find(g, "twice"), out, ROWS * 4 * 8, &err))
            fail_msg("%s", err.text);
        for (int i = 0; i < ROWS * 4 * 8; i++)
            assert_true(out[i] == 2 * fmaxf(in[i / 8 * 64 + 4 + i % 8], 0));
    }
    fum_free(in), fum_free(old), fum_free(out);
    fum_executable_destroy(&exe);
    fum_graph_destroy(&g);
}

static void wrong_use_is_refused(void **state) {
    fum_device *device = *state;
    struct fum_error err = {0};
    fum_graph *g = NULL;
    fum_executable *exe = NULL;
    fum_graph_create(&g, FUM_F32, NULL);
    fum_tensor *x = fum_graph_input(g, "x", (struct fum_shape){2, {3, 5}}, FUM_F32, FUM_STAGE_STEP);
    fum_tensor *mid = add(g, "silu", FUM_INPUTS(x), NULL),
               *y = add(g, "tanh", FUM_INPUTS(mid), NULL);
    fum_graph_output(g, y, "y");
    if (fum_executable_create(&exe, g, device, NULL, &err)) fail_msg("%s", err.text);
    float data[15] = {0};
    int32_t ids[15] = {0};
    assert_int_equal(fum_executable_write(exe, x, data, 14, &err), FUM_ERR_ARG);
    assert_int_equal(fum_executable_write_i32(exe, x, ids, 15, &err), FUM_ERR_ARG);
    assert_int_equal(fum_executable_read(exe, y, data, 16, &err), FUM_ERR_ARG);
    fum_executable_destroy(&exe);
    fum_graph_destroy(&g);
    // An empty graph compiles to nothing.
    fum_graph_create(&g, FUM_F32, NULL);
    if (fum_executable_create(&exe, g, device, NULL, &err)) fail_msg("%s", err.text);
    assert_int_equal(fum_executable_run(exe, FUM_STAGE_STEP, &err), FUM_OK);
    fum_executable_destroy(&exe);
    fum_graph_destroy(&g);
}

// A stage whose inputs or states hold nothing is refused by name; what was written stays for later
// runs.
static void inputs_that_were_never_written_are_refused_by_name(void **state) {
    fum_device *device = *state;
    struct fum_error err = {0};
    fum_graph *g = NULL;
    fum_executable *exe = NULL;
    struct fum_shape shape = {2, {3, 8}};
    float data[24], out[24];
    for (int i = 0; i < 24; i++) data[i] = (float)i;
    fum_graph_create(&g, FUM_F32, NULL);
    fum_tensor *prompt = fum_graph_input(g, "words", shape, FUM_F32, FUM_STAGE_PROMPT);
    fum_tensor *x = fum_graph_input(g, "pixels", shape, FUM_F32, FUM_STAGE_STEP);
    fum_tensor *kept = fum_graph_state(g, "kept", shape, FUM_F32, FUM_STAGE_STEP);
    fum_tensor *h = add(g, "relu", FUM_INPUTS(prompt), NULL);
    fum_tensor *y = add(g, "add", FUM_INPUTS(h, slice(g, kept, 0, 0, 3)), NULL);
    y = add(g, "add", FUM_INPUTS(y, x), NULL);
    fum_graph_output(g, y, "y");
    if (fum_executable_create(&exe, g, device, NULL, &err)) fail_msg("%s", err.text);
    assert_int_equal(fum_executable_run(exe, FUM_STAGE_PROMPT, &err), FUM_ERR_ARG);
    assert_non_null(strstr(err.text, "words"));
    assert_int_equal(fum_executable_write(exe, prompt, data, 24, &err), FUM_OK);
    assert_int_equal(fum_executable_run(exe, FUM_STAGE_PROMPT, &err), FUM_OK);
    assert_int_equal(fum_executable_write(exe, x, data, 24, &err), FUM_OK);
    assert_int_equal(fum_executable_run(exe, FUM_STAGE_STEP, &err), FUM_ERR_ARG);
    assert_non_null(strstr(err.text, "kept"));
    assert_int_equal(fum_executable_write(exe, kept, data, 24, &err), FUM_OK);
    for (int run = 0; run < 2; run++) {
        if (fum_executable_run(exe, FUM_STAGE_STEP, &err) ||
            fum_executable_read(exe, y, out, 24, &err))
            fail_msg("%s", err.text);
        for (int i = 0; i < 24; i++) assert_true(out[i] == 3 * data[i]);
    }
    fum_executable_destroy(&exe);
    fum_graph_destroy(&g);
}

// A node with an automatic name is described by the value that it is computed from.
static void the_first_bad_value_has_a_name_to_look_for(void **state) {
    fum_device *device = *state;
    struct fum_error err = {0};
    fum_graph *g = NULL;
    fum_executable *exe = NULL;
    const char *node = NULL;
    const float data[4] = {1, 2, 1000, 3};
    fum_graph_create(&g, FUM_F32, NULL);
    fum_tensor *x =
        fum_graph_input(g, "logarithm", (struct fum_shape){1, {4}}, FUM_F32, FUM_STAGE_STEP);
    fum_tensor *y = add(g, "exp", FUM_INPUTS(add(g, "relu", FUM_INPUTS(x), NULL)), NULL);
    fum_graph_output(g, y, "y");
    if (fum_executable_create(&exe, g, device, NULL, &err) ||
        fum_executable_write(exe, x, data, 4, &err) ||
        fum_executable_first_nonfinite(exe, FUM_STAGE_STEP, &node, &err))
        fail_msg("%s", err.text);
    assert_non_null(node);
    assert_non_null(strstr(node, "exp#"));
    assert_non_null(strstr(node, ", computed from logarithm"));
    fum_executable_destroy(&exe);
    fum_graph_destroy(&g);
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
        cmocka_unit_test(executables_match_the_interpreter),
        cmocka_unit_test(bad_weights_are_refused),
        cmocka_unit_test(rewritten_weights_are_as_those_of_a_fresh_store),
        cmocka_unit_test(a_norm_reads_parts_of_a_concatenation),
        cmocka_unit_test(slices_of_whole_rows_are_views),
        cmocka_unit_test(wrong_use_is_refused),
        cmocka_unit_test(inputs_that_were_never_written_are_refused_by_name),
        cmocka_unit_test(the_first_bad_value_has_a_name_to_look_for)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
