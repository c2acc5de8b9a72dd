// SPDX-License-Identifier: MIT
// What element-by-element ops of several inputs of one shape share: their shape rule and dispatch.
#ifndef FUM_OPS_FLAT_H
#define FUM_OPS_FLAT_H

#include "graph/op.h"

// Checks that all inputs have one shape and storage type, which are also the output's.
bool fum_flat_infer(struct fum_op_call *call, struct fum_why *why);

// The shader's bindings are `inputs` inputs (an absent one repeats input 0) and the output; its
// push constants flat.pc.h.
struct fum_flat {
    const char *shader;
    int inputs, num_specs;
    uint32_t specs[2];
};
bool fum_flat_dispatch(const struct fum_op_call *call, const struct fum_flat *flat,
                       struct fum_dispatches *list);

#endif
