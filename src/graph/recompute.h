// SPDX-License-Identifier: MIT
// Computes values of the forward half again, block by block, where its gradient reads them
// (fum_graph_checkpoint).
#ifndef FUM_GRAPH_RECOMPUTE_H
#define FUM_GRAPH_RECOMPUTE_H

#include "graph/graph.h"

struct fum_recompute {
    fum_graph *graph;
    int count;            // nodes of the graph before any was added
    enum fum_stage stage; // of the gradient
    bool *leaves;         // by id: read outside of its block; NULL: nothing is computed again
    // The copy of each node, and what stands for its value in the block; NULL until that is added.
    fum_tensor **twins, **values;
};

// Prepares for the gradient of `loss`. Returns false without memory.
bool fum_recompute_begin(struct fum_recompute *recompute, fum_graph *graph, const fum_tensor *loss);
void fum_recompute_end(struct fum_recompute *recompute);
// Adds the node's block again, unless that is done or there is none. Returns false after an error.
bool fum_recompute_block(struct fum_recompute *recompute, const fum_tensor *node);
// Returns the node with the inputs that its gradient reads: its copy, or the node itself.
fum_tensor *fum_recompute_twin(const struct fum_recompute *recompute, const fum_tensor *node);
// Returns the output of the node that its gradient reads.
fum_tensor *fum_recompute_value(const struct fum_recompute *recompute, const fum_tensor *node);

#endif
