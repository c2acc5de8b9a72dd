// SPDX-License-Identifier: MIT
// Adds single ops and layers with weights under the paths of the modules.
#include "nn/nn.h"

#include "graph/graph.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void fum_nn_init(struct fum_nn *nn, fum_graph *graph, const char *prefix) {
    *nn = (struct fum_nn){.graph = graph};
    if (prefix) nn->length = (size_t)snprintf(nn->path, sizeof nn->path, "%s", prefix);
    if (nn->length >= sizeof nn->path) nn->length = sizeof nn->path - 1;
}

size_t fum_nn_enter(struct fum_nn *nn, const char *fmt, ...) {
    size_t mark = nn->length, room = sizeof nn->path - mark;
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(nn->path + mark, room, fmt, args);
    va_end(args);
    // Names come from the builders, whose depth is fixed. A path that does not fit would be
    // reported as a missing weight's name.
    nn->length = n < 0 || (size_t)n + 1 >= room ? sizeof nn->path - 2 : mark + (size_t)n;
    nn->path[nn->length++] = '.';
    nn->path[nn->length] = 0;
    return mark;
}

void fum_nn_leave(struct fum_nn *nn, size_t mark) {
    nn->length = mark;
    nn->path[mark] = 0;
}

enum { FULL = FUM_NN_PATH + 64 };

// Returns the whole name of a child, without the dot of an empty one. NULL stays NULL.
static const char *full_name(const struct fum_nn *nn, const char *name, char text[FULL]) {
    if (!name) return NULL;
    int n = snprintf(text, FULL, "%s%s", nn->path, name);
    if (!*name && n > 0) text[n - 1] = 0; // the module itself: its path without the last dot
    return text;
}

static fum_tensor *add_op(struct fum_nn *nn, const char *op, const char *name, struct fum_inputs in,
                          const struct fum_attr *attrs) {
    char text[FULL];
    return fum_graph_add(nn->graph, op, full_name(nn, name, text), in, attrs);
}

fum_tensor *fum_nn_weight(struct fum_nn *nn, const char *name, const char *part,
                          struct fum_shape shape, enum fum_pack pack) {
    char text[FULL + 16];
    snprintf(text, sizeof text, "%s%s.%s", nn->path, name, part);
    return fum_graph_weight(nn->graph, text, shape, pack);
}

// Adds the weights "name.part" of several children as one stack.
static fum_tensor *weight_stack(struct fum_nn *nn, const struct fum_nn_linears *l, const char *part,
                                struct fum_shape shape, enum fum_pack pack) {
    char text[FUM_NN_STACK][FULL + 16];
    const char *list[FUM_NN_STACK];
    for (int i = 0; i < l->count; i++) {
        snprintf(text[i], sizeof text[i], "%s%s.%s", nn->path, l->names[i], part);
        list[i] = text[i];
    }
    return fum_graph_weight_stack(nn->graph, list, l->count, shape, pack);
}

static struct fum_shape vector(int64_t n) {
    return (struct fum_shape){1, {n}};
}

int64_t fum_nn_channels(const fum_tensor *x) {
    struct fum_shape shape = fum_tensor_shape(x);
    return shape.rank ? shape.dim[shape.rank - 1] : 0;
}

fum_tensor *fum_nn_unary(struct fum_nn *nn, const char *op, const char *name, fum_tensor *x) {
    return x ? add_op(nn, op, name, FUM_INPUTS(x), NULL) : NULL;
}

fum_tensor *fum_nn_add(struct fum_nn *nn, const char *name, fum_tensor *a, fum_tensor *b) {
    return a && b ? add_op(nn, "add", name, FUM_INPUTS(a, b), NULL) : NULL;
}

fum_tensor *fum_nn_mul(struct fum_nn *nn, const char *name, fum_tensor *a, fum_tensor *b) {
    return a && b ? add_op(nn, "mul", name, FUM_INPUTS(a, b), NULL) : NULL;
}

