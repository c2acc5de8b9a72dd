// SPDX-License-Identifier: MIT
#include "check/binary_cases.h"

const struct fum_op_cases fum_cases_add = FUM_CASES(add, fum_binary_cases);
