// SPDX-License-Identifier: MIT
// Makes models from a fuzzer's input: a configuration with a few changes, and weights of the shapes
// that it needs. What opens has passed every check of names and shapes, so that the code behind
// them is reached.
#ifndef TESTS_FUZZ_FITTED_H
#define TESTS_FUZZ_FITTED_H

#include "choices.h"

#include <fumarole/model.h>
#include <fumarole/pipeline.h>

struct fitted_params {
    bool numbers;       // weights are random numbers; else zeros, which take no memory
    uint64_t max_bytes; // of a weight file; larger models are not made
};

// Writes a model, a diffusers folder or a single file, and opens it. It lies in a folder of this
// process, in memory where the system has such a place. Returns NULL if it is too large or does not
// open, which must be the model's fault.
fum_model *fitted_open(struct choices *c, const struct fitted_params *params);

// Gives a picture, and a white mask, to a run of a model whose UNet reads them beside its latents.
void fitted_give_picture(const fum_model *model, struct fum_generate_params *params);

// Counts what became of the models; printed when the process ends.
struct fitted_counts {
    unsigned long made, opened, done; // done: worked to the end
};
extern struct fitted_counts fitted_counts;

// Ends the process if a result and its error contradict each other: a failure says why in one line.
void fitted_expect(enum fum_result result, const struct fum_error *err);
// The same where only the model can be at fault, never the caller's arguments.
void fitted_expect_model(enum fum_result result, const struct fum_error *err);

#endif
