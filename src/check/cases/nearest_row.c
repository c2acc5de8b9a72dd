// SPDX-License-Identifier: MIT
#include "check/case.h"

#define EXACT 1e-9, 1e-9, 1e-9
#define X(...) \
    { .shape = FUM_DIMS(__VA_ARGS__) }
#define WHOLE(most, ...) \
    { .shape = FUM_DIMS(__VA_ARGS__), .fill = FUM_FILL_INDEX, .limit = most }

static const struct fum_op_case cases[] = {
    {.name = "one row", .bound = {EXACT}, .in = {X(5, 3), X(1, 3)}},
    {.name = "65 rows of 7", .bound = {EXACT}, .in = {X(33, 7), X(65, 7)}},
    {.name = "pixels of 64 channels", .bound = {EXACT}, .in = {X(2, 3, 5, 64), X(31, 64)}},
    {.name = "ties", .bound = {EXACT}, .in = {WHOLE(3, 40, 2), WHOLE(3, 20, 2)}},
    {.name = "one channel", .bound = {EXACT}, .in = {X(17, 1), X(9, 1)}},
    {.name = "no rows of x", .bound = {EXACT}, .in = {X(0, 8), X(9, 8)}},
    {.name = "128 rows of 64", .bound = {EXACT}, .in = {X(512, 64), X(128, 64)}, .bench = true},
};

const struct fum_op_cases fum_cases_nearest_row = FUM_CASES(nearest_row, cases);