fum_tensor *fum_nn_scale(struct fum_nn *nn, const char *name, fum_tensor *x, double mul,
                         double add) {
    struct fum_attr attrs[] = {{"mul", mul}, {"add", add}, {0}};
    return x ? add_op(nn, "scale", name, FUM_INPUTS(x), attrs) : NULL;
}

fum_tensor *fum_nn_reshape(struct fum_nn *nn, const char *name, fum_tensor *x,
                           struct fum_shape shape) {
    static const char *const dims[FUM_MAX_DIMS] = {"d0", "d1", "d2", "d3"};
    struct fum_attr attrs[FUM_MAX_DIMS + 2] = {{"rank", shape.rank}};
    for (int i = 0; i < shape.rank; i++)
        attrs[i + 1] = (struct fum_attr){dims[i], (double)shape.dim[i]};
    if (!x) return NULL;
    // Rows are padded to quads, so elements may have to move if the length changes.
    int64_t old = fum_nn_channels(x), now = shape.rank ? shape.dim[shape.rank - 1] : 0;
    bool moves = old != now && (old % 4 || now % 4);
    return add_op(nn, moves ? "repack" : "reshape", name, FUM_INPUTS(x), attrs);
}

fum_tensor *fum_nn_stored(struct fum_nn *nn, fum_tensor *x) {
    if (!x || x->desc.dtype == nn->graph->storage || x->desc.dtype == FUM_I32) return x;
    return add_op(nn, "cast", NULL, FUM_INPUTS(x),
                  (struct fum_attr[]){{"dtype", nn->graph->storage}, {0}});
}

fum_tensor *fum_nn_concat(struct fum_nn *nn, const char *name, fum_tensor *a, fum_tensor *b) {
    return a && b ? add_op(nn, "concat", name, FUM_INPUTS(a, b),
                           (struct fum_attr[]){{"axis", -1}, {0}})
                  : NULL;
}

fum_tensor *fum_nn_slice(struct fum_nn *nn, const char *name, fum_tensor *x,
                         struct fum_nn_range range) {
    struct fum_attr attrs[] = {
        {"axis", range.axis}, {"start", (double)range.start}, {"count", (double)range.count}, {0}};
    return x ? add_op(nn, "slice", name, FUM_INPUTS(x), attrs) : NULL;
}

fum_tensor *fum_nn_tokens(struct fum_nn *nn, fum_tensor *image) {
    struct fum_shape s = fum_tensor_shape(image);
    return fum_nn_reshape(nn, NULL, image,
                          (struct fum_shape){3, {s.dim[0], s.dim[1] * s.dim[2], s.dim[3]}});
}

fum_tensor *fum_nn_image(struct fum_nn *nn, const char *name, fum_tensor *tokens,
                         struct fum_shape image) {
    image.dim[3] = fum_nn_channels(tokens);
    return fum_nn_reshape(nn, name, tokens, image);
}

fum_tensor *fum_nn_repeat(struct fum_nn *nn, fum_tensor *x, int64_t copies) {
    static const struct fum_attr first[] = {{"axis", 0}, {0}};
    fum_tensor *all = x;
    for (int64_t left = copies - 1; left > 0 && all;) {
        fum_tensor *in[FUM_MAX_INPUTS] = {all};
        int count = 1;
        for (; count < FUM_MAX_INPUTS && left > 0; left--) in[count++] = x;
        all = add_op(nn, "concat", NULL, (struct fum_inputs){in, count}, first);
    }
    return all;
}

// Lets the graph's adapter add to a layer's result.
static fum_tensor *adapt_layer(struct fum_nn *nn, const char *name, fum_tensor *x, fum_tensor *y) {
    char text[FULL];
    const struct fum_graph_layer layer = {full_name(nn, name, text), x, y};
    return nn->graph->adapt(nn->graph->adapt_user, nn->graph, &layer);
}

