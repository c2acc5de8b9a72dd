// SPDX-License-Identifier: MIT
#include "check/unary_cases.h"

const struct fum_op_cases fum_cases_relu = FUM_CASES(relu, fum_unary_cases);
