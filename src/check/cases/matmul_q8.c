// SPDX-License-Identifier: MIT
// Bounds are those of the kernels that multiply the weight out; for those that round x too the op
// states its own.
#include "check/case.h"

#define X(...) \
    { .shape = FUM_DIMS(__VA_ARGS__) }
#define Q8(k, n) \
    { .shape = FUM_DIMS(k / 32 * 9, n), .fill = FUM_FILL_Q8, .type = FUM_CASE_F32 }
#define Q8S(b, k, n) \
    { .shape = FUM_DIMS(b, k / 32 * 9, n), .fill = FUM_FILL_Q8, .type = FUM_CASE_F32 }
#define NONE \
    { {0}, 0, 0, 0 }
#define BENCH(m, k, n) \
    { .name = #m " x " #k " x " #n, .in = {X(m, k), Q8(k, n)}, .bench = true }

static const struct fum_op_case cases[] = {
    {.name = "one row, one column", .in = {X(1, 32), Q8(32, 1)}},
    {.name = "63 x 64 x 65", .in = {X(63, 64), Q8(64, 65)}},
    {.name = "31 x 96 x 37", .in = {X(31, 96), Q8(96, 37), X(37)}},
    {.name = "3 columns", .in = {X(200, 64), Q8(64, 3), X(3)}},
    {.name = "two rows, 257 columns", .in = {X(2, 64), Q8(64, 257), X(257)}},
    {.name = "k 0: the bias alone", .in = {X(3, 0), Q8(0, 5), X(5)}},
    {.name = "no rows", .in = {X(0, 32), Q8(32, 8)}},
    {.name = "no columns", .in = {X(4, 32), Q8(32, 0)}},
    {.name = "zeros", .in = {{.shape = FUM_DIMS(4, 64), .fill = FUM_FILL_ZERO}, Q8(64, 8)}},
    // Not in f16: sums of 16 terms are over its range, in which variant "f16" has them.
    {.name = "huge values",
     .in = {{.shape = FUM_DIMS(9, 64), .fill = FUM_FILL_HUGE}, Q8(64, 9)},
     .attrs = {{"scale", 1e-4}},
     .types = 1 << FUM_F32 | 1 << FUM_BF16},
    {.name = "tiny values",
     .in = {{.shape = FUM_DIMS(8, 64), .fill = FUM_FILL_TINY}, Q8(64, 8)},
     .types = 1 << FUM_F32 | 1 << FUM_BF16},
    {.name = "large mean",
     .in = {{.shape = FUM_DIMS(17, 64), .fill = FUM_FILL_OFFSET}, Q8(64, 33)}},
    {.name = "scale", .in = {X(13, 32), Q8(32, 12), X(12)}, .attrs = {{"scale", 0.125}}},
    {.name = "silu", .in = {X(6, 64), Q8(64, 18), X(18)}, .attrs = {{"act", FUM_ACT_SILU}}},
    {.name = "quick gelu and residual",
     .in = {X(6, 64), Q8(64, 18), X(18), NONE, X(6, 18)},
     .attrs = {{"act", FUM_ACT_QUICK_GELU}}},
    {.name = "residual alone", .in = {X(2, 7, 32), Q8(32, 21), NONE, NONE, X(2, 7, 21)}},
    {.name = "row for all", .in = {X(2, 7, 32), Q8(32, 21), NONE, X(1, 1, 21)}},
    {.name = "row per batch, all epilogues",
     .in = {X(3, 7, 32), Q8(32, 21), X(21), X(3, 1, 21), X(3, 7, 21)},
     .attrs = {{"act", FUM_ACT_TANH}}},
    {.name = "one x for three weights", .in = {X(1, 17, 64), Q8S(3, 64, 12)}},
    {.name = "one x for two weights, row per weight",
     .in = {X(1, 77, 96), Q8S(2, 96, 10), NONE, X(2, 1, 10)}},
    {.name = "one x for three weights, as a GPU",
     .in = {X(1, 70, 320), Q8S(3, 320, 132)},
     .as_gpu = true},
    {.name = "windows of rows",
     .in = {X(700, 32), Q8(32, 18), X(18), NONE, X(700, 18)},
     .max_binding = 16384},
    {.name = "windows of rows, x in one",
     .in = {X(300, 32), Q8(32, 20), X(20), NONE, X(300, 20)},
     .max_binding = 20480},
    {.name = "windows of rows, row per batch",
     .in = {X(3, 130, 32), Q8(32, 18), NONE, X(3, 1, 18)},
     .max_binding = 16384},
    {.name = "as a GPU, 70 x 320 x 132", .in = {X(70, 320), Q8(320, 132), X(132)}, .as_gpu = true},
    {.name = "100 x 1280 x 640",
     .in = {X(100, 1280), Q8(1280, 640), X(640)},
     .types = 1 << FUM_F32},
    {.name = "gated, 13 x 32 x 8",
     .in = {X(13, 32), Q8(32, 8), X(8)},
     .attrs = {{"gate", FUM_ACT_GELU}}},
    {.name = "gated, 24 columns, no bias",
     .in = {X(2, 5, 64), Q8(64, 24)},
     .attrs = {{"gate", FUM_ACT_SILU}}},
    {.name = "gated, 40 columns, scale",
     .in = {X(2, 33, 96), Q8(96, 40), X(40)},
     .attrs = {{"gate", FUM_ACT_GELU}, {"scale", 0.125}}},
    {.name = "gated, 130 x 320 x 1352: the large kernel",
     .in = {X(130, 320), Q8(320, 1352), X(1352)},
     .attrs = {{"gate", FUM_ACT_GELU}},
     .types = 1 << FUM_F32},
    {.name = "gated, 130 x 640 x 1024: two quads a lane",
     .in = {X(130, 640), Q8(640, 1024), X(1024)},
     .attrs = {{"gate", FUM_ACT_GELU}},
     .types = 1 << FUM_F32},
    {.name = "gated, as a GPU, 70 x 64 x 136",
     .in = {X(70, 64), Q8(64, 136), X(136)},
     .attrs = {{"gate", FUM_ACT_GELU}},
     .as_gpu = true},
    {.name = "gated, k 0: the bias alone",
     .in = {X(3, 0), Q8(0, 16), X(16)},
     .attrs = {{"gate", FUM_ACT_GELU}}},
    {.name = "gated, windows of rows",
     .in = {X(700, 32), Q8(32, 48), X(48)},
     .attrs = {{"gate", FUM_ACT_GELU}},
     .max_binding = 16384},
    {.name = "gated, 4096 x 320 x 2560",
     .in = {X(4096, 320), Q8(320, 2560), X(2560)},
     .attrs = {{"gate", FUM_ACT_GELU}},
     .bench = true},
    BENCH(4096, 320, 320),
    BENCH(4096, 320, 2560),
    BENCH(1024, 640, 640),
    BENCH(256, 1280, 1280),
    BENCH(256, 1280, 10240),
    BENCH(64, 1280, 1280),
};

const struct fum_op_cases fum_cases_matmul_q8 = FUM_CASES(matmul_q8, cases);
