// SPDX-License-Identifier: MIT
#include "check/case.h"

static const struct fum_op_case cases[] = {
    {.name = "zero",
     .in = {{.shape = FUM_DIMS(1), .fill = FUM_FILL_ZERO, .type = FUM_CASE_I32}},
     .types = 1 << FUM_F32},
    {.name = "any",
     .in = {{.shape = FUM_DIMS(1), .fill = FUM_FILL_INDEX, .type = FUM_CASE_I32, .limit = 1000},
            {.shape = FUM_DIMS(3, 5)}},
     .types = 1 << FUM_F32},
    {.name = "after an update",
     .in = {{.shape = FUM_DIMS(1), .fill = FUM_FILL_INDEX, .type = FUM_CASE_I32, .limit = 1000},
            {.shape = FUM_DIMS(3, 5)},
            {.shape = FUM_DIMS(1), .fill = FUM_FILL_POSITIVE}},
     .types = 1 << FUM_F32},
    {.name = "after a skipped update",
     .in = {{.shape = FUM_DIMS(1), .fill = FUM_FILL_INDEX, .type = FUM_CASE_I32, .limit = 1000},
            {.shape = FUM_DIMS(3, 5)},
            {.shape = FUM_DIMS(1), .fill = FUM_FILL_ZERO}},
     .types = 1 << FUM_F32},
};

const struct fum_op_cases fum_cases_counter_next = FUM_CASES(counter_next, cases);
