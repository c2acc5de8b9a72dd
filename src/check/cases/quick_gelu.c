// SPDX-License-Identifier: MIT
#include "check/unary_cases.h"

const struct fum_op_cases fum_cases_quick_gelu = FUM_CASES(quick_gelu, fum_unary_cases);
