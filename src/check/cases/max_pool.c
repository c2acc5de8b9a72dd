// SPDX-License-Identifier: MIT
#include "check/pool_cases.h"

const struct fum_op_cases fum_cases_max_pool = FUM_CASES(max_pool, fum_pool_cases);
