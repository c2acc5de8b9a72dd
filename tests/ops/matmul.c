#include "ops/case.h"

#define X(...) {.shape = FUM_DIMS(__VA_ARGS__)}
#define NONE {{0}, 0, 0, 0}
#define BENCH(m, k, n) {.name = #m " x " #k " x " #n, .in = {X(m, k), X(k, n)}, .bench = true}

static const struct fum_op_case cases[] = {
    {.name = "one element", .in = {X(1, 1), X(1, 1)}},
    {.name = "1 x 1 x 65", .in = {X(1, 1), X(1, 65)}},
    {.name = "63 x 65 x 64", .in = {X(63, 65), X(65, 64)}},
    {.name = "65 x 63 x 130", .in = {X(65, 63), X(63, 130)}},
    {.name = "k 2", .in = {X(5, 2), X(2, 7)}},
    {.name = "k 0: the bias alone", .in = {X(3, 0), X(0, 5), X(5)}},
    {.name = "no rows", .in = {X(0, 8), X(8, 8)}},
    {.name = "no columns", .in = {X(4, 8), X(8, 0)}},
    {.name = "no batches", .in = {X(0, 3, 8), X(0, 8, 8)}},
    {.name = "primes", .in = {X(31, 101), X(101, 37), X(37)}},
    {.name = "3 columns", .in = {X(200, 64), X(64, 3), X(3)}},
    {.name = "two rows, 257 columns", .in = {X(2, 64), X(64, 257), X(257)}},
    {.name = "huge values", .in = {{.shape = FUM_DIMS(9, 64), .fill = FUM_FILL_HUGE}, {.shape = FUM_DIMS(64, 9), .fill = FUM_FILL_TINY}}},
    {.name = "large mean", .in = {{.shape = FUM_DIMS(17, 63), .fill = FUM_FILL_OFFSET}, X(63, 33)}},
    {.name = "tiny values", .in = {{.shape = FUM_DIMS(8, 40), .fill = FUM_FILL_TINY}, X(40, 8)}, .types = 1 << FUM_F32 | 1 << FUM_BF16},
    {.name = "scale", .in = {X(13, 20), X(20, 12), X(12)}, .attrs = {{"scale", 0.125}}},
    {.name = "transposed", .in = {X(13, 63), X(30, 63)}, .attrs = {{"transpose_b", 1}}},
    {.name = "transposed, 5 outputs of k 65", .in = {X(70, 65), X(5, 65), X(5)}, .attrs = {{"transpose_b", 1}}},
    {.name = "silu", .in = {X(6, 33), X(33, 18), X(18)}, .attrs = {{"act", FUM_ACT_SILU}}},
    {.name = "gelu", .in = {X(6, 33), X(33, 18), X(18)}, .attrs = {{"act", FUM_ACT_GELU}}},
    {.name = "quick gelu and residual", .in = {X(6, 33), X(33, 18), X(18), NONE, X(6, 18)}, .attrs = {{"act", FUM_ACT_QUICK_GELU}}},
    {.name = "residual alone", .in = {X(2, 7, 16), X(16, 21), NONE, NONE, X(2, 7, 21)}},
    {.name = "row for all", .in = {X(2, 7, 16), X(16, 21), NONE, X(1, 1, 21)}},
    {.name = "row per batch, all epilogues", .in = {X(3, 7, 16), X(16, 21), X(21), X(3, 1, 21), X(3, 7, 21)}, .attrs = {{"act", FUM_ACT_TANH}}},
    {.name = "shared weight over [2, 3, 5, 12]", .in = {X(2, 3, 5, 12), X(12, 10)}},
    {.name = "batched", .in = {X(3, 17, 20), X(3, 20, 9)}},
    {.name = "batched, transposed, k 63", .in = {X(2, 2, 9, 63), X(2, 2, 31, 63)}, .attrs = {{"transpose_b", 1}, {"scale", 0.5}}},
    {.name = "batched, row per batch, residual", .in = {X(3, 9, 8), X(3, 8, 6), X(6), X(3, 1, 6), X(3, 9, 6)}},
    {.name = "batch of the weight broadcast", .in = {X(3, 5, 8), X(1, 8, 6)}},
    {.name = "inner batch broadcast", .in = {X(2, 3, 5, 8), X(2, 1, 8, 6)}},
    {.name = "outer batch broadcast", .in = {X(2, 3, 5, 8), X(1, 3, 8, 6)}},
    BENCH(1024, 1024, 1024),
    BENCH(4096, 320, 320),
    BENCH(4096, 320, 2560),
    BENCH(4096, 1280, 320),
    BENCH(1024, 640, 640),
    BENCH(256, 1280, 1280),
    BENCH(64, 1280, 1280),
    BENCH(154, 768, 320),
    BENCH(2, 1280, 1280),
};

const struct fum_op_cases fum_cases_matmul = FUM_CASES(matmul, cases);
