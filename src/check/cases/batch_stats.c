// SPDX-License-Identifier: MIT
#include "check/case.h"

// The result is f32 in any case.
#define BOUND 1e-5, 1e-5, 1e-5
#define X(...) \
    { .shape = FUM_DIMS(__VA_ARGS__) }

static const struct fum_op_case cases[] = {
    {.name = "one row", .bound = {BOUND}, .in = {X(1, 5)}},
    {.name = "two rows", .bound = {BOUND}, .in = {X(2, 5)}, .attrs = {{"unbiased", 1}}},
    {.name = "image, 9 channels", .bound = {BOUND}, .in = {X(2, 7, 5, 9)}},
    {.name = "unbiased", .bound = {BOUND}, .in = {X(2, 7, 5, 8)}, .attrs = {{"unbiased", 1}}},
    {.name = "one channel", .bound = {BOUND}, .in = {X(131, 1)}},
    {.name = "large mean",
     .bound = {BOUND},
     .in = {{.shape = FUM_DIMS(3, 65, 6), .fill = FUM_FILL_OFFSET}}},
    {.name = "all equal",
     .bound = {BOUND},
     .in = {{.shape = FUM_DIMS(65, 6), .fill = FUM_FILL_ZERO}}},
    {.name = "no channels", .bound = {BOUND}, .in = {X(3, 0)}},
    {.name = "16 images, 64 channels", .bound = {BOUND}, .in = {X(16, 28, 28, 64)}, .bench = true},
};

const struct fum_op_cases fum_cases_batch_stats = FUM_CASES(batch_stats, cases);
