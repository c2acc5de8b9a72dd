// SPDX-License-Identifier: MIT
#include "check/case.h"

#define IN(kind, c, ...)                                                             \
    {                                                                                \
        {.shape = FUM_DIMS(__VA_ARGS__, c), .fill = kind}, {.shape = FUM_DIMS(c)}, { \
            .shape = FUM_DIMS(c)                                                     \
        }                                                                            \
    }

static const struct fum_op_case cases[] = {
    {.name = "one channel: variance 0", .in = IN(FUM_FILL_NORMAL, 1, 3)},
    {.name = "2 channels", .in = IN(FUM_FILL_NORMAL, 2, 5)},
    {.name = "63 channels", .in = IN(FUM_FILL_NORMAL, 63, 2, 9)},
    {.name = "64 channels, one row", .in = IN(FUM_FILL_NORMAL, 64, 1)},
    {.name = "65 channels", .in = IN(FUM_FILL_NORMAL, 65, 2, 33)},
    {.name = "prime 769 channels", .in = IN(FUM_FILL_NORMAL, 769, 77)},
    {.name = "without gamma and beta", .in = {{.shape = FUM_DIMS(7, 40)}}},
    {.name = "without beta", .in = {{.shape = FUM_DIMS(7, 41)}, {.shape = FUM_DIMS(41)}}},
    {.name = "mean 100, spread 1", .in = IN(FUM_FILL_OFFSET, 66, 17), .bound = {2e-5}},
    {.name = "huge values", .in = IN(FUM_FILL_HUGE, 67, 17)},
    {.name = "tiny values, eps 1e-12",
     .in = IN(FUM_FILL_TINY, 64, 17),
     .attrs = {{"eps", 1e-12}},
     .types = 1 << FUM_F32 | 1 << FUM_BF16},
    {.name = "no rows", .in = IN(FUM_FILL_NORMAL, 64, 0)},
    {.name = "windows", .in = IN(FUM_FILL_NORMAL, 65, 300), .max_binding = 8192},
    {.name = "one channel, on a GPU", .in = IN(FUM_FILL_NORMAL, 1, 3), .as_gpu = true},
    {.name = "63 channels, on a GPU", .in = IN(FUM_FILL_NORMAL, 63, 2, 9), .as_gpu = true},
    {.name = "769 channels, on a GPU", .in = IN(FUM_FILL_NORMAL, 769, 77), .as_gpu = true},
    {.name = "mean 100, spread 1, on a GPU",
     .in = IN(FUM_FILL_OFFSET, 66, 17),
     .bound = {2e-5},
     .as_gpu = true},
    {.name = "without gamma and beta, on a GPU",
     .in = {{.shape = FUM_DIMS(7, 40)}},
     .as_gpu = true},
    {.name = "windows, on a GPU",
     .in = IN(FUM_FILL_NORMAL, 65, 300),
     .max_binding = 8192,
     .as_gpu = true},
    {.name = "4096 x 320", .in = IN(FUM_FILL_NORMAL, 320, 2, 4096), .bench = true},
    {.name = "1024 x 640", .in = IN(FUM_FILL_NORMAL, 640, 2, 1024), .bench = true},
    {.name = "77 x 768", .in = IN(FUM_FILL_NORMAL, 768, 2, 77), .bench = true},
    {.name = "4096 x 640", .in = IN(FUM_FILL_NORMAL, 640, 2, 4096), .bench = true},
    {.name = "1024 x 1280", .in = IN(FUM_FILL_NORMAL, 1280, 2, 1024), .bench = true},
};

const struct fum_op_cases fum_cases_layer_norm = FUM_CASES(layer_norm, cases);
