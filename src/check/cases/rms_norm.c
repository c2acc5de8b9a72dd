// SPDX-License-Identifier: MIT
#include "check/case.h"

#define IN(kind, c, ...)                                     \
    {                                                        \
        {.shape = FUM_DIMS(__VA_ARGS__, c), .fill = kind}, { \
            .shape = FUM_DIMS(c)                             \
        }                                                    \
    }

static const struct fum_op_case cases[] = {
    {.name = "one channel", .in = IN(FUM_FILL_NORMAL, 1, 3)},
    {.name = "63 channels", .in = IN(FUM_FILL_NORMAL, 63, 2, 9)},
    {.name = "64 channels, one row", .in = IN(FUM_FILL_NORMAL, 64, 1)},
    {.name = "65 channels", .in = IN(FUM_FILL_NORMAL, 65, 2, 33)},
    {.name = "large mean", .in = IN(FUM_FILL_OFFSET, 66, 17)},
    {.name = "huge values", .in = IN(FUM_FILL_HUGE, 67, 17)},
    {.name = "all zero", .in = IN(FUM_FILL_ZERO, 16, 2)},
    {.name = "eps 0.5", .in = IN(FUM_FILL_NORMAL, 30, 5), .attrs = {{"eps", 0.5}}},
    {.name = "no rows", .in = IN(FUM_FILL_NORMAL, 64, 0)},
    {.name = "windows", .in = IN(FUM_FILL_NORMAL, 65, 300), .max_binding = 8192},
    {.name = "1024 x 640", .in = IN(FUM_FILL_NORMAL, 640, 2, 1024), .bench = true},
};

const struct fum_op_cases fum_cases_rms_norm = FUM_CASES(rms_norm, cases);
