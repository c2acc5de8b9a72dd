// SPDX-License-Identifier: MIT
// The plan: in which order nodes run in each stage, where every value lies, and what is dispatched.
// Plain data, made from the graph and a device's limits alone, so that a planning-only device can
// be planned for.
#ifndef FUM_GRAPH_PLAN_H
#define FUM_GRAPH_PLAN_H

#include "graph/graph.h"

// Where a value lies. Weights and constants lie in stores of their own and have block -1.
struct fum_place {
    int block;
    uint64_t offset, bytes;
};

struct fum_plan_step {
    const fum_tensor *node;
    struct fum_dispatch *dispatches; // the plan's
    int count;
    struct fum_place scratch; // block -1: none
    double flops;
};

// Immutable once made. Values of one stage share memory where their lifetimes do not overlap;
// inputs, states, outputs and values that a later stage reads keep theirs.
typedef struct fum_plan {
    fum_arena *arena;
    struct fum_plan_step *steps; // stage by stage
    int num_steps;
    int stage_begin[FUM_STAGE_COUNT + 1]; // steps of stage s: [stage_begin[s], stage_begin[s + 1])
    struct fum_place *places;             // by tensor id; a view's lies in its root's
    uint64_t *block_bytes;                // each within max_buffer and max_allocation
    int num_blocks;
    uint64_t unshared_bytes; // what the same values would take without sharing
} fum_plan;

// Plans a graph that has been pruned and verified. tuning (see gpu/tuning.h) may be NULL.
// FUM_ERR_UNSUPPORTED names the node that the device's limits refuse.
enum fum_result fum_plan_create(fum_plan **plan, const fum_graph *graph,
                                const struct fum_device_info *info, const struct fum_tuning *tuning,
                                struct fum_error *err);
void fum_plan_destroy(fum_plan **plan);

// Checks the plan: no two values alive at once overlap, every binding is within the limits and its
// value.
enum fum_result fum_plan_verify(const fum_plan *plan, const fum_graph *graph,
                                const struct fum_device_info *info, struct fum_error *err);

// Returns the bytes of all blocks.
uint64_t fum_plan_bytes(const fum_plan *plan);

#endif
