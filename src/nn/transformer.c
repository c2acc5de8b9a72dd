// SPDX-License-Identifier: MIT
// Adds attention and the transformer over an image's pixels.
//
// Easy to get wrong: the transformer's group norm has eps 1e-6 whatever the model's norm_eps is,
// its layer norms 1e-5. The GELU gate is the second half of the feed-forward's projection.
#include "nn/nn.h"

#include "graph/graph.h"

// Returns the row of keys or values that counts.
static fum_tensor *choose_row(struct fum_nn *nn, fum_tensor *x, int64_t batch, fum_tensor *row) {
    struct fum_shape s = fum_tensor_shape(x);
    if (!x || !row || batch < 1) return x;
    x = fum_nn_reshape(nn, NULL, x,
                       (struct fum_shape){4, {s.dim[0] / batch, batch, s.dim[1], s.dim[2]}});
    return x ? fum_graph_add(nn->graph, "step_row", NULL, FUM_INPUTS(x, row), NULL) : NULL;
}

// ---- perturbations ----

// True if a part of the graph is left out here for some rows.
static bool is_perturbed(struct fum_nn *nn, enum fum_perturbed part) {
    struct fum_graph_perturbation *p = &nn->graph->perturbation;
    if (p->part != part || !p->serves(p->user, nn->path, p->seen++)) return false;
    p->matched++;
    return true;
}

static fum_tensor *rows_before(struct fum_nn *nn, fum_tensor *x) {
    return fum_nn_slice(nn, NULL, x, (struct fum_nn_range){0, 0, nn->graph->perturbation.row});
}

static fum_tensor *rows_behind(struct fum_nn *nn, fum_tensor *x) {
    struct fum_shape shape = fum_tensor_shape(x);
    int64_t row = nn->graph->perturbation.row;
    return fum_nn_slice(nn, NULL, x, (struct fum_nn_range){0, row, shape.dim[0] - row});
}

// Returns the context of those rows, of which there may be several to choose from.
static fum_tensor *context_before(struct fum_nn *nn, const struct fum_nn_transformer *t,
                                  int64_t batch) {
    struct fum_shape s = fum_tensor_shape(t->context);
    int64_t row = nn->graph->perturbation.row;
    if (!t->context || !t->context_row) return t->context ? rows_before(nn, t->context) : NULL;
    int64_t count = s.dim[0] / batch;
    fum_tensor *x = fum_nn_reshape(nn, NULL, t->context,
                                   (struct fum_shape){4, {count, batch, s.dim[1], s.dim[2]}});
    x = fum_nn_slice(nn, NULL, x, (struct fum_nn_range){1, 0, row});
    return fum_nn_reshape(nn, NULL, x, (struct fum_shape){3, {count * row, s.dim[1], s.dim[2]}});
}

static fum_tensor *join_rows(struct fum_nn *nn, fum_tensor *a, fum_tensor *b) {
    const struct fum_attr first[] = {{"axis", 0}, {0}};
    return a && b ? fum_graph_add(nn->graph, "concat", NULL, FUM_INPUTS(a, b), first) : NULL;
}

// ---- attention ----

// Adds attention whose projections are children of the module that `nn` is in. Those of one input
// are one product.
static fum_tensor *attend(struct fum_nn *nn, fum_tensor *x, const struct fum_nn_attention *a) {
    int64_t channels = fum_nn_channels(x), inner = a->inner ? a->inner : channels;
    fum_tensor *from = a->context ? a->context : x, *qkv[3];
    const char *q = a->q ? a->q : "to_q";
    const char *k = a->k ? a->k : "to_k";
    const char *v = a->v ? a->v : "to_v";
    struct fum_nn_linears of_x = {.names = {q, k, v},
                                  .count = from == x ? 3 : 1,
                                  .out = inner,
                                  .bias = a->bias,
                                  .apart = a->apart};
    struct fum_nn_linears of_context = {
        .names = {k, v}, .count = 2, .out = inner, .bias = a->bias, .apart = a->apart};
    fum_nn_linears(nn, &of_x, x, qkv);
    if (from != x) fum_nn_linears(nn, &of_context, from, qkv + 1);
    for (int i = 1; i < 3 && from != x; i++)
        qkv[i] = choose_row(nn, qkv[i], fum_tensor_shape(x).dim[0], a->context_row);
    if (!qkv[0] || !qkv[1] || !qkv[2]) return NULL;
    struct fum_attr attrs[] = {{"heads", a->heads}, {"causal", a->causal}, {0}};
    bool cut = from == x && is_perturbed(nn, FUM_PERTURB_ATTENTION);
    fum_tensor *values = cut ? rows_behind(nn, qkv[2]) : NULL;
    for (int i = 0; i < 3 && cut; i++) qkv[i] = rows_before(nn, qkv[i]);
    fum_tensor *y = fum_graph_add(nn->graph, "attention", NULL, (struct fum_inputs){qkv, 3}, attrs);
    if (cut) y = join_rows(nn, y, values);
    return fum_nn_linear(nn, a->out ? a->out : "to_out.0", y, channels, true);
}

