// SPDX-License-Identifier: MIT
// A step that takes a value from an earlier one in place of computing it.
#ifndef FUM_GRAPH_SHORTEN_H
#define FUM_GRAPH_SHORTEN_H

#include "graph/graph.h"

struct fum_shortcut {
    const fum_tensor *from; // a node of FUM_STAGE_STEP
    fum_tensor *to;         // what takes its place in FUM_STAGE_SHORT, computed there
    fum_tensor *cache;      // a state: updates of it are part of FUM_STAGE_STEP alone
};

// Adds FUM_STAGE_SHORT: all that FUM_STAGE_STEP updates, but for the cache. Call it when the graph
// is complete. Returns false after an error.
bool fum_graph_shorten(fum_graph *graph, const struct fum_shortcut *shortcut);

#endif
