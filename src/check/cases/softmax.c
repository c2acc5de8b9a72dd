// SPDX-License-Identifier: MIT
#include "check/case.h"

static const struct fum_op_case cases[] = {
    {.name = "one channel", .in = {{.shape = FUM_DIMS(3, 1)}}},
    {.name = "63 channels", .in = {{.shape = FUM_DIMS(2, 9, 63)}}},
    {.name = "64 channels, one row", .in = {{.shape = FUM_DIMS(64)}}},
    {.name = "65 channels", .in = {{.shape = FUM_DIMS(2, 33, 65)}}},
    {.name = "prime 997 channels", .in = {{.shape = FUM_DIMS(3, 997)}}},
    {.name = "huge values", .in = {{.shape = FUM_DIMS(7, 66), .fill = FUM_FILL_HUGE}}},
    {.name = "tiny values", .in = {{.shape = FUM_DIMS(7, 67), .fill = FUM_FILL_TINY}}},
    {.name = "large mean", .in = {{.shape = FUM_DIMS(7, 67), .fill = FUM_FILL_OFFSET}}},
    {.name = "all equal", .in = {{.shape = FUM_DIMS(2, 10), .fill = FUM_FILL_ZERO}}},
    {.name = "no rows", .in = {{.shape = FUM_DIMS(0, 10)}}},
    {.name = "windows", .in = {{.shape = FUM_DIMS(300, 65)}}, .max_binding = 8192},
    {.name = "2048 x 1024", .in = {{.shape = FUM_DIMS(2048, 1024)}}, .bench = true},
};

const struct fum_op_cases fum_cases_softmax = FUM_CASES(softmax, cases);
