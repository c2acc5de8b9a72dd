// SPDX-License-Identifier: MIT
#include "check/case.h"

static const struct fum_op_case cases[] = {
    {.name = "3 channels", .in = {{.shape = FUM_DIMS(2, 5, 7, 12)}}},
    {.name = "one channel, factor 4",
     .in = {{.shape = FUM_DIMS(1, 2, 3, 16)}},
     .attrs = {{"factor", 4}}},
    {.name = "factor 3, 7 channels",
     .in = {{.shape = FUM_DIMS(1, 3, 2, 63)}},
     .attrs = {{"factor", 3}}},
    {.name = "empty", .in = {{.shape = FUM_DIMS(0, 3, 2, 4)}}},
    {.name = "split into windows", .in = {{.shape = FUM_DIMS(2, 5, 3, 52)}}, .max_binding = 2048},
};

const struct fum_op_cases fum_cases_pixel_shuffle = FUM_CASES(pixel_shuffle, cases);
