// SPDX-License-Identifier: MIT
#include "check/case.h"

#define IN(c, ...)                                                     \
    {                                                                  \
        {.shape = FUM_DIMS(__VA_ARGS__, c)}, {.shape = FUM_DIMS(c)}, { \
            .shape = FUM_DIMS(c)                                       \
        }                                                              \
    }
#define TWO(c, c1, ...)                                                       \
    {                                                                         \
        {.shape = FUM_DIMS(__VA_ARGS__, c)}, {.shape = FUM_DIMS((c) + (c1))}, \
            {.shape = FUM_DIMS((c) + (c1))}, {                                \
            .shape = FUM_DIMS(__VA_ARGS__, c1)                                \
        }                                                                     \
    }
#define FILLED(kind, c, ...)                                                         \
    {                                                                                \
        {.shape = FUM_DIMS(__VA_ARGS__, c), .fill = kind}, {.shape = FUM_DIMS(c)}, { \
            .shape = FUM_DIMS(c)                                                     \
        }                                                                            \
    }

static const struct fum_op_case cases[] = {
    {.name = "one element: variance 0", .in = IN(1, 1, 1), .attrs = {{"groups", 1}}},
    {.name = "320 channels: 10 a group", .in = IN(320, 1, 5, 7), .attrs = {{"groups", 32}}},
    {.name = "one channel a group", .in = IN(65, 2, 9), .attrs = {{"groups", 65}}},
    {.name = "one group of 63", .in = IN(63, 2, 3, 5), .attrs = {{"groups", 1}}},
    {.name = "10 channels in 5 groups", .in = IN(10, 2, 7), .attrs = {{"groups", 5}}},
    {.name = "18 channels in 6 groups",
     .in = IN(18, 2, 3, 4),
     .attrs = {{"groups", 6}, {"act", FUM_ACT_SILU}}},
    {.name = "30 channels in 5 groups, 4 batches", .in = IN(30, 4, 9), .attrs = {{"groups", 5}}},
    {.name = "34 channels in 17 groups, 300 rows", .in = IN(34, 1, 300), .attrs = {{"groups", 17}}},
    {.name = "6 channels in 2 groups: chunks", .in = IN(6, 1, 9000), .attrs = {{"groups", 2}}},
    {.name = "5 channels in 5 groups, 2 batches", .in = IN(5, 2, 11), .attrs = {{"groups", 5}}},
    {.name = "65 rows", .in = IN(64, 1, 65), .attrs = {{"groups", 32}}},
    {.name = "130 rows, 3 batches, silu",
     .in = IN(96, 3, 13, 10),
     .attrs = {{"groups", 32}, {"act", FUM_ACT_SILU}}},
    {.name = "eps 1e-6",
     .in = FILLED(FUM_FILL_TINY, 32, 1, 64),
     .attrs = {{"groups", 8}, {"eps", 1e-6}},
     .types = 1 << FUM_F32 | 1 << FUM_BF16},
    // f16 and bf16 inputs are rounded before both sides read them; only the spread that is left
    // counts.
    {.name = "mean 100, spread 1",
     .in = FILLED(FUM_FILL_OFFSET, 64, 2, 16, 9),
     .attrs = {{"groups", 16}},
     .bound = {2e-5}},
    {.name = "huge values", .in = FILLED(FUM_FILL_HUGE, 64, 1, 11, 9), .attrs = {{"groups", 32}}},
    {.name = "all zero", .in = FILLED(FUM_FILL_ZERO, 64, 1, 4, 4), .attrs = {{"groups", 32}}},
    {.name = "20,000 rows: long chunks", .in = IN(8, 1, 20000), .attrs = {{"groups", 2}}},
    {.name = "no batches", .in = IN(32, 0, 4), .attrs = {{"groups", 8}}},
    {.name = "no rows", .in = IN(32, 2, 0), .attrs = {{"groups", 8}}},
    {.name = "windows of rows",
     .in = IN(20, 2, 20, 50),
     .attrs = {{"groups", 4}},
     .max_binding = 24576},
    {.name = "windows of batches",
     .in = IN(20, 7, 10, 10),
     .attrs = {{"groups", 4}, {"act", FUM_ACT_SILU}},
     .max_binding = 24576},
    {.name = "two of 640 + 320 channels: a group of both",
     .in = TWO(640, 320, 2, 5, 3),
     .attrs = {{"groups", 32}, {"act", FUM_ACT_SILU}}},
    {.name = "two of 64 + 32 channels, on a GPU",
     .in = TWO(64, 32, 1, 300),
     .attrs = {{"groups", 32}},
     .as_gpu = true},
    {.name = "320 channels, on a GPU",
     .in = IN(320, 2, 9, 7),
     .attrs = {{"groups", 32}, {"act", FUM_ACT_SILU}},
     .as_gpu = true},
    {.name = "640 channels of 300 rows, on a GPU",
     .in = IN(640, 1, 300),
     .attrs = {{"groups", 32}},
     .as_gpu = true},
    {.name = "34 channels in 17 groups, on a GPU",
     .in = IN(34, 1, 300),
     .attrs = {{"groups", 17}},
     .as_gpu = true},
    {.name = "21 channels in 3 groups, on a GPU",
     .in = IN(21, 3, 70),
     .attrs = {{"groups", 3}},
     .as_gpu = true},
    {.name = "3 a group, on a GPU",
     .in = IN(96, 1, 700),
     .attrs = {{"groups", 32}},
     .as_gpu = true},
    {.name = "1,100 a group, on a GPU",
     .in = IN(8800, 1, 3),
     .attrs = {{"groups", 8}},
     .as_gpu = true},
    {.name = "mean 100, spread 1, on a GPU",
     .in = FILLED(FUM_FILL_OFFSET, 64, 2, 16, 9),
     .attrs = {{"groups", 16}},
     .bound = {2e-5},
     .as_gpu = true},
    {.name = "320 at 64x64, silu",
     .in = IN(320, 2, 64, 64),
     .attrs = {{"groups", 32}, {"act", FUM_ACT_SILU}},
     .bench = true},
    {.name = "640 at 32x32, silu",
     .in = IN(640, 2, 32, 32),
     .attrs = {{"groups", 32}, {"act", FUM_ACT_SILU}},
     .bench = true},
    {.name = "1280 at 16x16, silu",
     .in = IN(1280, 2, 16, 16),
     .attrs = {{"groups", 32}, {"act", FUM_ACT_SILU}},
     .bench = true},
    {.name = "2560 at 8x8, silu",
     .in = IN(2560, 2, 8, 8),
     .attrs = {{"groups", 32}, {"act", FUM_ACT_SILU}},
     .bench = true},
    {.name = "128 at 512x512, silu",
     .in = IN(128, 1, 512, 512),
     .attrs = {{"groups", 32}, {"act", FUM_ACT_SILU}},
     .bench = true},
    {.name = "256 at 256x256, silu",
     .in = IN(256, 1, 256, 256),
     .attrs = {{"groups", 32}, {"act", FUM_ACT_SILU}},
     .bench = true},
    {.name = "320 at 128x128, silu",
     .in = IN(320, 2, 128, 128),
     .attrs = {{"groups", 32}, {"act", FUM_ACT_SILU}},
     .bench = true},
    {.name = "64 at 16x16 in 16 groups, silu",
     .in = IN(64, 2, 16, 16),
     .attrs = {{"groups", 16}, {"act", FUM_ACT_SILU}},
     .bench = true},
    {.name = "640 + 320 at 64x64, silu",
     .in = TWO(640, 320, 2, 64, 64),
     .attrs = {{"groups", 32}, {"act", FUM_ACT_SILU}},
     .bench = true},
    {.name = "960 at 64x64, silu",
     .in = IN(960, 2, 64, 64),
     .attrs = {{"groups", 32}, {"act", FUM_ACT_SILU}},
     .bench = true},
    {.name = "512 at 64x64, silu",
     .in = IN(512, 1, 64, 64),
     .attrs = {{"groups", 32}, {"act", FUM_ACT_SILU}},
     .bench = true},
};

const struct fum_op_cases fum_cases_group_norm = FUM_CASES(group_norm, cases);
