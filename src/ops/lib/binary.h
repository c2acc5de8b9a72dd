// SPDX-License-Identifier: MIT
// Element by element on two inputs with NumPy broadcasting.
#ifndef FUM_OPS_BINARY_H
#define FUM_OPS_BINARY_H

#include "graph/op.h"

// As in shaders/binary.comp.
enum fum_binary {
    FUM_BINARY_ADD,
    FUM_BINARY_MUL,
    FUM_BINARY_SUB,
    FUM_BINARY_PRELU,
    FUM_BINARY_SQUARED_ERROR,        // (a - b)^2
    FUM_BINARY_BINARY_CROSS_ENTROPY, // of the logit a and the target b
    FUM_BINARY_MASKED_MUL            // 0 where b is 0
};

bool fum_binary_infer(struct fum_op_call *call, struct fum_why *why);
void fum_binary_reference(const struct fum_op_call *call, enum fum_binary op,
                          const double *const *in, double *out);
bool fum_binary_dispatch(const struct fum_op_call *call, enum fum_binary op,
                         struct fum_dispatches *list);

#endif
