// SPDX-License-Identifier: MIT
// Lists the ops of ops.def.
#include "base/macros.h"
#include "graph/op.h"

#include <string.h>

#define FUM_OP(name, shaders, types) extern const struct fum_op fum_op_##name;
#include "ops/ops.def"
#undef FUM_OP

#define FUM_OP(name, shaders, types) &fum_op_##name,
const struct fum_op *const fum_ops[] = {
#include "ops/ops.def"
};
#undef FUM_OP
const int fum_op_count = FUM_COUNT(fum_ops);

const struct fum_op *fum_op_find(const char *name) {
    for (int i = 0; i < fum_op_count; i++)
        if (!strcmp(fum_ops[i]->name, name)) return fum_ops[i];
    return NULL;
}
