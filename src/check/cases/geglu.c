// SPDX-License-Identifier: MIT
#include "check/case.h"

static const struct fum_op_case cases[] = {
    {.name = "64 channels", .in = {{.shape = FUM_DIMS(2, 5, 128)}}},
    {.name = "one channel", .in = {{.shape = FUM_DIMS(5, 2)}}},
    {.name = "3 channels", .in = {{.shape = FUM_DIMS(5, 6)}}},
    {.name = "63 channels", .in = {{.shape = FUM_DIMS(2, 3, 126)}}},
    {.name = "65 channels", .in = {{.shape = FUM_DIMS(3, 130)}}},
    {.name = "66 channels", .in = {{.shape = FUM_DIMS(132)}}},
    {.name = "empty", .in = {{.shape = FUM_DIMS(0, 64)}}},
    {.name = "split into windows", .in = {{.shape = FUM_DIMS(17, 130)}}, .max_binding = 2048},
    {.name = "4096 tokens, 1280", .in = {{.shape = FUM_DIMS(2, 4096, 2560)}}, .bench = true},
    {.name = "1024 tokens, 5120", .in = {{.shape = FUM_DIMS(2, 1024, 10240)}}, .bench = true},
};

const struct fum_op_cases fum_cases_geglu = FUM_CASES(geglu, cases);
