// SPDX-License-Identifier: MIT
#include "check/case.h"

static const struct fum_op_case cases[] = {
    {.name = "first of one",
     .in = {{.shape = FUM_DIMS(1, 65)},
            {.shape = FUM_DIMS(1), .fill = FUM_FILL_ZERO, .type = FUM_CASE_I32}}},
    {.name = "rows",
     .in = {{.shape = FUM_DIMS(50, 3, 63)},
            {.shape = FUM_DIMS(1), .fill = FUM_FILL_INDEX, .type = FUM_CASE_I32, .limit = 50}}},
    {.name = "four dimensions",
     .in = {{.shape = FUM_DIMS(5, 2, 3, 4)},
            {.shape = FUM_DIMS(1), .fill = FUM_FILL_INDEX, .type = FUM_CASE_I32, .limit = 5}}},
    {.name = "past the end",
     .in =
         {{.shape = FUM_DIMS(5, 2, 3)},
          {.shape = FUM_DIMS(1), .fill = FUM_FILL_INDEX, .type = FUM_CASE_I32, .limit = 1 << 20}}},
};

const struct fum_op_cases fum_cases_step_row = FUM_CASES(step_row, cases);
