// SPDX-License-Identifier: MIT
// Adds the nodes of a gradient to a graph: reverse mode, from the loss down to the parameters.
#include "graph/gradient.h"

#include "graph/recompute.h"

#include <stdio.h>

struct reverse {
    fum_graph *graph;
    int count;          // nodes of the graph before any was added
    bool *reached;      // by id: depends on a parameter
    fum_tensor **grads; // by id: d loss / d value, NULL while unknown
    struct fum_recompute recompute;
};

fum_tensor *fum_gradient_add(struct fum_gradient *g, const char *op, struct fum_inputs inputs,
                             const struct fum_attr *attrs) {
    char name[256];
    snprintf(name, sizeof name, "%s.gradient", g->node->name);
    return fum_graph_add(g->graph, op, name, inputs, attrs);
}

fum_tensor *fum_gradient_pair(struct fum_gradient *g, const char *op, fum_tensor *a,
                              fum_tensor *b) {
    return fum_gradient_add(g, op, FUM_INPUTS(a, b), NULL);
}

fum_tensor *fum_gradient_scale(struct fum_gradient *g, fum_tensor *value, double factor) {
    const struct fum_attr attrs[] = {{"mul", factor}, {0}};
    return fum_gradient_add(g, "scale", FUM_INPUTS(value), attrs);
}

fum_tensor *fum_gradient_part(struct fum_gradient *g, fum_tensor *value, int64_t first,
                              int64_t count) {
    const struct fum_attr attrs[] = {
        {"axis", 0}, {"start", (double)first}, {"count", (double)count}, {0}};
    return fum_gradient_add(g, "slice", FUM_INPUTS(value), attrs);
}

fum_tensor *fum_gradient_output(const struct fum_gradient *g) {
    return g->output;
}

static fum_tensor *add_shaped(struct fum_gradient *g, const char *op, fum_tensor *value,
                              const struct fum_shape *shape) {
    const struct fum_attr attrs[] = {{"rank", shape->rank},         {"d0", (double)shape->dim[0]},
                                     {"d1", (double)shape->dim[1]}, {"d2", (double)shape->dim[2]},
                                     {"d3", (double)shape->dim[3]}, {0}};
    return fum_gradient_add(g, op, FUM_INPUTS(value), attrs);
}

// Returns the value in the given type.
static fum_tensor *cast_to(fum_graph *graph, fum_tensor *value, enum fum_dtype dtype) {
    const struct fum_attr attrs[] = {{"dtype", dtype}, {0}};
    if (!value || value->desc.dtype == dtype) return value;
    return fum_graph_add(graph, "cast", NULL, FUM_INPUTS(value), attrs);
}

fum_tensor *fum_gradient_cast(struct fum_gradient *g, fum_tensor *value, enum fum_dtype dtype) {
    return cast_to(g->graph, value, dtype);
}

fum_tensor *fum_gradient_fill(struct fum_gradient *g, float number, struct fum_shape shape) {
    if (!g->dout) return NULL;
    fum_tensor *one = fum_graph_constant(g->graph, "number", (struct fum_shape){1, {1}}, &number);
    return fum_gradient_broadcast(g, cast_to(g->graph, one, g->dout->desc.dtype), shape);
}

fum_tensor *fum_gradient_sum_to(struct fum_gradient *g, fum_tensor *value, struct fum_shape shape) {
    if (!value || fum_shape_same(&value->desc.shape, &shape)) return value;
    return add_shaped(g, "reduce_sum", value, &shape);
}

fum_tensor *fum_gradient_broadcast(struct fum_gradient *g, fum_tensor *value,
                                   struct fum_shape shape) {
    if (!value || fum_shape_same(&value->desc.shape, &shape)) return value;
    return add_shaped(g, "broadcast", value, &shape);
}

fum_tensor *fum_gradient_reshape(struct fum_gradient *g, fum_tensor *value,
                                 struct fum_shape shape) {
    if (!value || fum_shape_same(&value->desc.shape, &shape)) return value;
    int64_t old = fum_shape_channels(&value->desc.shape), now = fum_shape_channels(&shape);
    bool stays = old == now || (old % 4 == 0 && now % 4 == 0);
    return add_shaped(g, stays ? "reshape" : "repack", value, &shape);
}

// Adds one more term to the gradient of a value.
static bool accumulate(struct reverse *r, const fum_tensor *value, fum_tensor *term) {
    fum_tensor **sum = &r->grads[value->id];
    fum_tensor *terms[] = {*sum, cast_to(r->graph, term, value->desc.dtype)};
    char name[256];
    snprintf(name, sizeof name, "%s.gradient", value->name);
    *sum = terms[0] && terms[1]
               ? fum_graph_add(r->graph, "add", name, (struct fum_inputs){terms, 2}, NULL)
               : terms[1];
    return *sum != NULL;
}

