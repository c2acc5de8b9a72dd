// SPDX-License-Identifier: MIT
#include "check/unary_cases.h"

const struct fum_op_cases fum_cases_gelu = FUM_CASES(gelu, fum_unary_cases);
