// SPDX-License-Identifier: MIT
// Declares the ControlNets of a pipeline. Their evaluation is part of the recorded step.
#ifndef FUM_PIPELINE_CONTROL_H
#define FUM_PIPELINE_CONTROL_H

#include <fumarole/pipeline.h>

struct fum_control_set;

enum { FUM_MAX_CONTROLS = 8 };

// The inputs that ControlNets add to the recorded step, by their place in the request.
struct fum_control_inputs {
    fum_tensor *pictures[FUM_MAX_CONTROLS]; // [1, height, width, 3] in 0..1, of stage PROMPT
    fum_tensor *factors[FUM_MAX_CONTROLS];  // [evals, 1] of what is added, of stage RUN
};

// Closes the ControlNets of a pipeline, if there are any.
void fum_control_close(struct fum_control_set **set);

#endif
