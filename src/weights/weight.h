// SPDX-License-Identifier: MIT
// A weight: what it is called in the model's files, its shape on the device, and how it is packed.
#ifndef FUM_WEIGHTS_WEIGHT_H
#define FUM_WEIGHTS_WEIGHT_H

#include "base/desc.h"

struct fum_packing;

struct fum_weight {
    const char *name;     // in the files
    struct fum_desc desc; // as kernels read it
    const struct fum_packing *packing;
    const char *const *parts; // names of the files' tensors that a stacked weight holds, in order
    int num_parts;            // number of them; 0: the weight is one tensor of the files
    const float *values;      // of a constant, dense; NULL: a weight of the files
};

// Returns the name for messages and traces.
const char *fum_weight_label(const struct fum_weight *weight);
// Returns how many tensors of the files a weight holds.
int fum_weight_parts(const struct fum_weight *weight);
// Returns the i-th of them with its own name and shape.
struct fum_weight fum_weight_part(const struct fum_weight *weight, int i);

#endif
