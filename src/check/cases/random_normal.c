// SPDX-License-Identifier: MIT
#include "check/random_cases.h"

const struct fum_op_cases fum_cases_random_normal = FUM_CASES(random_normal, fum_random_cases);
