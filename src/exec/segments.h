// SPDX-License-Identifier: MIT
// Chooses which weights of a plan stay on the device, and cuts its steps into segments by the
// weights that they stream. Those of a segment lie together in a buffer.
#ifndef FUM_EXEC_SEGMENTS_H
#define FUM_EXEC_SEGMENTS_H

#include "graph/plan.h"

struct fum_segment_item {
    const fum_tensor *tensor;
    uint64_t offset; // in the buffer
};

struct fum_segment {
    int stage, first_item, num_items;
    int buffer, next; // the segment that will probably run after it
    uint64_t bytes;
};

struct fum_segments {
    const fum_graph *graph;
    const fum_plan *plan;
    bool *streamed;  // by tensor id
    int *segment_of; // by step
    struct fum_segment *list;
    int count;
    struct fum_segment_item *items;
    int num_items;
    size_t item_capacity;
    uint64_t buffer_bytes;
    int num_buffers;
};

struct fum_segments_params {
    const fum_graph *graph;
    const fum_plan *plan;
    const char *label;   // for errors
    bool unified_memory; // of the device: buffers are filled in place
    uint64_t room;       // bytes for the weights that stay and for buffers
};

enum fum_result fum_segments_create(struct fum_segments *segments,
                                    const struct fum_segments_params *params,
                                    struct fum_error *err);
void fum_segments_destroy(struct fum_segments *segments);

// Returns the fewest bytes for weights and buffers that can work.
uint64_t fum_segments_least(const fum_graph *graph, const fum_plan *plan, bool unified_memory);

// Returns the memory of a weight, aligned as buffers need it.
uint64_t fum_segments_padded(const fum_tensor *weight);

#endif
