// SPDX-License-Identifier: MIT
#include "check/case.h"

static const struct fum_op_case cases[] = {
    {.name = "one element", .in = {{.shape = FUM_DIMS(1)}}},
    {.name = "65 channels", .in = {{.shape = FUM_DIMS(3, 65)}}},
    {.name = "empty", .in = {{.shape = FUM_DIMS(0, 64)}}},
    {.name = "huge values", .in = {{.shape = FUM_DIMS(7, 63), .fill = FUM_FILL_HUGE}}},
    // Not f16: there these are a handful of subnormals.
    {.name = "tiny values",
     .in = {{.shape = FUM_DIMS(2, 5, 64), .fill = FUM_FILL_TINY}},
     .types = 1 << FUM_F32 | 1 << FUM_BF16},
    {.name = "latents 64x64, 320", .in = {{.shape = FUM_DIMS(2, 64, 64, 320)}}, .bench = true},
};

const struct fum_op_cases fum_cases_silu = FUM_CASES(silu, cases);
