// SPDX-License-Identifier: MIT
// What cross_entropy and its gradient share: logits [.., classes] and labels, i32 [..].
#ifndef FUM_OPS_CROSS_ENTROPY_H
#define FUM_OPS_CROSS_ENTROPY_H

#include "graph/op.h"

enum { FUM_CROSS_ENTROPY_LOGITS, FUM_CROSS_ENTROPY_LABEL, FUM_CROSS_ENTROPY_DY };

// Checks that each row of logits has one label.
bool fum_cross_entropy_check(const struct fum_op_call *call, struct fum_why *why);
// Returns the label of a row, held within the classes.
int64_t fum_cross_entropy_label(const struct fum_op_call *call, const double *labels, int64_t row);
// Returns log(sum of e^x) of `count` numbers.
double fum_cross_entropy_log_sum(const double *x, int64_t count);
// Adds the dispatch of `items` invocations, whose bindings are the inputs and the output.
bool fum_cross_entropy_dispatch(const struct fum_op_call *call, const char *shader, uint64_t items,
                                struct fum_dispatches *list);

#endif
