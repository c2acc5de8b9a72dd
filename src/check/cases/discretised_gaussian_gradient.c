// SPDX-License-Identifier: MIT
#include "check/case.h"

#define X(...) \
    { .shape = FUM_DIMS(__VA_ARGS__) }
#define FILLED(kind, ...) \
    { .shape = FUM_DIMS(__VA_ARGS__), .fill = kind }
// Probabilities of bins are small differences of numbers up to 1. Kernels compute them in f32 as
// PyTorch does, so no case has bins in tails where f32 has no digits left.
#define BOUND 1e-4, 4e-3, 1.6e-2

static const struct fum_op_case cases[] = {
    {.name = "one element", .bound = {BOUND}, .in = {X(1), X(1), FILLED(FUM_FILL_ZERO, 1), X(1)}},
    {.name = "65 channels, both open bins",
     .bound = {BOUND},
     .in = {X(3, 65), FILLED(FUM_FILL_UNIT, 3, 65), FILLED(FUM_FILL_ZERO, 3, 65), X(3, 65)}},
    {.name = "near the mean, any deviations",
     .bound = {BOUND},
     .in = {FILLED(FUM_FILL_ZERO, 2, 3, 63), FILLED(FUM_FILL_ZERO, 2, 3, 63), X(2, 3, 63),
            X(2, 3, 63)}},
    {.name = "far from the mean: all clamped",
     .in = {X(7, 9), FILLED(FUM_FILL_OFFSET, 7, 9), FILLED(FUM_FILL_ZERO, 7, 9), X(7, 9)}},
    {.name = "empty", .in = {X(0, 8), X(0, 8), X(0, 8), X(0, 8)}},
};

const struct fum_op_cases fum_cases_discretised_gaussian_gradient =
    FUM_CASES(discretised_gaussian_gradient, cases);
