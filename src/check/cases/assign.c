// SPDX-License-Identifier: MIT
#include "check/case.h"

static const struct fum_op_case cases[] = {
    {.name = "one element", .in = {{.shape = FUM_DIMS(1)}, {.shape = FUM_DIMS(1)}}},
    {.name = "65 channels", .in = {{.shape = FUM_DIMS(3, 65)}, {.shape = FUM_DIMS(3, 65)}}},
    {.name = "image", .in = {{.shape = FUM_DIMS(2, 3, 5, 8)}, {.shape = FUM_DIMS(2, 3, 5, 8)}}},
    {.name = "empty", .in = {{.shape = FUM_DIMS(0, 64)}, {.shape = FUM_DIMS(0, 64)}}},
    {.name = "windows",
     .in = {{.shape = FUM_DIMS(9, 130)}, {.shape = FUM_DIMS(9, 130)}},
     .max_binding = 2048},
};

const struct fum_op_cases fum_cases_assign = FUM_CASES(assign, cases);
