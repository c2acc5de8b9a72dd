// SPDX-License-Identifier: MIT
#include "check/case.h"

#define KEY                                                                                      \
    {                                                                                            \
        { .shape = FUM_DIMS(4), .fill = FUM_FILL_INDEX, .type = FUM_CASE_I32, .limit = 1 << 24 } \
    }

static const struct fum_op_case cases[] = {
    {.name = "one draw", .in = KEY, .types = 1 << FUM_F32},
    {.name = "three draws", .in = KEY, .attrs = {{"draws", 3}}, .types = 1 << FUM_F32},
    {.name = "none", .in = KEY, .attrs = {{"draws", 0}}, .types = 1 << FUM_F32},
};

const struct fum_op_cases fum_cases_random_next = FUM_CASES(random_next, cases);
