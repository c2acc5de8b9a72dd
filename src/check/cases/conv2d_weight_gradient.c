// SPDX-License-Identifier: MIT
#include "check/case.h"

#define X(...) \
    { .shape = FUM_DIMS(__VA_ARGS__) }
#define KERNEL(h, w) \
    {"height", h}, { \
        "width", w   \
    }

static const struct fum_op_case cases[] = {
    {.name = "one pixel", .in = {X(1, 1, 1, 1), X(1, 1, 1, 1)}},
    {.name = "1x1, 7 to 5", .in = {X(2, 3, 4, 7), X(2, 3, 4, 5)}},
    {.name = "3x3, 6 to 9",
     .in = {X(2, 5, 7, 6), X(2, 5, 7, 9)},
     .attrs = {{"pad", 1}, KERNEL(3, 3)}},
    {.name = "3x3, stride 2, even image",
     .in = {X(1, 8, 6, 5), X(1, 4, 3, 8)},
     .attrs = {{"pad", 1}, {"stride", 2}, KERNEL(3, 3)}},
    {.name = "3x3 without padding, stride 2",
     .in = {X(1, 8, 7, 4), X(1, 3, 3, 4)},
     .attrs = {{"stride", 2}, KERNEL(3, 3)}},
    {.name = "5x2 kernel", .in = {X(1, 6, 6, 4), X(1, 2, 5, 3)}, .attrs = {KERNEL(5, 2)}},
    {.name = "no images", .in = {X(0, 4, 4, 5), X(0, 4, 4, 8)}, .attrs = {KERNEL(3, 3)}},
    {.name = "3x3 64 to 64 at 16",
     .in = {X(1, 16, 16, 64), X(1, 16, 16, 64)},
     .attrs = {{"pad", 1}, KERNEL(3, 3)},
     .bench = true},
};

const struct fum_op_cases fum_cases_conv2d_weight_gradient =
    FUM_CASES(conv2d_weight_gradient, cases);