fum_tensor *fum_nn_linear(struct fum_nn *nn, const char *name, fum_tensor *x, int64_t out,
                          bool bias) {
    if (!x) return NULL;
    fum_tensor *in[3] = {x};
    in[1] = fum_nn_weight(nn, name, "weight", (struct fum_shape){2, {fum_nn_channels(x), out}},
                          FUM_PACK_LINEAR);
    if (bias) in[2] = fum_nn_weight(nn, name, "bias", vector(out), FUM_PACK_NONE);
    fum_tensor *y = add_op(nn, "matmul", name, (struct fum_inputs){in, bias ? 3 : 2}, NULL);
    return y && nn->graph->adapt ? adapt_layer(nn, name, x, y) : y;
}

// True if the results of one product for several weights can be used in place: each starts at an
// offset that every device can bind. Trainings and adapters add to each layer on its own.
static bool can_stack(const struct fum_nn *nn, const struct fum_shape *x, int64_t out) {
    if (fum_graph_is_training(nn->graph) || nn->graph->adapt) return false;
    int64_t row_bytes = (out + 3) / 4 * 4 * (int64_t)fum_dtype_size(nn->graph->storage);
    return x->rank == 3 && x->dim[0] * x->dim[1] * row_bytes % FUM_BUFFER_ALIGN == 0;
}

void fum_nn_linears(struct fum_nn *nn, const struct fum_nn_linears *l, fum_tensor *x,
                    fum_tensor **y) {
    struct fum_shape shape = fum_tensor_shape(x);
    int64_t rows = shape.dim[0] * shape.dim[1], k = fum_nn_channels(x);
    bool stacks = x && l->count > 1 && !l->apart && can_stack(nn, &shape, l->out);
    for (int i = 0; i < l->count; i++)
        y[i] = stacks ? NULL : fum_nn_linear(nn, l->names[i], x, l->out, l->bias);
    if (!stacks) return;
    fum_tensor *in[4] = {fum_nn_reshape(nn, NULL, x, (struct fum_shape){3, {1, rows, k}})};
    in[1] = weight_stack(nn, l, "weight", (struct fum_shape){2, {k, l->out}}, FUM_PACK_LINEAR);
    // A bias of each weight's own is a row for each batch.
    if (l->bias)
        in[3] = weight_stack(nn, l, "bias", (struct fum_shape){2, {1, l->out}}, FUM_PACK_NONE);
    fum_tensor *all = add_op(nn, "matmul", NULL, (struct fum_inputs){in, l->bias ? 4 : 2}, NULL);
    shape.dim[2] = l->out;
    for (int i = 0; i < l->count; i++)
        y[i] = fum_nn_reshape(nn, l->names[i],
                              fum_nn_slice(nn, NULL, all, (struct fum_nn_range){0, i, 1}), shape);
}

static fum_tensor *pointwise_conv(struct fum_nn *nn, const char *name, fum_tensor *x, int64_t out,
                                  bool bias) {
    char text[FULL + 16];
    fum_tensor *y = fum_nn_linear(nn, name, x, out, bias);
    snprintf(text, sizeof text, "%s%s.weight", nn->path, name);
    if (y && fum_graph_is_training(nn->graph)) fum_graph_mark_pointwise(nn->graph, text);
    return y;
}

// Adds the last `count` entries of an axis before the first, and the first after the last.
static fum_tensor *wrap_axis(struct fum_nn *nn, fum_tensor *x, int axis, int64_t count) {
    int64_t last = fum_tensor_shape(x).dim[axis] - count;
    fum_tensor *before = fum_nn_slice(nn, NULL, x, (struct fum_nn_range){axis, last, count}),
               *after = fum_nn_slice(nn, NULL, x, (struct fum_nn_range){axis, 0, count});
    return before && after ? add_op(nn, "concat", NULL, FUM_INPUTS(before, x, after),
                                    (struct fum_attr[]){{"axis", axis}, {0}})
                           : NULL;
}

