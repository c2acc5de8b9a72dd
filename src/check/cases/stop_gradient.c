// SPDX-License-Identifier: MIT
#include "check/case.h"

static const struct fum_op_case cases[] = {
    {.name = "one element", .in = {{.shape = FUM_DIMS(1)}}},
    {.name = "65 channels", .in = {{.shape = FUM_DIMS(2, 3, 65)}}},
    {.name = "empty", .in = {{.shape = FUM_DIMS(0, 8)}}},
};

const struct fum_op_cases fum_cases_stop_gradient = FUM_CASES(stop_gradient, cases);