fum_tensor *fum_nn_attention(struct fum_nn *nn, const char *name, fum_tensor *x,
                             const struct fum_nn_attention *a) {
    size_t mark = fum_nn_enter(nn, "%s", name);
    x = attend(nn, x, a);
    fum_nn_leave(nn, mark);
    return x;
}

fum_tensor *fum_nn_pixel_attention(struct fum_nn *nn, const char *name, fum_tensor *x,
                                   const struct fum_nn_pixel_attention *a) {
    size_t mark = fum_nn_enter(nn, "%s", name);
    struct fum_nn_attention attention = {
        .heads = a->heads, .inner = a->inner, .bias = true, .apart = a->apart};
    fum_graph_begin_block(nn->graph);
    bool scaled = a->output_scale != 0 && a->output_scale != 1;
    fum_tensor *h = a->groups ? fum_nn_group_norm(nn, "group_norm", x, a->groups, a->eps) : x;
    h = attend(nn, fum_nn_tokens(nn, h), &attention);
    h = fum_nn_add(nn, NULL, h, fum_nn_tokens(nn, x));
    if (scaled) h = fum_nn_scale(nn, NULL, h, 1 / a->output_scale, 0);
    h = fum_nn_image(nn, "", h, fum_tensor_shape(x));
    fum_graph_end_block(nn->graph);
    fum_nn_leave(nn, mark);
    return h;
}

static fum_tensor *feed_forward(struct fum_nn *nn, fum_tensor *x) {
    size_t mark = fum_nn_enter(nn, "ff.net");
    int64_t channels = fum_nn_channels(x);
    fum_tensor *h =
        fum_nn_unary(nn, "geglu", NULL, fum_nn_linear(nn, "0.proj", x, 8 * channels, true));
    h = fum_nn_linear(nn, "2", h, channels, true);
    fum_nn_leave(nn, mark);
    return h;
}

// Adds diffusers' BasicTransformerBlock. If x stands for copies, the result has all of them.
static fum_tensor *block(struct fum_nn *nn, int index, fum_tensor *x,
                         const struct fum_nn_transformer *t) {
    size_t mark = fum_nn_enter(nn, "transformer_blocks.%d", index);
    struct fum_nn_transformer rows = *t;
    int64_t batch = fum_tensor_shape(x).dim[0];
    bool cut = is_perturbed(nn, FUM_PERTURB_BLOCK);
    fum_tensor *kept = cut ? rows_behind(nn, x) : NULL;
    if (cut) x = rows_before(nn, x);
    if (cut) rows.context = context_before(nn, t, batch);
    t = &rows;
    fum_graph_begin_block(nn->graph);
    struct fum_nn_attention self = {.heads = t->heads,
                                    .context = t->only_cross ? t->context : NULL,
                                    .context_row = t->context_row};
    struct fum_nn_attention cross = {
        .heads = t->heads, .context = t->context, .context_row = t->context_row};
    fum_tensor *h = fum_nn_attention(nn, "attn1", fum_nn_layer_norm(nn, "norm1", x, 1e-5), &self);
    x = fum_nn_repeat(nn, fum_nn_add(nn, NULL, h, x), t->copies);
    h = fum_nn_attention(nn, "attn2", fum_nn_layer_norm(nn, "norm2", x, 1e-5), &cross);
    x = fum_nn_add(nn, NULL, h, x);
    h = feed_forward(nn, fum_nn_layer_norm(nn, "norm3", x, 1e-5));
    x = fum_nn_add(nn, "", h, x);
    fum_graph_end_block(nn->graph);
    fum_nn_leave(nn, mark);
    return cut ? join_rows(nn, x, kept) : x;
}

fum_tensor *fum_nn_transformer(struct fum_nn *nn, const char *name, fum_tensor *x,
                               const struct fum_nn_transformer *t) {
    size_t mark = fum_nn_enter(nn, "%s", name);
    struct fum_nn_transformer next = *t;
    // As in diffusers, the blocks are as wide as whole heads; channels left over end at the
    // projections.
    int64_t channels = fum_nn_channels(x), inner = channels / t->heads * t->heads;
    fum_graph_begin_block(nn->graph);
    fum_tensor *h = fum_nn_tokens(nn, fum_nn_group_norm(nn, "norm", x, t->groups, 1e-6));
    h = fum_nn_linear(nn, "proj_in", h, inner, true);
    fum_graph_end_block(nn->graph);
    for (int i = 0; i < t->depth; i++) {
        h = block(nn, i, h, &next);
        next.copies = 1;
    }
    h = fum_nn_repeat(nn, h, next.copies);
    x = fum_nn_repeat(nn, x, t->copies);
    // Added as tokens, where a pass can make the residual the projection's epilogue.
    h = fum_nn_add(nn, NULL, fum_nn_linear(nn, "proj_out", h, channels, true),
                   fum_nn_tokens(nn, x));
    h = fum_nn_image(nn, "", h, fum_tensor_shape(x));
    fum_nn_leave(nn, mark);
    return h;
}
