// SPDX-License-Identifier: MIT
#include "check/exponential_cases.h"

const struct fum_op_cases fum_cases_exp = FUM_CASES(exp, fum_exponential_cases);
