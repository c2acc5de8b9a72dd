#include "ops/case.h"

#define QKV(b, tq, tk, c) \
    {{.shape = FUM_DIMS(b, tq, c)}, {.shape = FUM_DIMS(b, tk, c)}, {.shape = FUM_DIMS(b, tk, c)}}
#define HUGE_OF(...) {.shape = FUM_DIMS(__VA_ARGS__), .fill = FUM_FILL_HUGE}
#define TINY_OF(...) {.shape = FUM_DIMS(__VA_ARGS__), .fill = FUM_FILL_TINY}
#define OFFSET_OF(...) {.shape = FUM_DIMS(__VA_ARGS__), .fill = FUM_FILL_OFFSET}
#define BENCH(tq, tk, heads, d) \
    {.name = #heads " heads of " #d ", " #tq " on " #tk, .in = QKV(1, tq, tk, heads * d), \
     .attrs = {{"heads", heads}}, .bench = true}

static const struct fum_op_case cases[] = {
    {.name = "one token", .in = QKV(1, 1, 1, 4), .attrs = {{"heads", 1}}},
    {.name = "one key", .in = QKV(2, 9, 1, 16), .attrs = {{"heads", 2}}},
    {.name = "64 tokens, head 64", .in = QKV(1, 64, 64, 128), .attrs = {{"heads", 2}}},
    {.name = "65 on 63, head 40", .in = QKV(2, 65, 63, 80), .attrs = {{"heads", 2}}},
    {.name = "63 on 77, head 80", .in = QKV(1, 63, 77, 160), .attrs = {{"heads", 2}}},
    {.name = "31 on 37, head 160", .in = QKV(1, 31, 37, 320), .attrs = {{"heads", 2}}},
    {.name = "17 on 19, head 512", .in = QKV(1, 17, 19, 512), .attrs = {{"heads", 1}}},
    {.name = "head 96", .in = QKV(1, 10, 13, 192), .attrs = {{"heads", 2}}},
    {.name = "head 128", .in = QKV(1, 33, 16, 128), .attrs = {{"heads", 1}}},
    {.name = "head 4, 16 heads", .in = QKV(2, 5, 7, 64), .attrs = {{"heads", 16}}},
    {.name = "causal, 77 tokens", .in = QKV(1, 77, 77, 128), .attrs = {{"heads", 2}, {"causal", 1}}},
    {.name = "causal, 1 token", .in = QKV(1, 1, 1, 64), .attrs = {{"heads", 1}, {"causal", 1}}},
    {.name = "causal, 20 on 9", .in = QKV(2, 20, 9, 40), .attrs = {{"heads", 1}, {"causal", 1}}},
    {.name = "causal, 9 on 20", .in = QKV(2, 9, 20, 40), .attrs = {{"heads", 1}, {"causal", 1}}},
    {.name = "scale 1", .in = QKV(1, 12, 12, 8), .attrs = {{"heads", 1}, {"scale", 1}}},
    {.name = "huge scores", .in = {HUGE_OF(1, 16, 32), HUGE_OF(1, 16, 32), {.shape = FUM_DIMS(1, 16, 32)}},
     .attrs = {{"heads", 1}}},
    {.name = "tiny scores", .in = {TINY_OF(1, 16, 32), TINY_OF(1, 16, 32), {.shape = FUM_DIMS(1, 16, 32)}},
     .attrs = {{"heads", 1}}},
    {.name = "values with a large mean",
     .in = {{.shape = FUM_DIMS(1, 16, 32)}, {.shape = FUM_DIMS(1, 16, 32)}, OFFSET_OF(1, 16, 32)}, .attrs = {{"heads", 1}}},
    {.name = "a key that is not a number", // the last head of all queries is not one then
     .in = {{.shape = FUM_DIMS(1, 37, 128)}, {.shape = FUM_DIMS(1, 41, 128), .fill = FUM_FILL_NAN},
            {.shape = FUM_DIMS(1, 41, 128)}},
     .attrs = {{"heads", 2}}},
    {.name = "a query that is not a number",
     .in = {{.shape = FUM_DIMS(1, 37, 128), .fill = FUM_FILL_NAN}, {.shape = FUM_DIMS(1, 41, 128)},
            {.shape = FUM_DIMS(1, 41, 128)}},
     .attrs = {{"heads", 2}}},
    {.name = "no queries", .in = QKV(1, 0, 3, 32), .attrs = {{"heads", 1}}},
    {.name = "no batches", .in = QKV(0, 3, 3, 32), .attrs = {{"heads", 1}}},
    {.name = "one head of 512: scores in scratch", .in = QKV(1, 258, 261, 512), .types = 1 << FUM_F32},
    {.name = "scores in scratch, two batches", .in = QKV(2, 150, 703, 128), .attrs = {{"scale", 0.25}},
     .types = 1 << FUM_F32},
    {.name = "scores in scratch, queries in parts", .in = QKV(1, 300, 699, 128), .types = 1 << FUM_F32,
     .max_binding = 400000},
    {.name = "one head of 264, two batches, queries in parts", .in = QKV(2, 150, 300, 264),
     .types = 1 << FUM_F16 | 1 << FUM_BF16, .max_binding = 160000},
    // Work for which the kernels for CPU devices take more queries at once.
    {.name = "562 on 563, head 64: a large kernel", .in = QKV(1, 562, 563, 128), .attrs = {{"heads", 2}},
     .types = 1 << FUM_F32},
    {.name = "causal, 510 on 509, head 80: a large kernel", .in = QKV(1, 510, 509, 160),
     .attrs = {{"heads", 2}, {"causal", 1}}, .types = 1 << FUM_F32 | 1 << FUM_F16},
    {.name = "windows of queries", .in = QKV(1, 300, 7, 64), .attrs = {{"heads", 2}}, .max_binding = 16384},
    {.name = "windows of batches", .in = QKV(5, 60, 20, 64), .attrs = {{"heads", 2}}, .max_binding = 32768},
    {.name = "causal in windows", .in = QKV(2, 90, 20, 64), .attrs = {{"heads", 1}, {"causal", 1}},
     .max_binding = 16384},
    BENCH(4096, 4096, 8, 40),
    BENCH(1024, 1024, 8, 80),
    BENCH(256, 256, 8, 160),
    BENCH(64, 64, 8, 160),
    BENCH(4096, 77, 8, 40),
    BENCH(1024, 77, 8, 80),
    BENCH(1024, 1024, 10, 64),
    BENCH(1024, 1024, 1, 512),
    // Stable Diffusion 2.1 at 96x96 latents, XL at 128x128, the VAE's one head at 512x512 pixels.
    BENCH(9216, 9216, 5, 64),
    BENCH(2304, 2304, 10, 64),
    BENCH(4096, 4096, 10, 64),
    BENCH(1024, 1024, 20, 64),
    BENCH(4096, 77, 10, 64),
    BENCH(1024, 77, 20, 64),
    BENCH(4096, 4096, 1, 512),
    {.name = "12 heads of 64, causal, 77", .in = QKV(1, 77, 77, 768), .attrs = {{"heads", 12}, {"causal", 1}}, .bench = true},
    // The emoji model.
    BENCH(64, 64, 4, 32),
    BENCH(64, 24, 4, 32),
};

const struct fum_op_cases fum_cases_attention = FUM_CASES(attention, cases);
