// SPDX-License-Identifier: MIT
#include "check/case.h"

#define NONE \
    { {0}, 0, 0, 0 }
#define X(...) \
    { .shape = FUM_DIMS(__VA_ARGS__) }
#define STATS(c) \
    { .shape = FUM_DIMS(2, c), .fill = FUM_FILL_POSITIVE, .type = FUM_CASE_F32 }

static const struct fum_op_case cases[] = {
    {.name = "one element", .in = {X(1, 1), STATS(1)}},
    {.name = "image, 9 channels", .in = {X(2, 7, 5, 9), STATS(9), X(9), X(9)}},
    {.name = "scale alone", .in = {X(5, 65), STATS(65), X(65)}},
    {.name = "shift alone", .in = {X(5, 63), STATS(63), NONE, X(63)}},
    {.name = "large eps", .in = {X(5, 8), STATS(8), X(8), X(8)}, .attrs = {{"eps", 0.5}}},
    {.name = "no rows", .in = {X(0, 8), STATS(8)}},
    {.name = "windows", .in = {X(33, 65), STATS(65), X(65), X(65)}, .max_binding = 2048},
};

const struct fum_op_cases fum_cases_batch_norm = FUM_CASES(batch_norm, cases);
