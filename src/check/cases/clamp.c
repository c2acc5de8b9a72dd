// SPDX-License-Identifier: MIT
#include "check/case.h"

static const struct fum_op_case cases[] = {
    {.name = "unit", .in = {{.shape = FUM_DIMS(3, 65)}}},
    {.name = "symmetric",
     .in = {{.shape = FUM_DIMS(7, 63)}},
     .attrs = {{"min", -0.5}, {"max", 0.5}}},
    {.name = "huge values",
     .in = {{.shape = FUM_DIMS(7, 64), .fill = FUM_FILL_HUGE}},
     .attrs = {{"min", -100}, {"max", 1e4}}},
    {.name = "infinity",
     .in = {{.shape = FUM_DIMS(7, 6), .fill = FUM_FILL_SPIKE}},
     .attrs = {{"min", -1}}},
    {.name = "empty", .in = {{.shape = FUM_DIMS(0)}}},
};

const struct fum_op_cases fum_cases_clamp = FUM_CASES(clamp, cases);
