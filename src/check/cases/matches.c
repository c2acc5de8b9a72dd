// SPDX-License-Identifier: MIT
#include "check/case.h"

#define IDS(most, ...) \
    { .shape = FUM_DIMS(__VA_ARGS__), .fill = FUM_FILL_INDEX, .type = FUM_CASE_I32, .limit = most }

static const struct fum_op_case cases[] = {
    {.name = "about half", .in = {IDS(2, 65), IDS(2, 65)}, .types = 1 << FUM_F32},
    {.name = "few", .in = {IDS(10, 2, 3, 7), IDS(10, 2, 3, 7)}, .types = 1 << FUM_F32},
    {.name = "empty", .in = {IDS(10, 0), IDS(10, 0)}, .types = 1 << FUM_F32},
    {.name = "windows",
     .in = {IDS(3, 9, 65), IDS(3, 9, 65)},
     .types = 1 << FUM_F32,
     .max_binding = 1024},
};

const struct fum_op_cases fum_cases_matches = FUM_CASES(matches, cases);
