// SPDX-License-Identifier: MIT
#include "check/case.h"

#define IN(c, ...)                                        \
    {                                                     \
        {.shape = FUM_DIMS(__VA_ARGS__, c)}, {            \
            .shape = FUM_DIMS(2, c), .type = FUM_CASE_F32 \
        }                                                 \
    }

static const struct fum_op_case cases[] = {
    {.name = "one element", .in = IN(1, 1)},
    {.name = "65 channels, 7 rows", .in = IN(65, 7)},
    {.name = "10 channels, silu", .in = IN(10, 2, 7), .attrs = {{"act", FUM_ACT_SILU}}},
    {.name = "63 rows, silu", .in = IN(32, 1, 7, 9), .attrs = {{"act", FUM_ACT_SILU}}},
    {.name = "huge values",
     .in = {{.shape = FUM_DIMS(3, 40), .fill = FUM_FILL_HUGE},
            {.shape = FUM_DIMS(2, 40), .type = FUM_CASE_F32, .fill = FUM_FILL_UNIT}}},
    {.name = "empty", .in = IN(8, 0)},
    {.name = "windows of rows",
     .in = IN(20, 2, 20, 50),
     .attrs = {{"act", FUM_ACT_SILU}},
     .max_binding = 24576},
    {.name = "256 at 34x256, silu",
     .in = IN(256, 1, 34, 256),
     .attrs = {{"act", FUM_ACT_SILU}},
     .bench = true},
};

const struct fum_op_cases fum_cases_channel_affine = FUM_CASES(channel_affine, cases);
