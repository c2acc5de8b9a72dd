// SPDX-License-Identifier: MIT
#include "check/case.h"

#define EXACT 1e-9, 1e-9, 1e-9
#define X(...) \
    { .shape = FUM_DIMS(__VA_ARGS__) }

static const struct fum_op_case cases[] = {
    {.name = "one class", .bound = {EXACT}, .in = {X(5, 1)}},
    {.name = "10 classes", .bound = {EXACT}, .in = {X(33, 10)}},
    {.name = "padded rows", .bound = {EXACT}, .in = {X(2, 3, 5, 65)}},
    {.name = "ties",
     .bound = {EXACT},
     .in = {{.shape = FUM_DIMS(9, 21), .fill = FUM_FILL_INDEX, .limit = 3}}},
    {.name = "all equal",
     .bound = {EXACT},
     .in = {{.shape = FUM_DIMS(9, 21), .fill = FUM_FILL_ZERO}}},
    {.name = "infinity",
     .bound = {EXACT},
     .in = {{.shape = FUM_DIMS(4, 7), .fill = FUM_FILL_SPIKE}}},
    {.name = "no rows", .bound = {EXACT}, .in = {X(0, 10)}},
};

const struct fum_op_cases fum_cases_top_class = FUM_CASES(top_class, cases);
