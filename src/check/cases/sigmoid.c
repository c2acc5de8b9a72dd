// SPDX-License-Identifier: MIT
#include "check/unary_cases.h"

const struct fum_op_cases fum_cases_sigmoid = FUM_CASES(sigmoid, fum_unary_cases);
