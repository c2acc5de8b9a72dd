// SPDX-License-Identifier: MIT
#include "check/case.h"

static const struct fum_op_case cases[] = {
    {.name = "one factor",
     .in = {{.shape = FUM_DIMS(2, 5, 7, 63)}, {.shape = FUM_DIMS(1, 1, 1, 1)}}},
    {.name = "one shape", .in = {{.shape = FUM_DIMS(3, 65)}, {.shape = FUM_DIMS(3, 65)}}},
    {.name = "what is no number is masked",
     .in = {{.shape = FUM_DIMS(2, 5, 7, 63), .fill = FUM_FILL_NAN},
            {.shape = FUM_DIMS(1, 1, 1, 1), .fill = FUM_FILL_ZERO}}},
    {.name = "what is infinite is masked",
     .in = {{.shape = FUM_DIMS(3, 64), .fill = FUM_FILL_SPIKE},
            {.shape = FUM_DIMS(3, 64), .fill = FUM_FILL_ZERO}}},
    {.name = "empty", .in = {{.shape = FUM_DIMS(0, 64)}, {.shape = FUM_DIMS(1)}}},
};

const struct fum_op_cases fum_cases_masked_mul = FUM_CASES(masked_mul, cases);
