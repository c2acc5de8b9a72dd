// SPDX-License-Identifier: MIT
#include "check/binary_cases.h"

const struct fum_op_cases fum_cases_mul = FUM_CASES(mul, fum_binary_cases);
