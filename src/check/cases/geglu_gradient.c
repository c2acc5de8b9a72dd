// SPDX-License-Identifier: MIT
#include "check/case.h"

#define IN(rows, half) \
    { {.shape = FUM_DIMS(3, rows, 2 * (half))}, {.shape = FUM_DIMS(3, rows, half)}, }

static const struct fum_op_case cases[] = {
    {.name = "4 channels", .in = IN(1, 4)},
    {.name = "64 channels", .in = IN(5, 64)},
    {.name = "68 channels", .in = IN(7, 68)},
    {.name = "no rows", .in = IN(0, 64)},
    {.name = "split into windows", .in = IN(17, 132), .max_binding = 4096},
    {.name = "1024 tokens, 1280",
     .in = {{.shape = FUM_DIMS(1024, 2560)}, {.shape = FUM_DIMS(1024, 1280)}},
     .bench = true},
};

const struct fum_op_cases fum_cases_geglu_gradient = FUM_CASES(geglu_gradient, cases);
