// SPDX-License-Identifier: MIT
// A compiled graph's insides: what the pipeline needs beyond include/fumarole/graph.h.
#ifndef FUM_EXEC_EXECUTABLE_H
#define FUM_EXEC_EXECUTABLE_H

#include "graph/plan.h"
#include "weights/store.h"

// A value of FUM_STAGE_STEP that the host takes, and the input of FUM_STAGE_SHORT, of the same type
// and shape, that it gives in return. Values leave in groups, in ascending order from 0.
struct fum_handover_item {
    const fum_tensor *out, *in;
    int group;
};
struct fum_handover {
    const struct fum_handover_item *items; // group by group
    int count;
};

// A graph to compile, with weights from `weights`, which must outlive the executable.
struct fum_executable_job {
    const fum_graph *graph;
    fum_device *device;
    fum_weights *weights;                       // NULL: the graph has none
    const struct fum_executable_params *params; // may be NULL
    struct fum_handover handover;               // empty: nothing is handed over
};
// Compiles a graph, as fum_executable_create does. Missing weights are loaded.
enum fum_result fum_executable_compile(fum_executable **executable,
                                       const struct fum_executable_job *job, struct fum_error *err);

const fum_plan *fum_executable_plan(const fum_executable *executable);

// Starts a stage without waiting; *ticket is for fum_device_wait. Stages submitted one after
// another run in order.
enum fum_result fum_executable_submit(fum_executable *executable, enum fum_stage stage,
                                      uint64_t *ticket, struct fum_error *err);

// Waits until a group of the handover is computed by the stage STEP that was submitted, which may
// go on meanwhile.
enum fum_result fum_executable_wait_group(fum_executable *executable, int group,
                                          struct fum_error *err);
// Stores the values of such a group one after the other, as dense f32.
enum fum_result fum_executable_take_group(fum_executable *executable, int group, float *values,
                                          struct fum_error *err);
// Gives what the stage SHORT reads in place of a group, in the same order.
enum fum_result fum_executable_give_group(fum_executable *executable, int group,
                                          const float *values, struct fum_error *err);

// Runs one stage and waits, reporting after each of its submissions; a cancelled run is
// FUM_ERR_CANCELLED.
enum fum_result fum_executable_run_reported(fum_executable *executable, enum fum_stage stage,
                                            const struct fum_progress *progress,
                                            struct fum_error *err);

// Opens or closes a gate of the graph (fum_graph_set_gate). All are open at first. Streamed weights
// come in a fixed order: there nodes run behind closed gates, too.
void fum_executable_set_gate(fum_executable *executable, int gate, bool open);

// Device memory that the graph would take. Plans a copy of it, without allocating device memory or
// loading anything.
struct fum_executable_size {
    uint64_t activations, weights; // weights with constants
    uint64_t least;                // both together if all weights are streamed that can be
    uint64_t parameters;           // that the graph reads or updates, in a store of their own
};
enum fum_result fum_executable_measure(const fum_graph *graph, fum_device *device,
                                       struct fum_executable_size *size, struct fum_error *err);

// Copies the bytes of an input, state or output, padded rows as they lie, without conversion.
enum fum_result fum_executable_write_raw(fum_executable *executable, const fum_tensor *tensor,
                                         const void *data, uint64_t bytes, struct fum_error *err);
struct fum_tensor_part {
    const fum_tensor *tensor;
    uint64_t offset, bytes;
};
enum fum_result fum_executable_read_raw(fum_executable *executable, struct fum_tensor_part part,
                                        void *data, struct fum_error *err);

// Reads the first `rows` rows of an input, state or output, as dense f32.
enum fum_result fum_executable_read_rows(fum_executable *executable, const fum_tensor *tensor,
                                         size_t rows, float *data, struct fum_error *err);

// Runs `stage` node by node with a check after each one. *node becomes the first node whose result
// holds a NaN or an infinity, or NULL. One without a name of its own is described by a value that
// it is computed from. It is slow: it serves the message after such a value was
// found.
enum fum_result fum_executable_first_nonfinite(fum_executable *executable, enum fum_stage stage,
                                               const char **node, struct fum_error *err);

#endif
