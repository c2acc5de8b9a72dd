// SPDX-License-Identifier: MIT
// Rewriting rules, each alone: how often it applies to a small graph, and that the numbers stay.

#include "test.h"

#include <math.h>

#include "base/macros.h"
#include "graph/dump.h"
#include "graph/fuse/rule.h"
#include "graph/interp.h"
#include "graph/passes.h"
#include "weights/packing.h"

enum { MAX_TENSORS = 8 };

// A graph, its inputs, and its weights as a model's files have them.
struct net {
    fum_graph *g;
    fum_tensor *inputs[MAX_TENSORS];
    int num_inputs;
    struct {
        const char *name;
        struct fum_view view;
    } weights[MAX_TENSORS];
    int num_weights;
};

static float *numbers(int64_t count, unsigned seed) {
    float *f = fum_alloc((size_t)count, sizeof *f);
    assert_non_null(f);
    for (int64_t i = 0; i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        f[i] = (float)(seed >> 8) / (float)(1 << 24) - 0.5f;
    }
    return f;
}

static struct fum_shape shape(int rank, int64_t a, int64_t b, int64_t c, int64_t d) {
    return (struct fum_shape){rank, {a, b, c, d}};
}

static fum_tensor *input(struct net *n, struct fum_shape s) {
    fum_tensor *t = fum_graph_input(n->g, "input", s, FUM_F32, FUM_STAGE_STEP);
    n->inputs[n->num_inputs++] = t;
    return t;
}

// Adds a weight with random numbers in its file's shape.
static fum_tensor *weight(struct net *n, const char *name, struct fum_shape s, enum fum_pack pack) {
    struct fum_view *view = &n->weights[n->num_weights].view;
    *view = fum_packing_of(pack)->file_view(&s);
    view->dtype = FUM_F32;
    view->data = numbers((int64_t)fum_view_count(view), (unsigned)n->num_weights + 7);
    n->weights[n->num_weights++].name = name;
    return fum_graph_weight(n->g, name, s, pack);
}

static bool find_weight(void *user, const char *name, struct fum_view *view) {
    const struct net *n = user;
    for (int i = 0; i < n->num_weights; i++) {
        if (strcmp(n->weights[i].name, name)) continue;
        *view = n->weights[i].view;
        return true;
    }
    return false;
}

// Adds an op with up to six inputs and one setting.
static fum_tensor *op(struct net *n, const char *name, fum_tensor *const in[6], const char *attr,
                      double value) {
    int count = 6;
    while (count && !in[count - 1]) count--;
    const struct fum_attr attrs[] = {{attr, value}, {0}};
    return fum_graph_add(n->g, name, NULL, (struct fum_inputs){in, count}, attrs);
}

#define IN(...) ((fum_tensor *const[6]){__VA_ARGS__})

static fum_tensor *unary(struct net *n, const char *name, fum_tensor *x) {
    return op(n, name, IN(x), NULL, 0);
}

static fum_tensor *add(struct net *n, fum_tensor *a, fum_tensor *b) {
    return op(n, "add", IN(a, b), NULL, 0);
}

static fum_tensor *image(struct net *n, int64_t channels) {
    return input(n, shape(4, 2, 12, 16, channels));
}

static fum_tensor *conv(struct net *n, fum_tensor *x) {
    int64_t c = fum_shape_channels(&x->desc.shape);
    fum_tensor *w = weight(n, "conv", shape(4, 3, 3, c, 32), FUM_PACK_CONV);
    return op(n, "conv2d", IN(x, w), "pad", 1);
}

// Adds a product of tokens, to 2 `width` columns.
static fum_tensor *product(struct net *n, int64_t width) {
    fum_tensor *x = input(n, shape(3, 2, 6, 32, 0));
    fum_tensor *w = weight(n, "linear", shape(2, 32, 2 * width, 0, 0), FUM_PACK_LINEAR);
    return op(n, "matmul", IN(x, w), NULL, 0);
}

static fum_tensor *norm(struct net *n, fum_tensor *x) {
    struct fum_shape line = shape(1, fum_shape_channels(&x->desc.shape), 0, 0, 0);
    fum_tensor *in[6] = {x, weight(n, "gamma", line, FUM_PACK_NONE),
                         weight(n, "beta", line, FUM_PACK_NONE)};
    return op(n, "group_norm", in, "groups", 4);
}

