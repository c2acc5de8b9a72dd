// SPDX-License-Identifier: MIT
// Bounds are those of the kernels that multiply the weight out; for those that round x too the op
// states its own.
#include "check/case.h"

#define X(...) \
    { .shape = FUM_DIMS(__VA_ARGS__) }
#define Q8(h, w, from, to) \
    { .shape = FUM_DIMS(h, w, from / 32 * 9, to), .fill = FUM_FILL_Q8, .type = FUM_CASE_F32 }
#define NORM(b, c) \
    { .shape = FUM_DIMS(b, 2, c), .type = FUM_CASE_F32 }
#define NONE \
    { {0}, 0, 0, 0 }
#define BENCH(size, from, to)                                                             \
    {                                                                                     \
        .name = "3x3 " #from " to " #to " at " #size,                                     \
        .in = {X(1, size, size, from), Q8(3, 3, from, to), X(to)}, .attrs = {{"pad", 1}}, \
        .bench = true                                                                     \
    }

static const struct fum_op_case cases[] = {
    {.name = "one pixel, 1x1", .in = {X(1, 1, 1, 32), Q8(1, 1, 32, 1)}},
    {.name = "one pixel, 3x3",
     .in = {X(1, 1, 1, 32), Q8(3, 3, 32, 6), X(6)},
     .attrs = {{"pad", 1}}},
    {.name = "1x1, 64 to 65", .in = {X(2, 5, 7, 64), Q8(1, 1, 64, 65), X(65)}},
    {.name = "1x1, row per image, residual",
     .in = {X(2, 3, 5, 32), Q8(1, 1, 32, 12), X(12), X(2, 1, 1, 12), X(2, 3, 5, 12)}},
    {.name = "1x1, stride 2", .in = {X(1, 5, 6, 32), Q8(1, 1, 32, 4)}, .attrs = {{"stride", 2}}},
    {.name = "3x3, 96 to 3", .in = {X(1, 17, 9, 96), Q8(3, 3, 96, 3), X(3)}, .attrs = {{"pad", 1}}},
    {.name = "3x3, 64 to 37",
     .in = {X(2, 7, 11, 64), Q8(3, 3, 64, 37), X(37)},
     .attrs = {{"pad", 1}}},
    {.name = "3x3 without padding", .in = {X(1, 6, 5, 32), Q8(3, 3, 32, 9)}},
    {.name = "stride 2",
     .in = {X(2, 8, 7, 32), Q8(3, 3, 32, 20), X(20)},
     .attrs = {{"stride", 2}, {"pad", 1}}},
    {.name = "doubled",
     .in = {X(2, 5, 3, 32), Q8(3, 3, 32, 13), X(13)},
     .attrs = {{"pad", 1}, {"upsample", 1}}},
    {.name = "2x1 kernel", .in = {X(1, 4, 5, 32), Q8(2, 1, 32, 7)}},
    {.name = "all epilogues",
     .in = {X(3, 5, 4, 32), Q8(3, 3, 32, 10), X(10), X(3, 1, 1, 10), X(3, 5, 4, 10)},
     .attrs = {{"pad", 1}, {"act", FUM_ACT_RELU}}},
    {.name = "no images", .in = {X(0, 6, 6, 32), Q8(3, 3, 32, 8)}, .attrs = {{"pad", 1}}},
    {.name = "no input channels",
     .in = {X(1, 4, 4, 0), Q8(3, 3, 0, 5), X(5)},
     .attrs = {{"pad", 1}}},
    {.name = "8x8, 320 to 512: two quads a lane",
     .in = {X(1, 8, 8, 320), Q8(3, 3, 320, 512), X(512)},
     .attrs = {{"pad", 1}},
     .types = 1 << FUM_F32},
    {.name = "as a GPU, 9x8, 64 to 132",
     .in = {X(1, 9, 8, 64), Q8(3, 3, 64, 132), X(132)},
     .attrs = {{"pad", 1}},
     .as_gpu = true},
    {.name = "windows of rows",
     .in = {X(2, 33, 8, 32), Q8(3, 3, 32, 9), X(9), X(2, 1, 1, 9), X(2, 33, 8, 9)},
     .attrs = {{"pad", 1}},
     .max_binding = 16384},
    {.name = "normalised with silu, three images",
     .in = {X(3, 5, 4, 32), Q8(3, 3, 32, 10), X(10), X(3, 1, 1, 10), X(3, 5, 4, 10), NORM(3, 32)},
     .attrs = {{"pad", 1}, {"norm_act", FUM_ACT_SILU}}},
    BENCH(64, 320, 320),
    BENCH(32, 640, 640),
    BENCH(16, 1280, 1280),
    BENCH(8, 1280, 1280),
};

const struct fum_op_cases fum_cases_conv2d_q8 = FUM_CASES(conv2d_q8, cases);
