// SPDX-License-Identifier: MIT
#include "check/binary_cases.h"

const struct fum_op_cases fum_cases_squared_error = FUM_CASES(squared_error, fum_binary_cases);