static void output(struct net *n, fum_tensor *t) {
    fum_graph_output(n->g, t, "out");
}

// ---- graphs ----

static void gated(struct net *n) {
    output(n, unary(n, "geglu", product(n, 32)));
}

static void gated_then_residual(struct net *n) {
    fum_tensor *y = unary(n, "geglu", product(n, 32));
    output(n, add(n, y, input(n, shape(3, 2, 6, 32, 0))));
}

static void gated_and_read_elsewhere(struct net *n) {
    fum_tensor *p = product(n, 32);
    output(n, p);
    output(n, unary(n, "geglu", p));
}

static void gated_with_residual(struct net *n) {
    fum_tensor *x = input(n, shape(3, 2, 6, 32, 0)), *r = input(n, shape(3, 2, 6, 64, 0));
    fum_tensor *w = weight(n, "linear", shape(2, 32, 64, 0, 0), FUM_PACK_LINEAR);
    output(n, unary(n, "geglu", op(n, "matmul", IN(x, w, NULL, NULL, r), NULL, 0)));
}

// Half of 12 channels is no multiple of 8 columns.
static void gated_narrow(struct net *n) {
    output(n, unary(n, "geglu", product(n, 6)));
}

static void row_activation_residual(struct net *n) {
    fum_tensor *x = image(n, 32), *row = input(n, shape(4, 2, 1, 1, 32));
    fum_tensor *h = unary(n, "silu", add(n, conv(n, x), row));
    output(n, add(n, x, h));
}

static void residual_then_activation(struct net *n) {
    fum_tensor *x = image(n, 32);
    output(n, unary(n, "silu", add(n, conv(n, x), x)));
}

static void activation_then_row(struct net *n) {
    fum_tensor *x = image(n, 32), *row = input(n, shape(4, 1, 1, 1, 32));
    output(n, add(n, unary(n, "silu", conv(n, x)), row));
}

static void activation_of_output(struct net *n) {
    fum_tensor *h = conv(n, image(n, 32));
    output(n, h);
    output(n, unary(n, "silu", h));
}

static void norm_activation(struct net *n) {
    output(n, unary(n, "silu", norm(n, image(n, 32))));
}

static void doubled(struct net *n) {
    output(n, conv(n, op(n, "upsample", IN(image(n, 8)), "factor", 2)));
}

static void tripled(struct net *n) {
    output(n, conv(n, op(n, "upsample", IN(image(n, 8)), "factor", 3)));
}

static void doubled_and_read_elsewhere(struct net *n) {
    fum_tensor *up = op(n, "upsample", IN(image(n, 8)), "factor", 2);
    output(n, conv(n, up));
    output(n, unary(n, "relu", up));
}

static void norm_of_two(struct net *n) {
    output(n, norm(n, op(n, "concat", IN(image(n, 16), image(n, 16)), NULL, 0)));
}

static void norm_of_three(struct net *n) {
    output(n, norm(n, op(n, "concat", IN(image(n, 16), image(n, 8), image(n, 8)), NULL, 0)));
}

static void norm_of_two_heights(struct net *n) {
    output(n, norm(n, op(n, "concat", IN(image(n, 16), image(n, 16)), "axis", 1)));
}

static void plain_conv(struct net *n) {
    output(n, conv(n, image(n, 32)));
}

static void strided_conv(struct net *n) {
    fum_tensor *w = weight(n, "conv", shape(4, 3, 3, 32, 32), FUM_PACK_CONV);
    output(n, op(n, "conv2d", IN(image(n, 32), w), "stride", 2));
}

// Its kernel is large enough for panels.
static void large_strided_conv(struct net *n) {
    fum_tensor *w = weight(n, "conv", shape(4, 3, 3, 128, 128), FUM_PACK_CONV);
    output(n, op(n, "conv2d", IN(image(n, 128), w), "stride", 2));
}

static void convs_of_one_weight(struct net *n) {
    fum_tensor *w = weight(n, "conv", shape(4, 3, 3, 32, 32), FUM_PACK_CONV);
    fum_tensor *h = op(n, "conv2d", IN(image(n, 32), w), "pad", 1);
    output(n, op(n, "conv2d", IN(h, w), "pad", 1));
}

static bool train_none(void *user, const char *name) {
    (void)user;
    (void)name;
    return false;
}

