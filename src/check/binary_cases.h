// SPDX-License-Identifier: MIT
// Lists the cases of ops of two operands that are computed element by element.
#ifndef FUM_CHECK_BINARY_CASES_H
#define FUM_CHECK_BINARY_CASES_H

#include "check/case.h"

static const struct fum_op_case fum_binary_cases[] = {
    {.name = "one element", .in = {{.shape = FUM_DIMS(1)}, {.shape = FUM_DIMS(1)}}},
    {.name = "same shape, 65 channels",
     .in = {{.shape = FUM_DIMS(3, 65)}, {.shape = FUM_DIMS(3, 65)}}},
    {.name = "same elements, other rank",
     .in = {{.shape = FUM_DIMS(1, 3, 7)}, {.shape = FUM_DIMS(3, 7)}}},
    {.name = "channel vector right",
     .in = {{.shape = FUM_DIMS(2, 3, 5, 63)}, {.shape = FUM_DIMS(63)}}},
    {.name = "channel vector left",
     .in = {{.shape = FUM_DIMS(63)}, {.shape = FUM_DIMS(2, 3, 5, 63)}}},
    {.name = "one number left", .in = {{.shape = FUM_DIMS(1)}, {.shape = FUM_DIMS(5, 6)}}},
    {.name = "column right", .in = {{.shape = FUM_DIMS(4, 5, 6)}, {.shape = FUM_DIMS(4, 5, 1)}}},
    {.name = "both grow", .in = {{.shape = FUM_DIMS(1, 3, 1, 8)}, {.shape = FUM_DIMS(2, 1, 5, 1)}}},
    {.name = "outer product", .in = {{.shape = FUM_DIMS(7, 1)}, {.shape = FUM_DIMS(9)}}},
    {.name = "per image",
     .in = {{.shape = FUM_DIMS(2, 4, 4, 32)}, {.shape = FUM_DIMS(2, 1, 1, 32)}}},
    {.name = "empty", .in = {{.shape = FUM_DIMS(0, 64)}, {.shape = FUM_DIMS(64)}}},
    {.name = "flat windows",
     .in = {{.shape = FUM_DIMS(9, 65)}, {.shape = FUM_DIMS(9, 65)}},
     .max_binding = 1024},
    {.name = "row windows",
     .in = {{.shape = FUM_DIMS(2, 9, 65)}, {.shape = FUM_DIMS(65)}},
     .max_binding = 2048},
    {.name = "row windows, column",
     .in = {{.shape = FUM_DIMS(2, 9, 65)}, {.shape = FUM_DIMS(2, 9, 1)}},
     .max_binding = 2048},
    {.name = "latents 64x64, 320",
     .in = {{.shape = FUM_DIMS(2, 64, 64, 320)}, {.shape = FUM_DIMS(2, 64, 64, 320)}},
     .bench = true},
};

#endif
