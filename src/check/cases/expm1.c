// SPDX-License-Identifier: MIT
#include "check/exponential_cases.h"

const struct fum_op_cases fum_cases_expm1 = FUM_CASES(expm1, fum_exponential_cases);
