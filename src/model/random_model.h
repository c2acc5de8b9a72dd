// SPDX-License-Identifier: MIT
// Makes models of known families with random weights on the spot, for the benchmark: their shapes
// are real, their pictures are noise.
#ifndef FUM_MODEL_RANDOM_MODEL_H
#define FUM_MODEL_RANDOM_MODEL_H

#include "model/model.h"
#include "weights/weight.h"

// Returns the index-th model's name ("emoji", "sd1.5", …), by rising size; NULL past the last.
const char *fum_random_model_name(int index);

// Weights are the same at every call: normal, with the spread that PyTorch's layers start with,
// norms near 1. Tokenizers know no words. FUM_ERR_ARG: no such name. Free with fum_model_destroy.
enum fum_result fum_random_model_create(fum_model **model, const char *name, struct fum_error *err);
// Elements of all its weights.
uint64_t fum_random_model_parameters(const fum_model *model);

// Returns the shape that a graph's weight has in a file, in PyTorch's order of dimensions, as f16
// without data.
struct fum_view fum_random_model_view(const struct fum_weight *weight);

#endif
