// SPDX-License-Identifier: MIT
// Lists the cases of pools of images.
#ifndef FUM_CHECK_POOL_CASES_H
#define FUM_CHECK_POOL_CASES_H

#include "check/case.h"

#define X(...) \
    { .shape = FUM_DIMS(__VA_ARGS__) }

static const struct fum_op_case fum_pool_cases[] = {
    {.name = "one pixel", .in = {X(1, 1, 1, 1)}, .attrs = {{"kernel", 1}}},
    {.name = "2x2, odd image", .in = {X(2, 7, 5, 9)}},
    {.name = "3x3, stride 2, as Inception",
     .in = {X(2, 9, 11, 6)},
     .attrs = {{"kernel", 3}, {"stride", 2}}},
    {.name = "3x3, stride 1, padding, inside alone",
     .in = {X(2, 6, 5, 8)},
     .attrs = {{"kernel", 3}, {"stride", 1}, {"pad", 1}, {"count_include_pad", 0}}},
    {.name = "3x3, stride 1, padding",
     .in = {X(1, 6, 5, 65)},
     .attrs = {{"kernel", 3}, {"stride", 1}, {"pad", 1}}},
    {.name = "3x3, stride 2, padding",
     .in = {X(2, 8, 7, 3)},
     .attrs = {{"kernel", 3}, {"stride", 2}, {"pad", 1}}},
    {.name = "5x5, stride 3, padding 2",
     .in = {X(1, 10, 9, 4)},
     .attrs = {{"kernel", 5}, {"stride", 3}, {"pad", 2}, {"count_include_pad", 0}}},
    {.name = "stride above the kernel",
     .in = {X(1, 8, 9, 5)},
     .attrs = {{"kernel", 2}, {"stride", 3}}},
    {.name = "the whole image", .in = {X(3, 8, 8, 12)}, .attrs = {{"kernel", 8}}},
    {.name = "no images", .in = {X(0, 8, 8, 12)}},
    {.name = "images in windows", .in = {X(5, 6, 6, 7)}, .max_binding = 2048},
    {.name = "147x147, 64 channels",
     .in = {X(1, 147, 147, 64)},
     .attrs = {{"kernel", 3}, {"stride", 2}},
     .bench = true},
};

#endif
