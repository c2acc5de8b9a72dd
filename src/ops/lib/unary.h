// SPDX-License-Identifier: MIT
// What the element-by-element ops of one input share: their shape rule and their dispatch.
#ifndef FUM_OPS_UNARY_H
#define FUM_OPS_UNARY_H

#include "graph/gradient.h"

// Returns act(x) in double, by the formulas named at enum fum_act. Every reference with an epilogue
// uses it.
double fum_act_reference(enum fum_act act, double x);

// Returns the derivative of act at x. relu has 0 at 0.
double fum_act_derivative(enum fum_act act, double x);

bool fum_unary_infer(struct fum_op_call *call, struct fum_why *why);
// Runs `act` over the elements of input 0.
bool fum_unary_dispatch(const struct fum_op_call *call, enum fum_act act,
                        struct fum_dispatches *list);
void fum_unary_reference(const struct fum_op_call *call, enum fum_act act, const double *x,
                         double *y);

// Serves as the gradient hook of an op that computes `act` of its input.
bool fum_unary_gradient(struct fum_gradient *g, enum fum_act act);
// Returns dy if `dx` is dy act'(x) for an activation of enum fum_act up to FUM_ACT_SIGMOID, and
// sets *act to it. Else returns NULL.
fum_tensor *fum_unary_gradient_source(const fum_tensor *dx, const fum_tensor *x, enum fum_act *act);

#endif
