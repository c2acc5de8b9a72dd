// SPDX-License-Identifier: MIT
// Weights that do not fit a memory budget. The plan's steps are cut into segments by the weights
// they read; those of a segment lie together in a slot, and a thread of its own fills the next slot
// from the model's files while the device works on the segment before. As many weights as fit stay
// on the device and are not streamed.
//
// Where device memory is host-visible there are two slots, each filled in place. Elsewhere there is
// one slot on the device and two of the host's memory, and a copy before every segment.
#ifndef FUM_EXEC_STREAM_H
#define FUM_EXEC_STREAM_H

#include "graph/plan.h"
#include "weights/store.h"

typedef struct fum_stream fum_stream;

// The fewest bytes for weights and slots that can work.
uint64_t fum_stream_least(const fum_device *device, const fum_graph *graph, const fum_plan *plan);

// Decides what stays and what is streamed with `room` bytes for weights and slots, loads what stays
// into `weights`, which must be empty, and makes the slots. All must outlive the stream.
enum fum_result fum_stream_create(fum_stream **stream, fum_device *device, fum_weights *weights,
                                  const fum_graph *graph, const fum_plan *plan, uint64_t room,
                                  struct fum_error *err);
void fum_stream_destroy(fum_stream **stream); // waits for what it submitted

// The segment that a step of the plan is in; segments never span two stages.
int fum_stream_segment(const fum_stream *stream, int step);
// Where a weight lies while the step's segment runs.
struct fum_binding fum_stream_find(const fum_stream *stream, int step, const fum_tensor *tensor);

// Before a segment's commands are submitted: waits until its weights are there. Afterwards:
// `ticket` of the last submission that reads them.
enum fum_result fum_stream_acquire(fum_stream *stream, int segment, struct fum_error *err);
void fum_stream_release(fum_stream *stream, int segment, uint64_t ticket);

struct fum_stream_stats {
    uint64_t slot_bytes;                   // device and host memory of all slots
    uint64_t stage_bytes[FUM_STAGE_COUNT]; // uploaded by a run of the stage
    int stage_segments[FUM_STAGE_COUNT];
};
void fum_stream_get_stats(const fum_stream *stream, struct fum_stream_stats *stats);

#endif
