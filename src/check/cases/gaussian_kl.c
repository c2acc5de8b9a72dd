// SPDX-License-Identifier: MIT
#include "check/case.h"

#define NONE \
    { {0}, 0, 0, 0 }
#define X(...) \
    { .shape = FUM_DIMS(__VA_ARGS__) }
#define FILLED(kind, ...) \
    { .shape = FUM_DIMS(__VA_ARGS__), .fill = kind }

static const struct fum_op_case cases[] = {
    {.name = "one element", .in = {X(1), X(1)}},
    {.name = "against N(0, 1), 65 channels", .in = {X(3, 65), X(3, 65)}},
    {.name = "against another mean", .in = {X(3, 63), X(3, 63), X(3, 63)}},
    {.name = "against another variance", .in = {X(3, 63), X(3, 63), NONE, X(3, 63)}},
    {.name = "two distributions",
     .in = {X(2, 3, 5, 9), X(2, 3, 5, 9), X(2, 3, 5, 9), X(2, 3, 5, 9)}},
    {.name = "variance 1", .in = {X(3, 17), FILLED(FUM_FILL_ZERO, 3, 17)}},
    {.name = "variance near 1", .in = {X(3, 17), FILLED(FUM_FILL_TINY, 3, 17)}},
    {.name = "empty", .in = {X(0, 8), X(0, 8)}},
    {.name = "windows", .in = {X(9, 65), X(9, 65), X(9, 65), X(9, 65)}, .max_binding = 1024},
};

const struct fum_op_cases fum_cases_gaussian_kl = FUM_CASES(gaussian_kl, cases);
