// SPDX-License-Identifier: MIT
#include "check/case.h"

static const struct fum_op_case cases[] = {
    {.name = "one element", .in = {{.shape = FUM_DIMS(1)}}},
    {.name = "63 channels", .in = {{.shape = FUM_DIMS(3, 63)}}},
    {.name = "65 channels", .in = {{.shape = FUM_DIMS(2, 3, 65)}}},
    {.name = "empty", .in = {{.shape = FUM_DIMS(0, 64)}}},
    {.name = "huge values",
     .in = {{.shape = FUM_DIMS(7, 63), .fill = FUM_FILL_HUGE}},
     .types = 1 << FUM_F32 | 1 << FUM_BF16},
    {.name = "about 100", .in = {{.shape = FUM_DIMS(7, 64), .fill = FUM_FILL_OFFSET}}},
    {.name = "split into windows", .in = {{.shape = FUM_DIMS(5, 7, 65)}}, .max_binding = 1024},
};

const struct fum_op_cases fum_cases_square = FUM_CASES(square, cases);
