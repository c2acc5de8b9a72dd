// SPDX-License-Identifier: MIT
#include "check/case.h"

static const struct fum_op_case cases[] = {
    {.name = "nothing", .in = {{.shape = FUM_DIMS(3, 65)}}},
    {.name = "2x + 1", .in = {{.shape = FUM_DIMS(3, 65)}}, .attrs = {{"mul", 2}, {"add", 1}}},
    {.name = "1 / 0.18215",
     .in = {{.shape = FUM_DIMS(1, 8, 8, 4)}},
     .attrs = {{"mul", 1 / 0.18215}}},
    {.name = "empty", .in = {{.shape = FUM_DIMS(0)}}},
    {.name = "split into windows",
     .in = {{.shape = FUM_DIMS(33, 65)}},
     .attrs = {{"mul", -3}},
     .max_binding = 1024},
};

const struct fum_op_cases fum_cases_scale = FUM_CASES(scale, cases);
