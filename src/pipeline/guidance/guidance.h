// SPDX-License-Identifier: MIT
// Declares methods of guidance, as records: how each changes the prediction of a step.
#ifndef FUM_PIPELINE_GUIDANCE_GUIDANCE_H
#define FUM_PIPELINE_GUIDANCE_GUIDANCE_H

#include "nn/nn.h"
#include "pipeline/pipeline.h"

// Columns of the table with a row for each evaluation.
enum {
    FUM_GUIDANCE_ON,    // 1: the prompt is guided; 0: its prediction is taken alone
    FUM_GUIDANCE_SCALE, // of the perturbed prediction's difference
    FUM_GUIDANCE_ROW,   // number of columns
};

// A step's predictions, f32 [batch, height, width, channels], while it is guided.
struct fum_guided {
    struct fum_nn nn;
    struct fum_denoiser *d;
    fum_tensor *without;    // without the prompt; NULL: nothing is guided by it
    fum_tensor *with;       // with the prompt
    fum_tensor *perturbed;  // with the prompt, by a perturbed model; NULL: there is none
    fum_tensor *guidance;   // the scale of this evaluation, [1, 1, 1, 1]
    fum_tensor *on, *scale; // of the row of this evaluation, [1, 1, 1, 1]
    fum_tensor *prediction; // the result so far
};

struct fum_guidance_method {
    const char *name;
    bool (*serves)(const struct fum_guidance_params *params);
    // Makes the model's last copy of the pictures perturbed. NULL: the method needs none.
    void (*perturb)(fum_graph *graph, const struct fum_guidance_params *params, int64_t row);
    // Changes guided->prediction.
    void (*guide)(struct fum_guided *guided);
    // Changes states after the sampler's update. Returns the last update. May be NULL.
    fum_tensor *(*update)(fum_graph *graph, struct fum_denoiser *d, fum_tensor *updated);
};

// Declares the records of guidance.def.
#define FUM_GUIDANCE(name, file) extern const struct fum_guidance_method fum_guidance_##name;
#include "pipeline/guidance/guidance.def"
#undef FUM_GUIDANCE

// Returns the sum over a picture of each value of x, [batch, 1, 1, 1].
fum_tensor *fum_guidance_sum(struct fum_guided *guided, fum_tensor *x);
// Returns a − b.
fum_tensor *fum_guidance_difference(struct fum_guided *guided, fum_tensor *a, fum_tensor *b);

#endif
