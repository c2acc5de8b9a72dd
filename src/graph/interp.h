// SPDX-License-Identifier: MIT
// Runs a graph's C references on the host, node by node and in double. Slow and plain: it checks
// models without a GPU, and kernels and gradients must agree with it.
#ifndef FUM_GRAPH_INTERP_H
#define FUM_GRAPH_INTERP_H

#include "graph/graph.h"

#include "base/view.h"

typedef struct fum_interp fum_interp;

// Creates an interpreter of a graph, which must outlive it. Fails if fum_graph_check does. `source`
// gives a weight when a node first needs it, and may be NULL for a graph without weights.
// round_storage: each value is rounded to its storage type.
enum fum_result fum_interp_create(fum_interp **interp, const fum_graph *graph,
                                  const struct fum_weight_source *source, bool round_storage,
                                  struct fum_error *err);
void fum_interp_destroy(fum_interp **interp);
// Sets an input or state from dense f32 (integers as exact floats); states start as zeros.
enum fum_result fum_interp_write(fum_interp *interp, const fum_tensor *tensor, const float *data,
                                 size_t count, struct fum_error *err);
// Computes everything of `stage`, in order. Values stay until computed again.
enum fum_result fum_interp_run(fum_interp *interp, enum fum_stage stage, struct fum_error *err);
// Computes all stages in order.
enum fum_result fum_interp_run_all(fum_interp *interp, struct fum_error *err);
// Returns the dense elements of any value that has been set or computed; NULL before that. They
// belong to the interpreter.
const double *fum_interp_read(const fum_interp *interp, const fum_tensor *tensor);

#endif
