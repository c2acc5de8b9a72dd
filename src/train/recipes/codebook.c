// SPDX-License-Identifier: MIT
#include "train/recipes/codebook.h"

#include <string.h>

#include "base/desc.h"
#include "graph/graph.h"

static const char name_codes[] = "quantize.embedding.weight";
// What the checkpoint keeps of the codebook's own update.
static const char name_counts[] = "optimiser.codebook.counts";
static const char name_sums[] = "optimiser.codebook.sums";
static const char name_idle[] = "optimiser.codebook.idle"; // updates since a code was used

static fum_tensor *add_op(fum_graph *graph, const char *op, fum_tensor *a, fum_tensor *b) {
    fum_tensor *in[] = {a, b};
    return fum_graph_add(graph, op, NULL, (struct fum_inputs){in, b ? 2 : 1}, NULL);
}

static fum_tensor *add_scale(fum_graph *graph, fum_tensor *x, double mul, double add) {
    const struct fum_attr attrs[] = {{"mul", mul}, {"add", add}, {0}};
    return fum_graph_add(graph, "scale", NULL, FUM_INPUTS(x), attrs);
}

static fum_tensor *add_clamp(fum_graph *graph, fum_tensor *x, double min, double max) {
    const struct fum_attr attrs[] = {{"min", min}, {"max", max}, {0}};
    return fum_graph_add(graph, "clamp", NULL, FUM_INPUTS(x), attrs);
}

static fum_tensor *add_total(fum_graph *graph, fum_tensor *x) {
    const struct fum_attr number[] = {{"rank", 1}, {"d0", 1}, {0}};
    return fum_graph_add(graph, "reduce_sum", NULL, FUM_INPUTS(x), number);
}

// Returns a parameter of a row for each code.
static fum_tensor *find_table(fum_graph *graph, const struct fum_codebook *c, const char *name,
                              int64_t channels) {
    struct fum_shape shape = {2, {c->network.codes, channels}};
    return fum_graph_parameter(graph, name, shape, FUM_PACK_NONE);
}

// ---- the lookup ----

// Adds the sums of rows of `values` of each code.
static fum_tensor *add_sums(struct fum_micro_batch *m, const struct fum_codebook *c,
                            fum_tensor *codes, fum_tensor *values) {
    const struct fum_attr rows[] = {{"rows", c->network.codes}, {0}};
    return fum_graph_add(m->graph, "embedding_gradient", NULL, FUM_INPUTS(codes, values), rows);
}

// Adds a 1 for each of the encoder's outputs, [batch, height, width, 1].
static fum_tensor *add_ones(struct fum_micro_batch *m, fum_tensor *z) {
    static const float one = 1;
    struct fum_shape shape = fum_tensor_shape(z);
    const struct fum_attr repeat[] = {{"rank", 4},
                                      {"d0", (double)shape.dim[0]},
                                      {"d1", (double)shape.dim[1]},
                                      {"d2", (double)shape.dim[2]},
                                      {"d3", 1},
                                      {0}};
    fum_tensor *number = fum_graph_constant(m->graph, "one", (struct fum_shape){1, {1}}, &one);
    return fum_graph_add(m->graph, "broadcast", NULL, FUM_INPUTS(fum_train_f32(m, number)), repeat);
}

// Adds to what the micro-batches before gave.
static fum_tensor *add_to(struct fum_micro_batch *m, fum_tensor *sum, fum_tensor *value) {
    return m->index ? fum_nn_add(&m->nn, NULL, sum, value) : value;
}

fum_tensor *fum_codebook_look_up(struct fum_micro_batch *m, struct fum_codebook *c, fum_tensor *z) {
    int channels = c->network.vae.code_channels;
    fum_tensor *table = find_table(m->graph, c, name_codes, channels);
    fum_tensor *codes = add_op(m->graph, "nearest_row", add_op(m->graph, "stop_gradient", z, NULL),
                               add_op(m->graph, "stop_gradient", table, NULL));
    c->outputs = z;
    c->newest = add_sums(m, c, codes, add_ones(m, z));
    c->counts = add_to(m, c->counts, c->newest);
    c->sums = add_to(m, c->sums, add_sums(m, c, codes, z));
    return add_op(m->graph, "embedding", codes, table);
}

