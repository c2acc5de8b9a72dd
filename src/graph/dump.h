// SPDX-License-Identifier: MIT
// Writes a graph as text and as Graphviz, for --dump-graph.
#ifndef FUM_GRAPH_DUMP_H
#define FUM_GRAPH_DUMP_H

#include "graph/plan.h"

// Returns one line for each live value: id, name, op, inputs, changed settings, shape, type and
// stage. A plan, which may be NULL, adds its place. The caller frees the text with fum_free; NULL:
// memory is out.
char *fum_dump_text(const fum_graph *graph, const fum_plan *plan);
// Returns the same as a Graphviz digraph, with one colour for each stage.
char *fum_dump_dot(const fum_graph *graph);
// Returns the shaders that a plan runs, with their dispatches: "gemm_tiled 210, attention_tiled
// 32".
char *fum_dump_shaders(const fum_plan *plan);

#endif
