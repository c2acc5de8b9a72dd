// SPDX-License-Identifier: MIT
#include "check/case.h"

#define X(...) \
    { .shape = FUM_DIMS(__VA_ARGS__) }

static const struct fum_op_case cases[] = {
    {.name = "one pixel", .in = {X(1, 1, 1, 1), X(1, 1, 1, 1)}},
    {.name = "1x1, 5 to 7", .in = {X(2, 3, 4, 5), X(1, 1, 7, 5), X(7)}},
    {.name = "3x3, 9 to 6", .in = {X(2, 5, 7, 9), X(3, 3, 6, 9), X(6)}, .attrs = {{"pad", 1}}},
    {.name = "2x2, stride 2", .in = {X(1, 4, 3, 8), X(2, 2, 5, 8)}, .attrs = {{"stride", 2}}},
    {.name = "4x4, stride 2, padding",
     .in = {X(2, 4, 3, 8), X(4, 4, 4, 8), X(4)},
     .attrs = {{"stride", 2}, {"pad", 1}}},
    {.name = "3x3, stride 2, output padding",
     .in = {X(1, 4, 5, 3), X(3, 3, 5, 3), X(5)},
     .attrs = {{"stride", 2}, {"pad", 1}, {"output_padding", 1}}},
    {.name = "5x2, stride 3, output padding 2",
     .in = {X(1, 3, 2, 6), X(5, 2, 3, 6)},
     .attrs = {{"stride", 3}, {"pad", 1}, {"output_padding", 2}}},
    {.name = "no images", .in = {X(0, 4, 4, 8), X(3, 3, 5, 8)}},
    {.name = "4x4, stride 2, 64 to 32 at 16",
     .in = {X(1, 16, 16, 64), X(4, 4, 32, 64), X(32)},
     .attrs = {{"stride", 2}, {"pad", 1}},
     .bench = true},
};

const struct fum_op_cases fum_cases_conv_transpose2d = FUM_CASES(conv_transpose2d, cases);
