// SPDX-License-Identifier: MIT
// Adds the products of adapters to the graph of a component.
#include "graph/graph.h"
#include "pipeline/pipeline.h"

// Adds one of the two products of an adapter, with a weight that is never quantised.
static fum_tensor *add_product(fum_graph *graph, const char *weight, fum_tensor *x, int64_t out) {
    struct fum_shape shape = fum_tensor_shape(x);
    if (!x) return NULL;
    fum_tensor *matrix = fum_graph_weight(
        graph, weight, (struct fum_shape){2, {shape.dim[shape.rank - 1], out}}, FUM_PACK_LINEAR);
    if (matrix) fum_tensor_keep_stored(matrix);
    return matrix ? fum_graph_add(graph, "matmul", NULL, FUM_INPUTS(x, matrix), NULL) : NULL;
}

static fum_tensor *adapt_layer(void *user, fum_graph *graph, const struct fum_graph_layer *layer) {
    const struct fum_component *component = user;
    struct fum_adapters_product p;
    if (!fum_adapters_find_product(component->pipe->adapters, component->name, layer->name, &p))
        return layer->y;
    struct fum_shape shape = fum_tensor_shape(layer->y);
    fum_tensor *low = add_product(graph, p.down, layer->x, p.rank),
               *change = add_product(graph, p.up, low, shape.dim[shape.rank - 1]);
    return change ? fum_graph_add(graph, "add", NULL, FUM_INPUTS(layer->y, change), NULL) : NULL;
}

void fum_component_adapt(struct fum_component *component, fum_graph *graph) {
    if (fum_adapters_have_products(component->pipe->adapters, component->name))
        fum_graph_adapt(graph, adapt_layer, component);
}