// Adds a convolution and, by the same weight, which stays fixed, the gradient by its image.
static void conv_and_back(struct net *n, int pad) {
    const struct fum_attr flip[] = {
        {"pad", pad}, {"first", pad - 2}, {"height", 3}, {"width", 3}, {0}};
    fum_graph_train(n->g, train_none, NULL);
    fum_tensor *w = weight(n, "conv", shape(4, 3, 3, 32, 64), FUM_PACK_CONV);
    fum_tensor *h = op(n, "conv2d", IN(image(n, 32), w), "pad", pad);
    w = fum_graph_add(n->g, "conv2d_gradient_kernel", NULL, FUM_INPUTS(w), flip);
    output(n, op(n, "conv2d", IN(h, w), "pad", 2 - pad));
}

static void fixed_conv(struct net *n) {
    conv_and_back(n, 1);
}

static void fixed_conv_without_padding(struct net *n) {
    conv_and_back(n, 0);
}

static void plain_product(struct net *n) {
    output(n, product(n, 32));
}

// Adds a product and the gradient by its input.
static void product_and_back(struct net *n) {
    fum_tensor *w = weight(n, "back", shape(2, 32, 48, 0, 0), FUM_PACK_LINEAR);
    fum_tensor *h = op(n, "matmul", IN(input(n, shape(2, 9, 32, 0, 0)), w), NULL, 0);
    output(n, op(n, "matmul", IN(h, w), "transpose_b", 1));
}

static void fixed_product(struct net *n) {
    fum_graph_train(n->g, train_none, NULL);
    product_and_back(n);
}

static void quantised_product(struct net *n) {
    fum_graph_quantise(n->g, "q8_0");
    plain_product(n);
}

// 32 inputs are no whole block, for which q8_0 stands in.
static void quantised_fallback(struct net *n) {
    fum_graph_quantise(n->g, "q5_K");
    plain_product(n);
}

// Only q8_0 has kernels of convolutions.
static void quantised_other_conv(struct net *n) {
    fum_graph_quantise(n->g, "q4_0");
    plain_conv(n);
}

static void quantised_conv(struct net *n) {
    fum_graph_quantise(n->g, "q8_0");
    plain_conv(n);
}

// 48 inputs are no whole blocks.
static void quantised_narrow(struct net *n) {
    fum_graph_quantise(n->g, "q8_0");
    fum_tensor *w = weight(n, "conv", shape(4, 3, 3, 48, 32), FUM_PACK_CONV);
    output(n, op(n, "conv2d", IN(image(n, 48), w), "pad", 1));
}

static fum_tensor *winograd(struct net *n, fum_tensor *x) {
    const struct fum_desc points = {shape(3, 16, 32, 32, 0), FUM_F32};
    fum_tensor *w = weight(n, "taps", shape(4, 3, 3, 32, 32), FUM_PACK_CONV);
    w = fum_graph_repack(n->g, w, &points, &fum_packing_winograd);
    return op(n, "conv2d_winograd", IN(x, w), "pad", 1);
}

static void winograd_of_norm(struct net *n) {
    fum_tensor *h = norm(n, image(n, 32));
    h->attr[fum_op_attr_index(h->op, "act")] = FUM_ACT_SILU;
    output(n, winograd(n, h));
}

// The norm reads both parts, and the convolution reads their concatenation, dead as it is.
static void winograd_of_joined_norm(struct net *n) {
    fum_tensor *a = image(n, 16), *b = image(n, 16);
    fum_tensor *h = norm(n, op(n, "concat", IN(a, b), NULL, 0));
    h->in[0] = a;
    h->in[fum_input_read_of(h)->second_input] = b;
    output(n, winograd(n, h));
}

static void winograd_of_kept_norm(struct net *n) {
    fum_tensor *h = norm(n, image(n, 32));
    output(n, h);
    output(n, winograd(n, h));
}

static void conv_of_norm(struct net *n) {
    output(n, conv(n, norm(n, image(n, 32))));
}

// Adds a slice of one of four lines of eight elements, or of columns.
static void sliced(struct net *n, fum_tensor *x, int axis, int start) {
    const struct fum_attr attrs[] = {{"axis", axis}, {"start", start}, {"count", 1}, {0}};
    output(n, fum_graph_add(n->g, "slice", NULL, FUM_INPUTS(x), attrs));
}

