// SPDX-License-Identifier: MIT
#include "check/case.h"

#define X(...) \
    { .shape = FUM_DIMS(__VA_ARGS__) }
#define BEFORE \
    { .shape = FUM_DIMS(1), .fill = FUM_FILL_POSITIVE, .type = FUM_CASE_F32 }
// The result is f32 in any case.
#define BOUND 1e-6, 1e-6, 1e-6

static const struct fum_op_case cases[] = {
    {.name = "one element", .bound = {BOUND}, .in = {X(1)}},
    {.name = "65 channels", .bound = {BOUND}, .in = {X(3, 65)}},
    {.name = "added to another", .bound = {BOUND}, .in = {X(3, 3, 7, 9), BEFORE}},
    {.name = "small beside the other",
     .bound = {BOUND},
     .in = {{.shape = FUM_DIMS(5, 6), .fill = FUM_FILL_TINY}, BEFORE}},
    {.name = "two passes", .bound = {BOUND}, .in = {X(300, 67), BEFORE}},
    {.name = "windows", .bound = {BOUND}, .in = {X(33, 65), BEFORE}, .max_binding = 1024},
    {.name = "infinity", .in = {{.shape = FUM_DIMS(3, 65), .fill = FUM_FILL_SPIKE}}},
    {.name = "not a number", .in = {{.shape = FUM_DIMS(3, 65), .fill = FUM_FILL_NAN}}},
    {.name = "nothing", .bound = {BOUND}, .in = {X(0, 8)}},
    {.name = "nothing added", .bound = {BOUND}, .in = {X(0, 8), BEFORE}},
    {.name = "4 million", .bound = {BOUND}, .in = {X(2048, 2048)}, .bench = true},
};

const struct fum_op_cases fum_cases_square_sum = FUM_CASES(square_sum, cases);
