// SPDX-License-Identifier: MIT
#include "check/positive_cases.h"

static const struct fum_op_case cases[] = {
    FUM_POSITIVE_CASES,
    {.name = "zero", .in = {{.shape = FUM_DIMS(3, 5), .fill = FUM_FILL_ZERO}}},
    {.name = "negative: not a number", .in = {{.shape = FUM_DIMS(3, 5), .fill = FUM_FILL_HUGE}}},
};

const struct fum_op_cases fum_cases_log = FUM_CASES(log, cases);