static void aligned_slice(struct net *n) {
    sliced(n, unary(n, "relu", input(n, shape(2, 4, 8, 0, 0))), 0, 2);
}

static void unaligned_slice(struct net *n) {
    sliced(n, unary(n, "relu", input(n, shape(2, 4, 8, 0, 0))), 0, 1);
}

static void slice_of_columns(struct net *n) {
    sliced(n, unary(n, "relu", input(n, shape(2, 4, 8, 0, 0))), 1, 0);
}

static void slice_of_input(struct net *n) {
    sliced(n, input(n, shape(2, 4, 8, 0, 0)), 0, 2);
}

// ---- what each rule makes of them ----

static const struct {
    const char *rule;
    void (*build)(struct net *n);
    int rewritten;
    const char *op; // of the last node afterwards
    double bound;   // largest difference of an element; 0: 1e-5
} cases[] = {
    {"gate", gated, 1, "matmul", 0},
    {"gate", gated_then_residual, 1, "add", 0},
    {"gate", gated_and_read_elsewhere, 0, "geglu", 0},
    {"gate", gated_with_residual, 0, "geglu", 0},
    {"gate", gated_narrow, 0, "geglu", 0},
    {"epilogue", row_activation_residual, 3, "conv2d", 0},
    {"epilogue", residual_then_activation, 1, "silu", 0},
    {"epilogue", activation_then_row, 1, "add", 0},
    {"epilogue", activation_of_output, 0, "silu", 0},
    {"epilogue", norm_activation, 1, "group_norm", 0},
    {"epilogue", gated_then_residual, 0, "add", 0},
    {"upsample", doubled, 1, "conv2d", 0},
    {"upsample", tripled, 0, "conv2d", 0},
    {"upsample", doubled_and_read_elsewhere, 0, "relu", 0},
    {"concat", norm_of_two, 1, "group_norm", 0},
    {"concat", norm_of_three, 0, "group_norm", 0},
    {"concat", norm_of_two_heights, 0, "group_norm", 0},
    {"lower", plain_conv, 1, "conv2d_winograd", 0},
    {"lower", strided_conv, 0, "conv2d", 0},
    {"lower", large_strided_conv, 1, "conv2d", 1e-4},
    {"lower", convs_of_one_weight, 0, "conv2d", 0},
    {"lower", fixed_conv, 2, "conv2d_winograd", 1e-3},
    {"lower", fixed_conv_without_padding, 0, "conv2d", 0},
    {"lower", plain_product, 0, "matmul", 0},
    {"lower", fixed_product, 1, "matmul", 0},
    {"lower", product_and_back, 0, "matmul", 0},
    {"quantise", quantised_product, 1, "matmul", 2e-2},
    {"quantise", quantised_fallback, 1, "matmul", 2e-2},
    {"quantise", quantised_other_conv, 0, "conv2d", 0},
    {"quantise", quantised_conv, 1, "conv2d", 5e-2},
    {"quantise", quantised_narrow, 0, "conv2d", 0},
    {"quantise", plain_product, 0, "matmul", 0},
    {"norm", winograd_of_norm, 1, "conv2d_winograd", 0},
    {"norm", winograd_of_joined_norm, 1, "conv2d_winograd", 0},
    {"norm", winograd_of_kept_norm, 0, "conv2d_winograd", 0},
    {"norm", conv_of_norm, 0, "conv2d", 0},
    {"alias", aligned_slice, 1, "slice", 0},
    {"alias", unaligned_slice, 0, "slice", 0},
    {"alias", slice_of_columns, 0, "slice", 0},
    {"alias", slice_of_input, 0, "slice", 0},
};

static struct net build(void (*add_nodes)(struct net *n)) {
    struct net n = {0};
    struct fum_error err = {0};
    assert_int_equal(fum_graph_create(&n.g, FUM_F32, NULL), FUM_OK);
    add_nodes(&n);
    if (fum_graph_check(n.g, &err)) fail_msg("%s", err.text);
    return n;
}

static void destroy(struct net *n) {
    for (int i = 0; i < n->num_weights; i++) fum_free((void *)(uintptr_t)n->weights[i].view.data);
    fum_graph_destroy(&n->g);
}

