// SPDX-License-Identifier: MIT
#include "check/pool_cases.h"

const struct fum_op_cases fum_cases_average_pool = FUM_CASES(average_pool, fum_pool_cases);
