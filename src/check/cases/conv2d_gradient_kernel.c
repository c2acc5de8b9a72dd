// SPDX-License-Identifier: MIT
#include "check/case.h"

#define X(...) \
    { .shape = FUM_DIMS(__VA_ARGS__) }
#define TAPS(h, w)   \
    {"height", h}, { \
        "width", w   \
    }

static const struct fum_op_case cases[] = {
    {.name = "one tap, 1 to 1", .in = {X(1, 1, 1, 1)}},
    {.name = "3x3, 6 to 9",
     .in = {X(3, 3, 6, 9)},
     .attrs = {{"pad", 1}, {"first", -1}, TAPS(3, 3)}},
    {.name = "3x3, stride 2, 5 to 8",
     .in = {X(3, 3, 5, 8)},
     .attrs = {{"stride", 2}, {"pad", 1}, TAPS(2, 2)}},
    {.name = "3x3, stride 2 without padding",
     .in = {X(3, 3, 4, 6)},
     .attrs = {{"stride", 2}, {"first", -1}, TAPS(3, 3)}},
    {.name = "5x2, taps that are zero",
     .in = {X(5, 2, 3, 7)},
     .attrs = {{"stride", 3}, {"pad", 4}, {"first", -1}, TAPS(4, 3)}},
    {.name = "no inputs", .in = {X(3, 3, 0, 4)}, .attrs = {{"pad", 1}, {"first", -1}, TAPS(3, 3)}},
    {.name = "3x3, 128 to 64",
     .in = {X(3, 3, 128, 64)},
     .attrs = {{"pad", 1}, {"first", -1}, TAPS(3, 3)},
     .bench = true},
    {.name = "1x7",
     .in = {X(1, 7, 6, 9)},
     .attrs = {{"pad", 0}, {"pad_width", 3}, {"first", -3}, TAPS(4, 7)}},
};

const struct fum_op_cases fum_cases_conv2d_gradient_kernel =
    FUM_CASES(conv2d_gradient_kernel, cases);
