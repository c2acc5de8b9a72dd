// SPDX-License-Identifier: MIT
#include "check/case.h"

#define IN(kind, ...) \
    { {.shape = FUM_DIMS(__VA_ARGS__), .fill = kind}, {.shape = FUM_DIMS(__VA_ARGS__)}, }

static const struct fum_op_case cases[] = {
    {.name = "five channels", .in = IN(FUM_FILL_NORMAL, 3, 5)},
    {.name = "63 channels", .in = IN(FUM_FILL_NORMAL, 2, 9, 63)},
    {.name = "64 channels, one row", .in = IN(FUM_FILL_NORMAL, 1, 64)},
    {.name = "65 channels", .in = IN(FUM_FILL_NORMAL, 2, 33, 65)},
    {.name = "rms", .in = IN(FUM_FILL_NORMAL, 7, 30), .attrs = {{"centred", 0}}},
    {.name = "rms, large mean", .in = IN(FUM_FILL_OFFSET, 7, 66), .attrs = {{"centred", 0}}},
    {.name = "large mean", .in = IN(FUM_FILL_OFFSET, 17, 66), .types = 1 << FUM_F32},
    {.name = "all zero", .in = IN(FUM_FILL_ZERO, 2, 16)},
    {.name = "eps 0.5", .in = IN(FUM_FILL_NORMAL, 5, 30), .attrs = {{"eps", 0.5}}},
    {.name = "no rows", .in = IN(FUM_FILL_NORMAL, 0, 64)},
    {.name = "windows", .in = IN(FUM_FILL_NORMAL, 300, 65), .max_binding = 8192},
    {.name = "1024 x 640", .in = IN(FUM_FILL_NORMAL, 2, 1024, 640), .bench = true},
};

const struct fum_op_cases fum_cases_norm_gradient = FUM_CASES(norm_gradient, cases);
