// SPDX-License-Identifier: MIT
#include "check/random_cases.h"

const struct fum_op_cases fum_cases_random_uniform = FUM_CASES(random_uniform, fum_random_cases);
