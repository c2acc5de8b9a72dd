// SPDX-License-Identifier: MIT
#include "check/case.h"

#define EXACT 1e-9, 1e-9, 1e-9
#define X(...) \
    { .shape = FUM_DIMS(__VA_ARGS__), .fill = FUM_FILL_INDEX, .type = FUM_CASE_F32, .limit = 256 }

static const struct fum_op_case cases[] = {
    {.name = "37 by 53",
     .bound = {EXACT},
     .in = {X(37, 53)},
     .attrs = {{"low", 20000}, {"high", 60000}}},
    {.name = "one line",
     .bound = {EXACT},
     .in = {X(1, 40)},
     .attrs = {{"low", 20000}, {"high", 60000}}},
    {.name = "one column",
     .bound = {EXACT},
     .in = {X(25, 1)},
     .attrs = {{"low", 20000}, {"high", 60000}}},
    {.name = "empty",
     .bound = {EXACT},
     .in = {X(0, 8)},
     .attrs = {{"low", 20000}, {"high", 60000}}},
};

const struct fum_op_cases fum_cases_canny_ridges = FUM_CASES(canny_ridges, cases);