// Adds the rows and columns that a convolution reads around a picture where the graph wraps.
static fum_tensor *wrap_borders(struct fum_nn *nn, fum_tensor *x, int pad) {
    if (nn->graph->wraps & FUM_GRAPH_HEIGHT) x = wrap_axis(nn, x, 1, pad);
    return nn->graph->wraps & FUM_GRAPH_WIDTH ? wrap_axis(nn, x, 2, pad) : x;
}

fum_tensor *fum_nn_conv(struct fum_nn *nn, const char *name, fum_tensor *x, int64_t out,
                        const struct fum_nn_conv *conv) {
    struct fum_nn_conv c = conv ? *conv : (struct fum_nn_conv){0};
    if (!c.kernel) c.kernel = 3;
    if (!c.stride) c.stride = 1;
    if (c.pad == FUM_NN_SAME)
        c.pad = (c.kernel - 1) / 2;
    else if (c.pad == FUM_NN_NO_PAD)
        c.pad = 0;
    if (!x) return NULL;
    if (c.kernel == 1 && c.stride == 1 && !c.pad && !c.pad_end)
        return pointwise_conv(nn, name, x, out, !c.no_bias);
    struct fum_shape shape = {4, {c.kernel, c.kernel, fum_nn_channels(x), out}};
    unsigned wraps = c.pad ? nn->graph->wraps : 0;
    fum_tensor *in[3] = {wraps ? wrap_borders(nn, x, c.pad) : x};
    in[1] = fum_nn_weight(nn, name, "weight", shape, FUM_PACK_CONV);
    if (!c.no_bias) in[2] = fum_nn_weight(nn, name, "bias", vector(out), FUM_PACK_NONE);
    const struct fum_attr attrs[] = {{"stride", c.stride},
                                     {"pad", wraps & FUM_GRAPH_HEIGHT ? 0 : c.pad},
                                     {"pad_end_extra", c.pad_end},
                                     {"pad_width", wraps & FUM_GRAPH_WIDTH ? 0 : c.pad},
                                     {0}};
    return add_op(nn, "conv2d", name, (struct fum_inputs){in, c.no_bias ? 2 : 3}, attrs);
}

static fum_tensor *norm(struct fum_nn *nn, const char *op, const char *name, fum_tensor *x,
                        const struct fum_attr *attrs) {
    if (!x) return NULL;
    fum_tensor *in[3] = {x};
    in[1] = fum_nn_weight(nn, name, "weight", vector(fum_nn_channels(x)), FUM_PACK_NONE);
    in[2] = fum_nn_weight(nn, name, "bias", vector(fum_nn_channels(x)), FUM_PACK_NONE);
    return add_op(nn, op, name, (struct fum_inputs){in, 3}, attrs);
}

fum_tensor *fum_nn_group_norm(struct fum_nn *nn, const char *name, fum_tensor *x, int groups,
                              double eps) {
    return norm(nn, "group_norm", name, x,
                (struct fum_attr[]){{"groups", groups}, {"eps", eps}, {0}});
}

fum_tensor *fum_nn_layer_norm(struct fum_nn *nn, const char *name, fum_tensor *x, double eps) {
    return norm(nn, "layer_norm", name, x, (struct fum_attr[]){{"eps", eps}, {0}});
}

fum_tensor *fum_nn_embedding(struct fum_nn *nn, const char *name, fum_tensor *ids, int64_t count,
                             int64_t channels) {
    if (!ids) return NULL;
    fum_tensor *in[2] = {ids};
    in[1] =
        fum_nn_weight(nn, name, "weight", (struct fum_shape){2, {count, channels}}, FUM_PACK_NONE);
    return add_op(nn, "embedding", name, (struct fum_inputs){in, 2}, NULL);
}
