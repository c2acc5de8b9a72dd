// SPDX-License-Identifier: MIT
// Lists the cases of every op of ops.def.
#include "check/case.h"

#define FUM_OP(name, shaders, types) extern const struct fum_op_cases fum_cases_##name;
#include "ops/ops.def"
#undef FUM_OP

#define FUM_OP(name, shaders, types) &fum_cases_##name,
const struct fum_op_cases *const fum_op_cases[] = {
#include "ops/ops.def"
};
#undef FUM_OP
