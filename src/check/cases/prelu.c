// SPDX-License-Identifier: MIT
#include "check/case.h"

static const struct fum_op_case cases[] = {
    {.name = "one slope", .in = {{.shape = FUM_DIMS(3, 65)}, {.shape = FUM_DIMS(1)}}},
    {.name = "a slope per channel",
     .in = {{.shape = FUM_DIMS(2, 5, 7, 63)}, {.shape = FUM_DIMS(63)}}},
    {.name = "one channel", .in = {{.shape = FUM_DIMS(2, 5, 7, 1)}, {.shape = FUM_DIMS(1)}}},
    {.name = "empty", .in = {{.shape = FUM_DIMS(0, 64)}, {.shape = FUM_DIMS(64)}}},
    {.name = "huge values",
     .in = {{.shape = FUM_DIMS(7, 64), .fill = FUM_FILL_HUGE},
            {.shape = FUM_DIMS(64), .fill = FUM_FILL_UNIT}}},
};

const struct fum_op_cases fum_cases_prelu = FUM_CASES(prelu, cases);
