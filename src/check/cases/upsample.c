// SPDX-License-Identifier: MIT
#include "check/case.h"

static const struct fum_op_case cases[] = {
    {.name = "5x7, 65 channels", .in = {{.shape = FUM_DIMS(2, 5, 7, 65)}}},
    {.name = "one pixel", .in = {{.shape = FUM_DIMS(1, 1, 1, 1)}}},
    {.name = "factor 3", .in = {{.shape = FUM_DIMS(2, 3, 2, 4)}}, .attrs = {{"factor", 3}}},
    {.name = "factor 1", .in = {{.shape = FUM_DIMS(2, 3, 2, 5)}}, .attrs = {{"factor", 1}}},
    {.name = "empty", .in = {{.shape = FUM_DIMS(0, 3, 2, 4)}}},
    {.name = "split into windows", .in = {{.shape = FUM_DIMS(2, 5, 3, 33)}}, .max_binding = 4096},
    {.name = "64x64, 320", .in = {{.shape = FUM_DIMS(1, 64, 64, 320)}}, .bench = true},
};

const struct fum_op_cases fum_cases_upsample = FUM_CASES(upsample, cases);
