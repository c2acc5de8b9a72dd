// SPDX-License-Identifier: MIT
#include "check/positive_cases.h"

static const struct fum_op_case cases[] = {
    FUM_POSITIVE_CASES,
};

const struct fum_op_cases fum_cases_reciprocal = FUM_CASES(reciprocal, cases);
