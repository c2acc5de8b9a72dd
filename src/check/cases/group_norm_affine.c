// SPDX-License-Identifier: MIT
#include "check/case.h"

#define IN(c, ...)                                                     \
    {                                                                  \
        {.shape = FUM_DIMS(__VA_ARGS__, c)}, {.shape = FUM_DIMS(c)}, { \
            .shape = FUM_DIMS(c)                                       \
        }                                                              \
    }
#define FILLED(kind, c, ...)                                                         \
    {                                                                                \
        {.shape = FUM_DIMS(__VA_ARGS__, c), .fill = kind}, {.shape = FUM_DIMS(c)}, { \
            .shape = FUM_DIMS(c)                                                     \
        }                                                                            \
    }
#define TWO(c, c1, ...)                                                       \
    {                                                                         \
        {.shape = FUM_DIMS(__VA_ARGS__, c)}, {.shape = FUM_DIMS((c) + (c1))}, \
            {.shape = FUM_DIMS((c) + (c1))}, {                                \
            .shape = FUM_DIMS(__VA_ARGS__, c1)                                \
        }                                                                     \
    }
// The result is f32 whatever the storage type is.
#define F32_BOUND \
    { 1e-5, 1e-5, 1e-5 }

static const struct fum_op_case cases[] = {
    {.name = "one element: variance 0", .in = IN(1, 1, 1), .attrs = {{"groups", 1}}},
    {.name = "320 channels: 10 a group",
     .in = IN(320, 1, 5, 7),
     .attrs = {{"groups", 32}},
     .bound = F32_BOUND},
    {.name = "one channel a group",
     .in = IN(65, 2, 9),
     .attrs = {{"groups", 65}},
     .bound = F32_BOUND},
    {.name = "one group of 63",
     .in = IN(63, 2, 3, 5),
     .attrs = {{"groups", 1}},
     .bound = F32_BOUND},
    {.name = "21 a group, three batches",
     .in = IN(63, 3, 11, 7),
     .attrs = {{"groups", 3}},
     .bound = F32_BOUND},
    {.name = "10 channels in 5 groups",
     .in = IN(10, 2, 7),
     .attrs = {{"groups", 5}},
     .bound = F32_BOUND},
    {.name = "7 channels in one group: chunks",
     .in = IN(7, 1, 9000),
     .attrs = {{"groups", 1}},
     .bound = F32_BOUND},
    {.name = "65 rows", .in = IN(64, 1, 65), .attrs = {{"groups", 32}}, .bound = F32_BOUND},
    {.name = "1030 rows", .in = IN(12, 2, 1030), .attrs = {{"groups", 2}}, .bound = F32_BOUND},
    {.name = "mean 100, spread 1",
     .in = FILLED(FUM_FILL_OFFSET, 64, 2, 16, 9),
     .attrs = {{"groups", 16}},
     .bound = {2e-5, 2e-5, 2e-5}},
    {.name = "huge values", .in = FILLED(FUM_FILL_HUGE, 64, 1, 11, 9), .attrs = {{"groups", 32}}},
    {.name = "all zero", .in = FILLED(FUM_FILL_ZERO, 64, 1, 4, 4), .attrs = {{"groups", 32}}},
    {.name = "20,000 rows in one group: chunks", .in = IN(8, 1, 20000), .attrs = {{"groups", 1}}},
    {.name = "windows of rows",
     .in = IN(20, 2, 20, 50),
     .attrs = {{"groups", 4}},
     .max_binding = 24576},
    {.name = "no batches", .in = IN(32, 0, 4), .attrs = {{"groups", 8}}},
    {.name = "two of 640 + 320 channels",
     .in = TWO(640, 320, 2, 5, 3),
     .attrs = {{"groups", 32}},
     .bound = F32_BOUND},
    {.name = "320 channels, on a GPU",
     .in = IN(320, 2, 9, 7),
     .attrs = {{"groups", 32}},
     .bound = F32_BOUND,
     .as_gpu = true},
    {.name = "21 a group, on a GPU",
     .in = IN(63, 3, 11, 57),
     .attrs = {{"groups", 3}},
     .bound = F32_BOUND,
     .as_gpu = true},
    {.name = "320 at 64x64", .in = IN(320, 2, 64, 64), .attrs = {{"groups", 32}}, .bench = true},
    {.name = "640 at 32x32", .in = IN(640, 2, 32, 32), .attrs = {{"groups", 32}}, .bench = true},
    {.name = "1280 at 16x16", .in = IN(1280, 2, 16, 16), .attrs = {{"groups", 32}}, .bench = true},
    {.name = "2560 at 8x8", .in = IN(2560, 2, 8, 8), .attrs = {{"groups", 32}}, .bench = true},
    {.name = "512 at 64x64", .in = IN(512, 1, 64, 64), .attrs = {{"groups", 32}}, .bench = true},
};

const struct fum_op_cases fum_cases_group_norm_affine = FUM_CASES(group_norm_affine, cases);
