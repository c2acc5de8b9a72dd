// SPDX-License-Identifier: MIT
// The passes that turn a graph into a plan, in this order: prune, fuse, verify, plan. Each one can
// be dumped before and after (dump.h).
#ifndef FUM_GRAPH_PASSES_H
#define FUM_GRAPH_PASSES_H

#include "graph/graph.h"
#include "gpu/tuning.h"

// Marks what outputs and updated states depend on (tensor->live) and counts uses.
void fum_pass_prune(fum_graph *graph);

// Moves pointwise work and gates into the epilogue of their producer, upsampling and normalisation
// into a convolution's input read, by what the op records say they can take and what pays on the
// device. A value that is an output, or read elsewhere too, stays. Norms become their factors and
// addends per channel, slices of whole rows views of what they are slices of. An op whose weight
// pays packed otherwise is exchanged for the one that reads it so. Returns how many nodes went or
// changed so.
int fum_pass_fuse(fum_graph *graph, const struct fum_device_info *info,
                  const struct fum_tuning *tuning);

// Checks what passes rely on: inputs before their nodes, stages in order, shapes that the shape
// rules still give. `pass` names the pass that ran last, for the error.
enum fum_result fum_pass_verify(const fum_graph *graph, const char *pass, struct fum_error *err);

#endif
