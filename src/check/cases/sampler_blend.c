// SPDX-License-Identifier: MIT
#include "check/case.h"

#define POINTS(fill_, ...) \
    { .shape = FUM_DIMS(__VA_ARGS__), .fill = fill_ }
#define LEVELS \
    { .shape = FUM_DIMS(3, 2), .fill = FUM_FILL_UNIT }
#define COUNTER \
    { .shape = FUM_DIMS(1), .fill = FUM_FILL_INDEX, .type = FUM_CASE_I32, .limit = 3 }

static const struct fum_op_case cases[] = {
    {.name = "history of one",
     .in = {POINTS(FUM_FILL_NORMAL, 1, 8, 8, 4), POINTS(FUM_FILL_UNIT, 1, 8, 8, 4),
            POINTS(FUM_FILL_NORMAL, 1, 8, 8, 4), POINTS(FUM_FILL_NORMAL, 1, 8, 8, 4), LEVELS,
            COUNTER},
     .types = 1 << FUM_F32},
    {.name = "history of 3, 3 channels",
     .in = {POINTS(FUM_FILL_NORMAL, 6, 5, 7, 3), POINTS(FUM_FILL_UNIT, 2, 5, 7, 3),
            POINTS(FUM_FILL_NORMAL, 2, 5, 7, 3), POINTS(FUM_FILL_NORMAL, 2, 5, 7, 3), LEVELS,
            COUNTER},
     .attrs = {{"history", 3}},
     .types = 1 << FUM_F32},
    {.name = "5 channels",
     .in = {POINTS(FUM_FILL_NORMAL, 2, 3, 3, 5), POINTS(FUM_FILL_ZERO, 2, 3, 3, 5),
            POINTS(FUM_FILL_NORMAL, 2, 3, 3, 5), POINTS(FUM_FILL_NORMAL, 2, 3, 3, 5), LEVELS,
            COUNTER},
     .types = 1 << FUM_F32},
    {.name = "empty",
     .in = {POINTS(FUM_FILL_NORMAL, 0, 8, 8, 4), POINTS(FUM_FILL_UNIT, 0, 8, 8, 4),
            POINTS(FUM_FILL_NORMAL, 0, 8, 8, 4), POINTS(FUM_FILL_NORMAL, 0, 8, 8, 4), LEVELS,
            COUNTER},
     .types = 1 << FUM_F32},
};

const struct fum_op_cases fum_cases_sampler_blend = FUM_CASES(sampler_blend, cases);
