// SPDX-License-Identifier: MIT
// An executable's fields, which compile.c fills, record.c records, and run.c and transfer.c use.
#ifndef FUM_EXEC_INSIDE_H
#define FUM_EXEC_INSIDE_H

#include "exec/executable.h"
#include "exec/stream.h"
#include "weights/parameters.h"

struct fum_submission {
    fum_command *command;
    int segment;     // where weights are streamed
    int gate;        // that its nodes are behind; 0: none
    int handed;      // groups of the handover that leave before it
    uint64_t ticket; // of its last run
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

// A group of values that are handed over. They lie one after the other in memory that the host
// sees.
struct fum_handover_group {
    const struct fum_handover_item *items;
    int count;
    int last_step; // of the plan: all are computed after it
    fum_buffer *buffer;
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
    struct fum_handover_group *groups; // of the handover
    int num_groups;
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
// Lists the groups of the handover and allocates their memory.
enum fum_result fum_executable_create_groups(fum_executable *exe,
                                             const struct fum_handover *handover,
                                             struct fum_error *err);
void fum_executable_destroy_groups(fum_executable *exe);
// Returns how many groups are complete before step s of the plan, so that they leave before it.
int fum_executable_groups_before(const fum_executable *exe, int s);
// Records that the groups which are complete after step s leave.
enum fum_result fum_executable_record_leaving(const fum_executable *exe, int s,
                                              fum_command *command, struct fum_error *err);
// Records that the inputs of FUM_STAGE_SHORT take what the host gave.
enum fum_result fum_executable_record_given(const fum_executable *exe, fum_command *command,
                                            struct fum_error *err);

// Converts rows of a tensor, padded as they lie on the device, to dense f32 and back.
void fum_rows_unpad(const struct fum_desc *desc, const uint8_t *padded, float *dense, size_t rows);
void fum_rows_pad(const struct fum_desc *desc, const float *dense, uint8_t *padded, size_t rows);

// Records the commands of a stage.
enum fum_result fum_executable_record(fum_executable *exe, enum fum_stage stage,
                                      struct fum_error *err);
// Records the dispatches of step s of the plan.
enum fum_result fum_executable_record_step(fum_executable *exe, int s, fum_command *command,
                                           struct fum_error *err);

#endif