fum_tensor *fum_codebook_perplexity(struct fum_micro_batch *m, const struct fum_codebook *c) {
    struct fum_shape shape = fum_tensor_shape(c->outputs);
    double codes = (double)(m->training->part.of * shape.dim[1] * shape.dim[2]);
    fum_tensor *counts = fum_train_sum(m->training, c->newest);
    fum_tensor *share = add_scale(m->graph, counts, 1 / codes, 0);
    // A share of 0 adds 0, as the limit does.
    fum_tensor *bits = add_op(m->graph, "log", add_clamp(m->graph, share, 1e-20, 1), NULL);
    fum_tensor *entropy = add_total(m->graph, add_op(m->graph, "mul", share, bits));
    return add_op(m->graph, "exp", add_scale(m->graph, entropy, -1, 0), NULL);
}

// ---- the update ----

bool fum_codebook_excludes(const struct fum_training *t, const char *name) {
    const struct fum_codebook *c = t->config;
    return c->averaged && !strcmp(name, name_codes);
}

static fum_tensor *add_average(struct fum_training *t, fum_tensor *average, fum_tensor *value,
                               fum_tensor *factor) {
    const struct fum_codebook *c = t->config;
    const struct fum_attr decay[] = {{"decay", c->decay}, {0}};
    return fum_graph_add(t->now->graph, "ema_update", NULL, FUM_INPUTS(average, value, factor),
                         decay);
}

// Moves the averages on. Returns the codes that follow, sums / counts with Laplace smoothing.
static fum_tensor *follow_outputs(struct fum_training *t, fum_tensor *factor, fum_tensor **counts,
                                  fum_tensor **sums) {
    static const double laplace = 1e-5;
    struct fum_codebook *c = t->config;
    fum_graph *graph = t->now->graph;
    *counts = add_average(t, find_table(graph, c, name_counts, 1), c->counts, factor);
    c->sums = fum_train_sum(t, c->sums);
    *sums = add_average(t, find_table(graph, c, name_sums, c->network.vae.code_channels), c->sums,
                        factor);
    fum_tensor *total = add_total(graph, *counts);
    fum_tensor *share =
        add_op(graph, "reciprocal", add_scale(graph, total, 1, laplace * c->network.codes), NULL);
    fum_tensor *smooth = add_op(graph, "mul", add_scale(graph, *counts, 1, laplace),
                                add_op(graph, "mul", share, total));
    return add_op(graph, "mul", *sums, add_op(graph, "reciprocal", smooth, NULL));
}

// Returns rows of zeros.
static fum_tensor *add_zeros(fum_graph *graph, int64_t rows, int64_t channels) {
    static const float zero = 0;
    const struct fum_attr repeat[] = {
        {"rank", 2}, {"d0", (double)rows}, {"d1", (double)channels}, {0}};
    fum_tensor *number = fum_graph_exact_constant(graph, "zero", (struct fum_shape){1, {1}}, &zero);
    return fum_graph_add(graph, "broadcast", NULL, FUM_INPUTS(number), repeat);
}

// Returns the encoder's outputs of the last micro-batch as rows, with zeros in the places of other
// ranks' samples.
static fum_tensor *place_outputs(struct fum_training *t, const struct fum_codebook *c) {
    struct fum_nn nn;
    struct fum_shape shape = fum_tensor_shape(c->outputs);
    int64_t channels = shape.dim[3], each = shape.dim[1] * shape.dim[2];
    int64_t before = t->part.first * each, rows = t->part.count * each,
            after = t->part.of * each - before - rows;
    const struct fum_attr axis[] = {{"axis", 0}, {0}};
    fum_graph *graph = t->now->graph;
    fum_nn_init(&nn, graph, NULL);
    fum_tensor *x = fum_nn_reshape(&nn, NULL, c->outputs, (struct fum_shape){2, {rows, channels}});
    if (before)
        x = fum_graph_add(graph, "concat", NULL, FUM_INPUTS(add_zeros(graph, before, channels), x),
                          axis);
    if (after)
        x = fum_graph_add(graph, "concat", NULL, FUM_INPUTS(x, add_zeros(graph, after, channels)),
                          axis);
    return x;
}

