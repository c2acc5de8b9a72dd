// SPDX-License-Identifier: MIT
// Checks the gradient of an op on one of its cases, without a device. Interprets the graph that
// fum_graph_gradient builds, in double, and compares it with central differences of the reference.
#ifndef FUM_CHECK_GRADIENT_H
#define FUM_CHECK_GRADIENT_H

#include "check/case.h"

struct fum_gradient_check {
    const char *skipped; // why the case was not checked; NULL: it was
    double error;        // relative RMS error of all gradients together, absolute if all are zero
    int checked, kinks;  // numbers compared, and left out because the op has a kink there
};

// Checks d(sum r out)/d(input), with random r, for every input that has one. Cases that are large,
// not finite or not of f32 are skipped, and calls that the op does not differentiate.
enum fum_result fum_gradient_check(const struct fum_op *op, const struct fum_op_case *c,
                                   struct fum_gradient_check *check, struct fum_error *err);

#endif
