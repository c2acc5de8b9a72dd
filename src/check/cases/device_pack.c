// SPDX-License-Identifier: MIT
#include "check/case.h"

#define ROW(n)                   \
    {                            \
        { .shape = FUM_DIMS(n) } \
    }
#define SHAPE2(a, b)          \
    {"rank", 2}, {"d0", a}, { \
        "d1", b               \
    }
#define SHAPE4(a, b, c, d)                          \
    {"rank", 4}, {"d0", a}, {"d1", b}, {"d2", c}, { \
        "d3", d                                     \
    }

static const struct fum_op_case cases[] = {
    {.name = "a bias", .in = ROW(65), .attrs = {{"rank", 1}, {"d0", 65}}},
    {.name = "rows of 63", .in = ROW(5 * 63), .attrs = {SHAPE2(5, 63)}},
    {.name = "linear 1", .in = ROW(1), .attrs = {{"pack", FUM_PACK_LINEAR}, SHAPE2(1, 1)}},
    {.name = "linear 65 to 37",
     .in = ROW(65 * 37),
     .attrs = {{"pack", FUM_PACK_LINEAR}, SHAPE2(65, 37)}},
    {.name = "linear, huge values",
     .in = {{.shape = FUM_DIMS(64 * 9), .fill = FUM_FILL_HUGE}},
     .attrs = {{"pack", FUM_PACK_LINEAR}, SHAPE2(64, 9)}},
    {.name = "convolution 3x3, 7 to 10",
     .in = ROW(3 * 3 * 7 * 10),
     .attrs = {{"pack", FUM_PACK_CONV}, SHAPE4(3, 3, 7, 10)}},
    {.name = "convolution 2x1",
     .in = ROW(2 * 4 * 3),
     .attrs = {{"pack", FUM_PACK_CONV}, SHAPE4(2, 1, 4, 3)}},
    {.name = "to f32",
     .in = ROW(33 * 6),
     .attrs = {{"pack", FUM_PACK_LINEAR}, {"dtype", FUM_F32}, SHAPE2(33, 6)}},
    {.name = "to f16",
     .in = ROW(33 * 6),
     .attrs = {{"pack", FUM_PACK_LINEAR}, {"dtype", FUM_F16}, SHAPE2(33, 6)},
     .bound = {2e-3, 2e-3, 2e-3}},
    {.name = "to f16, subnormal",
     .in = {{.shape = FUM_DIMS(33 * 6), .fill = FUM_FILL_TINY}},
     .attrs = {{"dtype", FUM_F16}, SHAPE2(33, 6)},
     .bound = {3e-2, 3e-2, 3e-2}},
    {.name = "to bf16",
     .in = ROW(33 * 6),
     .attrs = {{"dtype", FUM_BF16}, SHAPE2(33, 6)},
     .bound = {1.6e-2, 1.6e-2, 1.6e-2}},
    {.name = "nothing", .in = ROW(0), .attrs = {{"pack", FUM_PACK_LINEAR}, SHAPE2(0, 8)}},
    {.name = "convolution 3x3, 320 to 320",
     .in = ROW(9 * 320 * 320),
     .attrs = {{"pack", FUM_PACK_CONV}, SHAPE4(3, 3, 320, 320)},
     .bench = true},
};

const struct fum_op_cases fum_cases_device_pack = FUM_CASES(device_pack, cases);
