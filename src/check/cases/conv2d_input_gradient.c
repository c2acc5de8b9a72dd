// SPDX-License-Identifier: MIT
#include "check/case.h"

#define X(...) \
    { .shape = FUM_DIMS(__VA_ARGS__) }
#define IMAGE(h, w)  \
    {"height", h}, { \
        "width", w   \
    }

static const struct fum_op_case cases[] = {
    {.name = "one pixel", .in = {X(1, 1, 1, 1), X(1, 1, 1, 1)}},
    {.name = "1x1, 7 to 5", .in = {X(2, 3, 4, 5), X(1, 1, 7, 5)}, .attrs = {IMAGE(3, 4)}},
    {.name = "3x3, 6 to 9",
     .in = {X(2, 5, 7, 9), X(3, 3, 6, 9)},
     .attrs = {{"pad", 1}, IMAGE(5, 7)}},
    {.name = "3x3, stride 2, even image",
     .in = {X(1, 4, 3, 8), X(3, 3, 5, 8)},
     .attrs = {{"pad", 1}, {"stride", 2}, IMAGE(8, 6)}},
    {.name = "3x3 without padding, stride 2",
     .in = {X(1, 3, 3, 4), X(3, 3, 4, 4)},
     .attrs = {{"stride", 2}, IMAGE(8, 7)}},
    {.name = "5x2 kernel", .in = {X(1, 2, 5, 3), X(5, 2, 4, 3)}, .attrs = {IMAGE(6, 6)}},
    {.name = "no output channels", .in = {X(1, 4, 4, 0), X(3, 3, 5, 0)}, .attrs = {IMAGE(4, 4)}},
    {.name = "no images", .in = {X(0, 4, 4, 8), X(3, 3, 5, 8)}, .attrs = {IMAGE(4, 4)}},
    {.name = "3x3 64 to 64 at 16",
     .in = {X(1, 16, 16, 64), X(3, 3, 64, 64)},
     .attrs = {{"pad", 1}, IMAGE(16, 16)},
     .bench = true},
};

const struct fum_op_cases fum_cases_conv2d_input_gradient = FUM_CASES(conv2d_input_gradient, cases);
