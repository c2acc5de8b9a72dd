// SPDX-License-Identifier: MIT
// Declares what steers a request by pictures: ControlNets and T2I-adapters, each kind a record.
// Their evaluation is part of the recorded step.
#ifndef FUM_PIPELINE_CONTROL_H
#define FUM_PIPELINE_CONTROL_H

#include <fumarole/pipeline.h>

#include "io/image.h"
#include "model/controlnet.h"
#include "model/t2i_adapter.h"

struct fum_denoiser;
struct fum_run;
struct fum_control_set;

enum { FUM_MAX_CONTROLS = 8 };

// One of those of a request.
struct fum_control_part {
    const struct fum_control_kind *kind;
    char *path;
    struct fum_control_net net; // one of these two, as the kind says
    struct fum_t2i_adapter adapter;
    int channels, square;      // of its picture, as in struct fum_t2i_adapter
    struct fum_bitmap picture; // of the run's size, with these channels
};

// What a part gets to add itself to the recorded step.
struct fum_control_step {
    struct fum_denoiser *denoiser;
    const char *prefix;  // of its weights' names
    fum_tensor *picture; // [1, height / square, width / square, channels · square²]
    fum_tensor *factor;  // of this evaluation, [1, 1, 1, 1]
    int gate;            // that its evaluation is to be behind; 0: none
};

struct fum_control_kind {
    // True if the path is of this kind. NULL: every path that is of no other kind.
    bool (*matches)(const char *path);
    // Opens part->path for the model, and sets the sizes of the picture.
    enum fum_result (*open)(struct fum_control_part *part, const fum_model *model,
                            struct fum_error *err);
    void (*close)(struct fum_control_part *part);
    bool (*find)(const struct fum_control_part *part, const char *name, struct fum_view *view);
    // Adds the part, whose results are added to those of the parts before.
    void (*add)(fum_graph *graph, const struct fum_control_part *part,
                const struct fum_control_step *step);
};
extern const struct fum_control_kind fum_control_adapter, fum_control_controlnet;

// What the parts add to the recorded step: inputs, by their place in the request, and sums of their
// results.
struct fum_control_inputs {
    fum_tensor *pictures[FUM_MAX_CONTROLS]; // of stage PROMPT
    fum_tensor *factors[FUM_MAX_CONTROLS];  // [evals, 1], of stage RUN
    fum_tensor *residuals[FUM_UNET_MAX_SKIPS + 1], *features[FUM_T2I_MAX_LEVELS];
    int num_residuals, num_features;
};
// Returns the controls that some evaluations of a run spare, bit by place in the request.
uint32_t fum_control_gated(const struct fum_run *run);
// Adds results times the factor to the sums; the first `count` of them are all. The results may be
// behind the step's gate.
void fum_control_sum(fum_graph *graph, const struct fum_control_step *step,
                     fum_tensor *const *results, fum_tensor **sums, int count);

// Describes a control as A1111's extension for ControlNets does. Returns `text`.
const char *fum_control_describe(const struct fum_control *control, char *text, size_t size);

// Closes the parts of a pipeline, if there are any.
void fum_control_close(struct fum_control_set **set);

#endif
