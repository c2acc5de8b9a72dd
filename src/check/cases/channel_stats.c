// SPDX-License-Identifier: MIT
#include "check/case.h"

// FUM_FILL_COUNT makes the range 0, 1; FUM_FILL_INDEX two numbers below the limit.
#define IN(kind, most, c, ...)                                                                \
    {                                                                                         \
        {.shape = FUM_DIMS(__VA_ARGS__, c), .fill = kind}, {                                  \
            .shape = FUM_DIMS(2), .type = FUM_CASE_I32, .fill = FUM_FILL_INDEX, .limit = most \
        }                                                                                     \
    }

static const struct fum_op_case cases[] = {
    {.name = "one row",
     .in = {{.shape = FUM_DIMS(5, 3)},
            {.shape = FUM_DIMS(2), .type = FUM_CASE_I32, .fill = FUM_FILL_COUNT}}},
    {.name = "65 channels, 3 chunks",
     .in = IN(FUM_FILL_NORMAL, 200, 65, 400),
     .attrs = {{"chunks", 3}}},
    {.name = "10 channels, 2 chunks",
     .in = IN(FUM_FILL_NORMAL, 50, 10, 60),
     .attrs = {{"chunks", 2}}},
    {.name = "a range past the end",
     .in = IN(FUM_FILL_NORMAL, 1000, 32, 100),
     .attrs = {{"chunks", 4}}},
    {.name = "more chunks than rows",
     .in = IN(FUM_FILL_NORMAL, 8, 16, 2, 3, 2),
     .attrs = {{"chunks", 64}}},
    {.name = "mean 100, spread 1",
     .in = IN(FUM_FILL_OFFSET, 300, 24, 1, 32, 16),
     .attrs = {{"chunks", 8}},
     .bound = {2e-5}},
    {.name = "all zero", .in = IN(FUM_FILL_ZERO, 30, 24, 64), .attrs = {{"chunks", 2}}},
    {.name = "128 at 18x512",
     .in = IN(FUM_FILL_NORMAL, 4000, 128, 1, 18, 512),
     .attrs = {{"chunks", 128}},
     .bench = true},
};

const struct fum_op_cases fum_cases_channel_stats = FUM_CASES(channel_stats, cases);
