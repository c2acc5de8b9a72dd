// SPDX-License-Identifier: MIT
// An executable's fields, which compile.c fills, record.c records, and run.c and transfer.c use.
#ifndef FUM_EXEC_INSIDE_H
#define FUM_EXEC_INSIDE_H

#include "exec/executable.h"
#include "exec/stream.h"
#include "weights/parameters.h"

struct fum_submission {
    fum_command *command;
    int segment; // where weights are streamed
    int gate;    // that its nodes are behind; 0: none
};

// A stage as command buffers. There are several if one would keep a slow device busy for so long
// that a driver's watchdog might take it for hung. What is behind a gate has its own.
struct fum_recording {
    struct fum_submission *items;
    int count;
    double flops;
};

// Weights of the graph, in the plan's arena.
struct fum_weight_list {
    struct fum_weight *items;
    int count;
};

struct fum_executable {
    fum_device *device;
    const char *label;      // of the part: "unet"; in the plan's arena
    const fum_graph *built; // the caller's
    fum_graph *graph;       // its copy, rewritten for the device
    fum_plan *plan;
    fum_weights *weights; // the caller's; NULL: none
    fum_weights *constants;
    fum_parameters *parameters; // the caller's; NULL: none
    unsigned version;           // of the weights that the stage LOAD has read
    struct fum_weight_list weight_list, constant_list; // of the graph
    fum_stream *stream;                                // of weights that do not fit; NULL: all do
    fum_buffer **blocks;
    const fum_kernel **kernels; // by dispatch, in order of the plan
    int *first_kernel;          // by step
    bool *written;              // indexed by tensor: inputs and states that hold a value
    uint32_t closed;            // set of the gates, bit by number
    bool fed[FUM_STAGE_COUNT];  // all inputs and states that the stage reads are written
    struct fum_recording stages[FUM_STAGE_COUNT];
    struct fum_warming *warming; // compiles kernels during creation; NULL afterwards
    int compiled;                // number of kernels that creation compiled
    double compile_seconds, load_seconds;
};

// Gets the kernels of the plan and starts compiling those that drivers compile late.
enum fum_result fum_executable_begin_kernels(fum_executable *exe,
                                             const struct fum_progress *progress,
                                             struct fum_error *err);
// Records the commands of a stage.
enum fum_result fum_executable_record(fum_executable *exe, enum fum_stage stage,
                                      struct fum_error *err);
// Records the dispatches of step s of the plan.
enum fum_result fum_executable_record_step(fum_executable *exe, int s, fum_command *command,
                                           struct fum_error *err);

#endif
