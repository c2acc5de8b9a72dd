// SPDX-License-Identifier: MIT
#include "check/binary_cases.h"

const struct fum_op_cases fum_cases_sub = FUM_CASES(sub, fum_binary_cases);