static bool differentiate(struct reverse *r, const fum_tensor *node) {
    if (!fum_recompute_block(&r->recompute, node)) return false;
    struct fum_gradient g = {.graph = r->graph,
                             .node = fum_recompute_twin(&r->recompute, node),
                             .output = fum_recompute_value(&r->recompute, node),
                             .dout = r->grads[node->id]};
    for (int i = 0; i < node->num_inputs; i++)
        g.needed[i] = node->in[i] && r->reached[node->in[i]->id];
    if (!node->op->gradient)
        return fum_graph_fail(r->graph, FUM_ERR_ARG, "%s: op %s has no gradient", node->name,
                              node->op->name);
    if (!node->op->gradient(&g))
        return fum_graph_fail(r->graph, FUM_ERR_ARG, "%s: no gradient of op %s: %s", node->name,
                              node->op->name, g.why.text);
    for (int i = 0; i < node->num_inputs; i++) {
        if (!g.needed[i]) continue;
        if (!g.grad[i])
            return fum_graph_fail(r->graph, FUM_ERR_ARG,
                                  "%s: op %s has no gradient of its input %d", node->name,
                                  node->op->name, i);
        if (!accumulate(r, node->in[i], g.grad[i])) return false;
    }
    return true;
}

// Marks what depends on a parameter. The result of an update is a new beginning, as is that of an
// op which stops the gradient: nothing is differentiated through them.
static void mark_reached(struct reverse *r, fum_tensor *const *params, int count) {
    for (int i = 0; i < count; i++) r->reached[params[i]->id] = true;
    for (int i = 0; i < r->count; i++) {
        const fum_tensor *t = r->graph->tensors[i];
        if (t->kind != FUM_TENSOR_NODE || t->op->updates || t->op->flags & FUM_OP_STOPS_GRADIENT)
            continue;
        for (int k = 0; k < t->num_inputs; k++)
            if (t->in[k] && r->reached[t->in[k]->id]) r->reached[i] = true;
    }
}

static fum_tensor *seed(fum_graph *graph, const fum_tensor *loss) {
    const float one = 1;
    fum_tensor *ones = fum_graph_constant(graph, "one", loss->desc.shape, &one);
    return cast_to(graph, ones, loss->desc.dtype);
}

// True if one of the node's inputs depends on a parameter. What computes a parameter does not
// count.
static bool reads_reached(const struct reverse *r, const fum_tensor *node) {
    for (int i = 0; i < node->num_inputs; i++)
        if (node->in[i] && r->reached[node->in[i]->id]) return true;
    return false;
}

static bool add_gradients(struct reverse *r, const fum_tensor *loss) {
    if (!(r->grads[loss->id] = seed(r->graph, loss))) return false;
    for (int i = loss->id; i >= 0; i--) {
        const fum_tensor *t = r->graph->tensors[i];
        if (t->kind != FUM_TENSOR_NODE || !r->reached[i] || !r->grads[i]) continue;
        if (reads_reached(r, t) && !differentiate(r, t)) return false;
    }
    return true;
}

bool fum_graph_gradient(fum_graph *graph, fum_tensor *loss, fum_tensor *const *params, int count,
                        fum_tensor **grads) {
    for (int i = 0; i < count; i++) grads[i] = NULL;
    return fum_graph_add_gradient(graph, loss, params, count, grads);
}

bool fum_graph_add_gradient(fum_graph *graph, fum_tensor *loss, fum_tensor *const *params,
                            int count, fum_tensor **grads) {
    struct reverse r = {.graph = graph, .count = graph->count};
    if (graph->error.code) return false;
    for (int i = 0; i < count; i++)
        if (!params[i])
            return fum_graph_fail(graph, FUM_ERR_ARG, "the gradient of nothing was requested");
    if (!loss || fum_shape_count(&loss->desc.shape) != 1)
        return fum_graph_fail(graph, FUM_ERR_ARG, "%s: a loss must be one number",
                              loss ? loss->name : "loss");
    r.reached = fum_calloc((size_t)r.count, sizeof *r.reached);
    r.grads = fum_calloc((size_t)r.count, sizeof *r.grads);
    bool done = r.reached && r.grads && fum_recompute_begin(&r.recompute, graph, loss);
    if (!done) fum_graph_fail(graph, FUM_ERR_NOMEM, "no memory for a gradient");
    for (int i = 0; i < count && done; i++) r.grads[params[i]->id] = grads[i];
    if (done) mark_reached(&r, params, count);
    if (done) done = add_gradients(&r, loss);
    for (int i = 0; i < count && done; i++) {
        bool depends = r.grads[params[i]->id] != grads[i];
        grads[i] = r.grads[params[i]->id];
        if (!depends)
            done = fum_graph_fail(graph, FUM_ERR_ARG, "%s does not depend on %s", loss->name,
                                  params[i]->name);
    }
    fum_recompute_end(&r.recompute);
    fum_free(r.reached);
    fum_free(r.grads);
    return done;
}
