// SPDX-License-Identifier: MIT
// Streams weights that do not fit a memory budget. The plan's steps are cut into segments by the
// weights they read (segments.h), and those of a segment lie together in a buffer. A thread of its
// own fills the next buffer from the model's files while the device works on the segment before. As
// many weights as fit stay on the device and are not streamed.
//
// Where device memory is host-visible there are two buffers, each filled in place. Elsewhere there
// is one buffer on the device and two of the host's memory, and a copy before every segment.
#ifndef FUM_EXEC_STREAM_H
#define FUM_EXEC_STREAM_H

#include "graph/plan.h"
#include "weights/store.h"

typedef struct fum_stream fum_stream;

// Returns the fewest bytes for weights and buffers that can work.
uint64_t fum_stream_least(const fum_device *device, const fum_graph *graph, const fum_plan *plan);

struct fum_stream_params {
    fum_device *device;
    fum_weights *weights; // empty
    const fum_graph *graph;
    const fum_plan *plan;
    uint64_t room; // bytes for weights and buffers
};
// Decides what stays and what is streamed, loads what stays into the weights, and makes the
// buffers. All that the params name must outlive the stream.
enum fum_result fum_stream_create(fum_stream **stream, const struct fum_stream_params *params,
                                  struct fum_error *err);
void fum_stream_destroy(fum_stream **stream); // waits for what it submitted

// Returns the segment of a step of the plan. Segments never span two stages.
int fum_stream_segment(const fum_stream *stream, int step);
// Returns where a weight lies while the step's segment runs.
struct fum_binding fum_stream_find(const fum_stream *stream, int step, const fum_tensor *tensor);

// Waits until a segment's weights are there. Called before its commands are submitted.
enum fum_result fum_stream_acquire(fum_stream *stream, int segment, struct fum_error *err);
// Gives the segment's buffer back. `ticket`: of the last submission that reads it.
void fum_stream_release(fum_stream *stream, int segment, uint64_t ticket);

struct fum_stream_stats {
    uint64_t buffer_bytes;                 // device and host memory of all buffers
    uint64_t stage_bytes[FUM_STAGE_COUNT]; // uploaded by a run of the stage
    int stage_segments[FUM_STAGE_COUNT];
};
void fum_stream_get_stats(const fum_stream *stream, struct fum_stream_stats *stats);

#endif