static fum_tensor *last(const fum_graph *g) {
    int i = g->count - 1;
    while (g->tensors[i]->kind != FUM_TENSOR_NODE) i--;
    return g->tensors[i];
}

// Interprets what the last node of a graph needs. The graph is the net's own or a copy of it.
static fum_interp *interpret(struct net *n, const fum_graph *g) {
    const struct fum_weight_source source = {.find = find_weight, .user = n};
    struct fum_error err = {0};
    fum_interp *interp = NULL;
    if (fum_interp_create(&interp, g, &source, false, &err)) fail_msg("%s", err.text);
    for (int i = 0; i < n->num_inputs; i++) {
        const fum_tensor *t = g->tensors[n->inputs[i]->id];
        int64_t count = fum_shape_count(&t->desc.shape);
        float *data = numbers(count, (unsigned)i + 99);
        if (fum_interp_write(interp, t, data, (size_t)count, &err)) fail_msg("%s", err.text);
        fum_free(data);
    }
    if (fum_interp_run_all(interp, &err)) fail_msg("%s", err.text);
    return interp;
}

// Returns the largest difference between the last nodes of two graphs, which have the same shape.
static double largest_difference(struct net *n, const fum_graph *changed) {
    fum_interp *a = interpret(n, n->g), *b = interpret(n, changed);
    int64_t count = fum_shape_count(&last(changed)->desc.shape);
    double most = 0;
    assert_int_equal(count, fum_shape_count(&last(n->g)->desc.shape));
    for (int64_t i = 0; i < count; i++)
        most = fmax(most, fabs((double)fum_interp_read(a, last(n->g))[i] -
                               (double)fum_interp_read(b, last(changed))[i]));
    fum_interp_destroy(&a);
    fum_interp_destroy(&b);
    return most;
}

static const struct fum_rule *find_rule(const char *name) {
    const struct fum_rule *rule = fum_rules;
    while (rule->name && strcmp(rule->name, name)) rule++;
    assert_non_null(rule->name);
    return rule;
}

// A CPU whose kernels read texels, with bindings that start at multiples of 64 bytes.
static int set_up(void **state) {
    static struct fum_device_info info;
    fum_device *device = NULL;
    if (fum_device_create_planning(&device, "lavapipe", NULL)) return 1;
    info = *fum_device_get_info(device);
    info.binding_align = 64;
    fum_device_destroy(&device);
    *state = &info;
    return 0;
}

static void each_rule_rewrites_its_pattern(void **state) {
    for (size_t i = 0; i < FUM_COUNT(cases); i++) {
        struct net n = build(cases[i].build);
        struct fum_error err = {0};
        fum_graph *g = NULL;
        assert_int_equal(fum_graph_clone(&g, n.g, NULL), FUM_OK);
        fum_pass_prune(g);
        const struct fum_fuser fuser = fum_fuser_make(g, *state, NULL);
        int rewritten = fum_rule_apply(find_rule(cases[i].rule), &fuser);
        if (rewritten != cases[i].rewritten || strcmp(last(g)->op->name, cases[i].op))
            fail_msg("case %zu of rule %s: %d rewritten, %s at last", i, cases[i].rule, rewritten,
                     last(g)->op->name);
        if (fum_pass_verify(g, cases[i].rule, &err)) fail_msg("%s", err.text);
        double most = largest_difference(&n, g);
        if (!(most <= (cases[i].bound > 0 ? cases[i].bound : 1e-5)))
            fail_msg("case %zu of rule %s is %g off", i, cases[i].rule, most);
        fum_graph_destroy(&g);
        destroy(&n);
    }
}

// Checks how many points Winograd's tiles have for so many pixels, in storage of f32.
static void winograd_tiles_follow_pixels_and_bytes(void **state) {
    static const struct {
        int64_t batch, side, channels, points;
    } sizes[] = {{2, 8, 64, 16},   {1, 16, 64, 16},   {2, 16, 64, 36},
                 {1, 32, 64, 36},  {2, 16, 1280, 16}, // F(4x4)'s weight would have 225 MiB
                 {1, 32, 1280, 36}};
    for (size_t i = 0; i < FUM_COUNT(sizes); i++) {
        struct net n = {0};
        int64_t side = sizes[i].side, channels = sizes[i].channels;
        assert_int_equal(fum_graph_create(&n.g, FUM_F32, NULL), FUM_OK);
        fum_tensor *w = fum_graph_weight(n.g, "conv", shape(4, 3, 3, channels, channels),
                                         FUM_PACK_CONV),
                   *x = input(&n, shape(4, sizes[i].batch, side, side, channels));
        output(&n, op(&n, "conv2d", IN(x, w), "pad", 1));
        fum_pass_prune(n.g);
        const struct fum_fuser fuser = fum_fuser_make(n.g, *state, NULL);
        assert_int_equal(fum_rule_apply(find_rule("lower"), &fuser), 1);
        assert_int_equal(last(n.g)->in[1]->desc.shape.dim[0], sizes[i].points);
        destroy(&n);
    }
}

