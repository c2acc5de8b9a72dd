// SPDX-License-Identifier: MIT
// The graph in words and as Graphviz, for --dump-graph.
#ifndef FUM_GRAPH_DUMP_H
#define FUM_GRAPH_DUMP_H

#include "graph/plan.h"

// One line per live value: id, name, op, inputs, settings that are not default, shape, type, stage
// and, with a plan (may be NULL), its place. The text is the caller's, freed with fum_free; NULL
// when memory is out.
char *fum_dump_text(const fum_graph *graph, const fum_plan *plan);
// The same as a Graphviz digraph, one colour for each stage.
char *fum_dump_dot(const fum_graph *graph);
// Which shaders a plan runs, with their dispatches: "gemm_tiled 210, attention_tiled 32". For the
// log.
char *fum_dump_shaders(const fum_plan *plan);

#endif
