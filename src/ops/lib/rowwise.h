// SPDX-License-Identifier: MIT
// Dispatch of ops that map each row of input 0 to the same row of the output, one invocation per
// row: layer norm, RMS norm, softmax.
#ifndef FUM_OPS_ROWWISE_H
#define FUM_OPS_ROWWISE_H

#include "graph/op.h"

// The shader's bindings are x, inputs 1..num_params (absent ones repeat x), y; its specialisation
// constants `flags`; its push constants rowwise.pc.h.
struct fum_rowwise {
    const char *shader;
    uint32_t texels; // its bindings that are texels
    uint32_t lanes;  // a workgroup of so many lanes takes each row; 0: an invocation does
    int num_params, num_flags;
    uint32_t flags[4];
    float eps;
};
bool fum_rowwise_dispatch(const struct fum_op_call *call, const struct fum_rowwise *r,
                          struct fum_dispatches *list);

// Checks that inputs 1..count, where present, have as many elements as input 0 has channels; the
// output is as input 0.
bool fum_rowwise_infer(struct fum_op_call *call, int count, struct fum_why *why);

#endif