// ---- all rules ----

static void everything(struct net *n) {
    fum_tensor *a = image(n, 16), *b = image(n, 16), *row = input(n, shape(4, 1, 1, 1, 32));
    fum_tensor *both = op(n, "concat", IN(a, b), NULL, 0);
    fum_tensor *h = unary(n, "silu", norm(n, both));
    h = add(n, add(n, conv(n, h), row), both);
    fum_tensor *w = weight(n, "second", shape(4, 3, 3, 32, 32), FUM_PACK_CONV);
    h = op(n, "conv2d", IN(op(n, "upsample", IN(h), "factor", 2), w), "pad", 1);
    sliced(n, h, 0, 1);
}

struct seen {
    char rules[128];
    const fum_graph *g;
    int lines; // of the last dump
};

// Records a rule, and that the graph has no more live tensors than before it.
static enum fum_result after(void *user, const char *rule, struct fum_error *err) {
    (void)err;
    struct seen *seen = user;
    strcat(strcat(seen->rules, rule), " ");
    char *text = fum_dump_text(seen->g, NULL);
    assert_non_null(text);
    int lines = 0;
    for (const char *p = text; *p; p++) lines += *p == '\n';
    assert_true(lines <= seen->lines);
    seen->lines = lines;
    fum_free(text);
    return FUM_OK;
}

static void all_rules_together_keep_the_numbers(void **state) {
    struct net n = build(everything);
    struct fum_error err = {0};
    fum_graph *g = NULL;
    assert_int_equal(fum_graph_clone(&g, n.g, NULL), FUM_OK);
    fum_pass_prune(g);
    struct seen seen = {.g = g, .lines = g->count};
    const struct fum_fuse_params params = {.info = *state, .after = after, .user = &seen};
    if (fum_graph_fuse(g, &params, &err)) fail_msg("%s", err.text);
    assert_string_equal(seen.rules, "gate epilogue upsample concat quantise lower norm alias ");
    // Two convolutions, the first with a norm's scales and an epilogue, the second doubling.
    int convs = 0, live = 0;
    for (int i = 0; i < g->count; i++) {
        const fum_tensor *t = g->tensors[i];
        if (!t->live || t->kind != FUM_TENSOR_NODE) continue;
        live++;
        convs += !strcmp(t->op->name, "conv2d_winograd");
    }
    assert_int_equal(convs, 2);
    assert_int_equal(live, 5); // concat, scales, two convolutions, slice
    assert_true(last(g)->alias);
    assert_true(largest_difference(&n, g) < 1e-4);
    fum_graph_destroy(&g);
    destroy(&n);
}

static enum fum_result refuse(void *user, const char *rule, struct fum_error *err) {
    (void)err, (void)user;
    return strcmp(rule, "upsample") ? FUM_OK : FUM_ERR_NOMEM;
}

// An error of the callback ends the rewriting.
static void an_error_of_the_callback_ends_the_rewriting(void **state) {
    struct net n = build(plain_conv);
    fum_pass_prune(n.g);
    const struct fum_fuse_params params = {.info = *state, .after = refuse};
    assert_int_equal(fum_graph_fuse(n.g, &params, NULL), FUM_ERR_NOMEM);
    assert_string_equal(last(n.g)->op->name, "conv2d"); // not lowered any more
    destroy(&n);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_rule_rewrites_its_pattern),
        cmocka_unit_test(winograd_tiles_follow_pixels_and_bytes),
        cmocka_unit_test(all_rules_together_keep_the_numbers),
        cmocka_unit_test(an_error_of_the_callback_ends_the_rewriting)};
    return cmocka_run_group_tests(tests, set_up, NULL);
}