// Adds one output of the encoder for each code, spread over the last micro-batch of all ranks.
static fum_tensor *choose_outputs(struct fum_training *t, const struct fum_codebook *c) {
    struct fum_nn nn;
    fum_nn_init(&nn, t->now->graph, NULL);
    fum_tensor *x = place_outputs(t, c);
    if (!x) return NULL;
    struct fum_shape shape = fum_tensor_shape(x);
    int64_t codes = c->network.codes, rows = shape.dim[0], channels = shape.dim[1];
    if (rows < codes) { // more codes than outputs: all again
        const struct fum_attr repeat[] = {{"rank", 3},
                                          {"d0", (double)((codes + rows - 1) / rows)},
                                          {"d1", (double)rows},
                                          {"d2", (double)channels},
                                          {0}};
        x = fum_graph_add(t->now->graph, "broadcast", NULL, FUM_INPUTS(x), repeat);
        rows *= (codes + rows - 1) / rows;
        x = fum_nn_reshape(&nn, NULL, x, (struct fum_shape){2, {rows, channels}});
    }
    int64_t step = rows / codes;
    x = fum_nn_slice(&nn, NULL, x, (struct fum_nn_range){0, 0, step * codes});
    x = fum_nn_reshape(&nn, NULL, x, (struct fum_shape){3, {codes, step, channels}});
    x = fum_nn_slice(&nn, NULL, x, (struct fum_nn_range){1, 0, 1});
    return fum_nn_reshape(&nn, NULL, x, (struct fum_shape){2, {codes, channels}});
}

// Returns x where `mask` [codes, 1] is 0, and `other` where it is 1.
static fum_tensor *replace(fum_graph *graph, fum_tensor *x, fum_tensor *other, fum_tensor *mask) {
    fum_tensor *keep = add_op(graph, "mul", x, add_scale(graph, mask, -1, 1));
    return add_op(graph, "add", keep, add_op(graph, "mul", other, mask));
}

// Counts the updates without use. Returns 1 for each code that is due to be replaced, else 0.
static fum_tensor *find_dead(struct fum_training *t, const struct fum_codebook *c) {
    fum_graph *graph = t->now->graph;
    fum_tensor *idle = find_table(graph, c, name_idle, 1);
    fum_tensor *unused = add_scale(graph, add_clamp(graph, c->counts, 0, 1), -1, 1);
    fum_tensor *now = add_op(graph, "mul", add_scale(graph, idle, 1, 1), unused);
    fum_tensor *dead = add_clamp(graph, add_scale(graph, now, 1, 1.0 - (double)c->restart), 0, 1);
    fum_tensor *alive = add_scale(graph, dead, -1, 1);
    add_op(graph, "assign", idle, add_op(graph, "mul", now, alive));
    return dead;
}

fum_tensor *fum_codebook_update(struct fum_training *t, fum_tensor *param, fum_tensor *updated,
                                fum_tensor *factor) {
    struct fum_codebook *c = t->config;
    fum_graph *graph = t->now->graph;
    fum_tensor *counts = NULL, *sums = NULL;
    if (strcmp(param->name, name_codes) || (!c->averaged && !c->restart)) return updated;
    c->counts = fum_train_sum(t, c->counts);
    if (c->averaged)
        updated = add_op(graph, "assign", param, follow_outputs(t, factor, &counts, &sums));
    if (!c->restart) return updated;
    fum_tensor *dead = find_dead(t, c), *outputs = fum_train_sum(t, choose_outputs(t, c));
    if (c->averaged) {
        add_op(graph, "assign", counts, replace(graph, counts, dead, dead));
        add_op(graph, "assign", sums, replace(graph, sums, outputs, dead));
    }
    return add_op(graph, "assign", updated, replace(graph, updated, outputs, dead));
}

// ---- the beginning ----

void fum_codebook_initialise(const struct fum_training *t, const char *name,
                             struct fum_initial *initial) {
    const struct fum_codebook *c = t->config;
    if (!strcmp(name, name_codes))
        *initial =
            (struct fum_initial){.kind = FUM_INITIAL_UNIFORM, .value = 1.0 / c->network.codes};
    if (!strcmp(name, name_counts))
        *initial = (struct fum_initial){.kind = FUM_INITIAL_CONSTANT, .value = 1};
    if (!strcmp(name, name_sums)) initial->like = name_codes;
}
