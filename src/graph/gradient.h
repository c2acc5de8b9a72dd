// SPDX-License-Identifier: MIT
// Defines what an op's gradient hook gets, and what hooks share. The pass itself is
// fum_graph_gradient of include/fumarole/graph.h.
//
// The pass walks the graph as it was built, before any fusion. It adds plain nodes, which the
// passes then fuse, place and record like any others.
//
// A gradient kernel with several results writes them one after the other into its one output. Its
// hook adds a "slice" of whole rows for each of them. The fuser makes such a slice an alias, a
// range of the output, so it costs no copy.
#ifndef FUM_GRAPH_GRADIENT_H
#define FUM_GRAPH_GRADIENT_H

#include "graph/graph.h"

struct fum_gradient {
    fum_graph *graph;
    const fum_tensor *node;           // the node to differentiate, or its copy (recompute.h)
    fum_tensor *output;               // of the node
    fum_tensor *dout;                 // d loss / d its output
    bool needed[FUM_MAX_INPUTS];      // inputs whose gradient is required
    fum_tensor *grad[FUM_MAX_INPUTS]; // set by the hook: d loss / d input, for each needed one
    struct fum_why why;               // set by a hook that refuses
};

// Does the same as fum_graph_gradient, but adds to the gradients that `grads` has already, each as
// soon as its last term is computed. NULL in it: there is none yet.
bool fum_graph_add_gradient(fum_graph *graph, fum_tensor *loss, fum_tensor *const *params,
                            int count, fum_tensor **grads);

// Adds a node of the gradient, named after the differentiated node. Returns NULL after an error.
fum_tensor *fum_gradient_add(struct fum_gradient *g, const char *op, struct fum_inputs inputs,
                             const struct fum_attr *attrs);
// Adds an op of two inputs without settings: "add", "mul", "sub".
fum_tensor *fum_gradient_pair(struct fum_gradient *g, const char *op, fum_tensor *a, fum_tensor *b);
// Returns `value` times a number.
fum_tensor *fum_gradient_scale(struct fum_gradient *g, fum_tensor *value, double factor);
// Returns entries [first, first + count) of the first dimension.
fum_tensor *fum_gradient_part(struct fum_gradient *g, fum_tensor *value, int64_t first,
                              int64_t count);
// Returns the differentiated node itself, for gradients that its output gives.
fum_tensor *fum_gradient_output(const struct fum_gradient *g);
// Returns `value` in the given type.
fum_tensor *fum_gradient_cast(struct fum_gradient *g, fum_tensor *value, enum fum_dtype dtype);
// Returns one number in every element of a shape, in the type of dout.
fum_tensor *fum_gradient_fill(struct fum_gradient *g, float number, struct fum_shape shape);
// Returns `value` summed over the dimensions along which `shape` was broadcast to its shape.
fum_tensor *fum_gradient_sum_to(struct fum_gradient *g, fum_tensor *value, struct fum_shape shape);
// Returns `value` repeated up to `shape`.
fum_tensor *fum_gradient_broadcast(struct fum_gradient *g, fum_tensor *value,
                                   struct fum_shape shape);
// Returns `value` under another shape of as many elements.
fum_tensor *fum_gradient_reshape(struct fum_gradient *g, fum_tensor *value, struct fum_shape shape);

#endif
