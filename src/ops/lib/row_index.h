// SPDX-License-Identifier: MIT
// What ops that give each row of x [.., channels] an integer share: i32 [..].
#ifndef FUM_OPS_ROW_INDEX_H
#define FUM_OPS_ROW_INDEX_H

#include "graph/op.h"

// Sets the output: the shape of x without its channels.
bool fum_row_index_infer(struct fum_op_call *call, struct fum_why *why);
// Adds the dispatch of one invocation per row. Its bindings are the inputs and the output, its push
// constants row_index.pc.h.
bool fum_row_index_dispatch(const struct fum_op_call *call, const char *shader,
                            struct fum_dispatches *list);

#endif
