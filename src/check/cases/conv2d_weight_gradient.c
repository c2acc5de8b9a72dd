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
    {.name = "3x3 of single pixels",
     .in = {X(5, 1, 1, 6), X(5, 1, 1, 9)},
     .attrs = {{"pad", 1}, KERNEL(3, 3)}},
    {.name = "columns of pixels",
     .in = {X(3, 9, 1, 5), X(3, 9, 1, 35)},
     .attrs = {{"pad", 1}, KERNEL(3, 3)}},
    {.name = "1x1, images in windows", .in = {X(2, 9, 7, 20), X(2, 9, 7, 12)}, .max_binding = 4096},
    {.name = "3x3, images in windows",
     .in = {X(5, 6, 6, 4), X(5, 6, 6, 10)},
     .attrs = {{"pad", 1}, KERNEL(3, 3)},
     .max_binding = 8192},
    {.name = "long sums of few rows",
     .in = {X(2, 40, 40, 3), X(2, 40, 40, 70)},
     .attrs = {{"pad", 1}, KERNEL(3, 3)}},
    {.name = "1x1, few pixels of 70 to 150", .in = {X(1, 3, 3, 70), X(1, 3, 3, 150)}},
    {.name = "tiles of 2x2 pixels",
     .in = {X(4, 14, 14, 41), X(4, 14, 14, 52)},
     .attrs = {{"pad", 1}, KERNEL(3, 3)}},
    {.name = "tiles of 4x4 pixels",
     .in = {X(3, 27, 30, 33), X(3, 27, 30, 63)},
     .attrs = {{"pad", 1}, KERNEL(3, 3)}},
    {.name = "no images", .in = {X(0, 4, 4, 5), X(0, 4, 4, 8)}, .attrs = {KERNEL(3, 3)}},
    {.name = "3x3 64 to 64 at 16",
     .in = {X(1, 16, 16, 64), X(1, 16, 16, 64)},
     .attrs = {{"pad", 1}, KERNEL(3, 3)},
     .bench = true},
    {.name = "16 of 28, 32 to 32",
     .in = {X(16, 28, 28, 32), X(16, 28, 28, 32)},
     .attrs = {{"pad", 1}, KERNEL(3, 3)},
     .bench = true},
    {.name = "16 of 14, 128 to 64",
     .in = {X(16, 14, 14, 128), X(16, 14, 14, 64)},
     .attrs = {{"pad", 1}, KERNEL(3, 3)},
     .bench = true},
    {.name = "16 of 7, 128 to 128",
     .in = {X(16, 7, 7, 128), X(16, 7, 7, 128)},
     .attrs = {{"pad", 1}, KERNEL(3, 3)},
     .bench = true},
    {.name = "linear, 1024 of 320 to 320",
     .in = {X(1, 1, 1024, 320), X(1, 1, 1024, 320)},
     .bench = true},
    {.name = "1x7",
     .in = {X(2, 5, 6, 6), X(2, 5, 6, 9)},
     .attrs = {{"pad", 0}, {"pad_width", 3}, KERNEL(1, 7)}},
    {.name = "7x1, stride 2",
     .in = {X(1, 8, 6, 6), X(1, 4, 3, 5)},
     .attrs = {{"stride", 2}, {"pad", 3}, {"pad_width", 0}, KERNEL(7, 1)}},
};

const struct fum_op_cases fum_cases_conv2d_weight_gradient =
    FUM_CASES(conv2d_weight_gradient, cases);
