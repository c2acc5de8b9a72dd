// SPDX-License-Identifier: MIT
// Declares a model's component in the pipeline, as a record. It holds how the graph is built, where
// the weights are, and what is on the device.
#ifndef FUM_PIPELINE_COMPONENT_H
#define FUM_PIPELINE_COMPONENT_H

#include <fumarole/pipeline.h>

#include "exec/executable.h"

struct fum_run;

// A graph with what it compiled to.
struct fum_compiled {
    fum_graph *graph;
    fum_executable *exe;
};
void fum_compiled_clear(struct fum_compiled *compiled);

struct fum_component {
    const char *name; // "text_encoder", "unet", "vae"; in messages and progress
    fum_pipeline *pipe;
    const struct fum_weight_source *source;
    enum fum_dtype storage;
    // Builds the graph of a run, checked; on failure there may be one, too. NULL: takes no part in
    // a run.
    enum fum_result (*build)(struct fum_component *component, const struct fum_run *run,
                             fum_graph **graph, struct fum_error *err);
    // Measures what a run takes on the device. NULL: as its graph does.
    enum fum_result (*measure)(struct fum_component *component, const struct fum_run *run,
                               struct fum_executable_size *size, struct fum_error *err);
    int keep_rank; // components of a lower rank leave the device first
    bool kept;     // leaves only for one that cannot run without its memory

    fum_weights *weights;         // on the device; NULL: none
    struct fum_compiled compiled; // until another shape is needed
    // of what was compiled last; it may have left the device since
    struct fum_executable_stats stats;
};

// Returns the type in which a precision stores values on a device.
enum fum_dtype fum_precision_storage(const fum_device *device, enum fum_precision precision);

// Frees what the component has on the device.
void fum_component_release(struct fum_component *component);
// Checks a graph that was built for a component. What a sound model cannot build at this size is
// FUM_ERR_UNSUPPORTED, not a wrong argument of the caller.
enum fum_result fum_component_check_graph(const struct fum_component *component,
                                          const fum_graph *graph, struct fum_error *err);
// Measures what a run of the component takes on the device, without loading anything.
enum fum_result fum_component_measure(struct fum_component *component, const struct fum_run *run,
                                      struct fum_executable_size *size, struct fum_error *err);
// Lets the graph add the products of the pipeline's adapters to its linear layers, if they have any
// for the component.
void fum_component_adapt(struct fum_component *component, fum_graph *graph);
// Empties the component and makes it f32, after a non-finite value at `node`; fails if it is f32.
// `doing` names in the log what is done in f32 then.
enum fum_result fum_component_widen(struct fum_component *component, const char *node,
                                    const char *doing, struct fum_error *err);

#endif
