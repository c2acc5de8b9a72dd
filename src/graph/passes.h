// SPDX-License-Identifier: MIT
// The passes that turn a graph into a plan: prune, fuse (fuse/fuse.h), verify, plan (plan.h).
#ifndef FUM_GRAPH_PASSES_H
#define FUM_GRAPH_PASSES_H

#include "graph/graph.h"

// Marks what outputs and updated states depend on (tensor->live) and counts uses.
void fum_pass_prune(fum_graph *graph);

// Checks what passes rely on: inputs before their nodes, stages in order, shapes that the shape
// rules still give. `pass` names the pass that ran last, for the error.
enum fum_result fum_pass_verify(const fum_graph *graph, const char *pass, struct fum_error *err);

#endif
