// SPDX-License-Identifier: MIT
#include "check/case.h"

#define X(...) \
    { .shape = FUM_DIMS(__VA_ARGS__) }
#define NONE \
    { {0}, 0, 0, 0 }
#define PAD \
    { "pad", 1 }
#define NORM(batch, channels) \
    { .shape = FUM_DIMS(batch, 2, channels), .type = FUM_CASE_F32 }

// Tiles of 4 x 4 pixels have 36 points, those of 2 x 2 have 16. U is f32 or f16, whatever the
// storage type.
#define U32(points, in, out) \
    { .shape = FUM_DIMS(points, in, out), .type = FUM_CASE_F32 }
#define U16(points, in, out) \
    { .shape = FUM_DIMS(points, in, out), .type = FUM_CASE_F16 }
// The same in panels of 32 outputs.
#define P32(points, panels, in) \
    { .shape = FUM_DIMS(points, panels, in, 32), .type = FUM_CASE_F32 }
#define P16(points, panels, in) \
    { .shape = FUM_DIMS(points, panels, in, 32), .type = FUM_CASE_F16 }
// The sums of F(4x4) over normal values would leave f16's range.
#define TINY(points, in, out) \
    { .shape = FUM_DIMS(points, in, out), .fill = FUM_FILL_TINY, .type = FUM_CASE_F32 }
#define CASES(tile, points, weight, type_mask, U)                                            \
    {.types = type_mask,                                                                     \
     .name = tile weight ": one tile",                                                       \
     .in = {X(1, 4, 4, 8), U(points, 8, 12)},                                                \
     .attrs = {PAD}},                                                                        \
        {.types = type_mask,                                                                 \
         .name = tile weight ": one pixel",                                                  \
         .in = {X(1, 1, 1, 5), U(points, 5, 33), X(33)},                                     \
         .attrs = {PAD}},                                                                    \
        {.types = type_mask,                                                                 \
         .name = tile weight ": edges of tiles, odd channels",                               \
         .in = {X(1, 7, 9, 31), U(points, 31, 35), X(35)},                                   \
         .attrs = {PAD}},                                                                    \
        {.types = type_mask,                                                                 \
         .name = tile weight ": two images, all epilogues",                                  \
         .in = {X(2, 9, 6, 32), U(points, 32, 40), X(40), X(2, 1, 1, 40), X(2, 9, 6, 40)},   \
         .attrs = {PAD, {"act", FUM_ACT_SILU}}},                                             \
        {.types = type_mask,                                                                 \
         .name = tile weight ": row for all images",                                         \
         .in = {X(2, 5, 5, 8), U(points, 8, 36), NONE, X(1, 1, 1, 36)},                      \
         .attrs = {PAD}},                                                                    \
        {.types = type_mask,                                                                 \
         .name = tile weight ": doubled",                                                    \
         .in = {X(2, 5, 3, 9), U(points, 9, 41), X(41)},                                     \
         .attrs = {PAD, {"upsample", 1}}},                                                   \
        {.types = type_mask,                                                                 \
         .name = tile weight ": normalised, silu",                                           \
         .in = {X(2, 6, 7, 17), U(points, 17, 33), X(33), NONE, NONE, NORM(2, 17)},          \
         .attrs = {PAD, {"norm_act", FUM_ACT_SILU}}},                                        \
        {.types = type_mask,                                                                 \
         .name = tile weight ": 64 channels, 33x31",                                         \
         .in = {X(1, 33, 31, 64), U(points, 64, 64), X(64)},                                 \
         .attrs = {PAD}},                                                                    \
        {.types = type_mask,                                                                 \
         .name = tile weight ": no images",                                                  \
         .in = {X(0, 6, 6, 8), U(points, 8, 36)},                                            \
         .attrs = {PAD}},                                                                    \
        {.types = type_mask,                                                                 \
         .name = tile weight ": windows of images",                                          \
         .in = {X(5, 8, 8, 12), U(points, 12, 36), X(36), X(5, 1, 1, 36)},                   \
         .attrs = {PAD},                                                                     \
         .max_binding = 65536},                                                              \
        {.types = type_mask,                                                                 \
         .name = tile weight ": windows of rows of tiles",                                   \
         .in = {X(2, 33, 8, 12), U(points, 12, 36), X(36), X(2, 1, 1, 36), X(2, 33, 8, 36)}, \
         .attrs = {PAD},                                                                     \
         .max_binding = 32768},                                                              \
        {.types = type_mask,                                                                 \
         .name = tile weight ": windows of rows of tiles, doubled, normalised",              \
         .in = {X(1, 19, 8, 12), U(points, 12, 36), NONE, NONE, NONE, NORM(1, 12)},          \
         .attrs = {PAD, {"upsample", 1}, {"norm_act", FUM_ACT_SILU}},                        \
         .max_binding = 32768},                                                              \
    {                                                                                        \
        .types = type_mask, .name = tile weight ": products in parts",                       \
        .in = {X(1, 4, 4, 32), U(points, 32, 64)}, .attrs = {PAD}, .max_binding = 32768      \
    }
#define HUGE(tile, points)                                                                    \
    {                                                                                         \
        .types = 1 << FUM_F32, .name = tile ": huge values",                                  \
        .in = {{.shape = FUM_DIMS(1, 6, 6, 16), .fill = FUM_FILL_HUGE}, U32(points, 16, 36)}, \
        .attrs = {                                                                            \
            PAD                                                                               \
        }                                                                                     \
    }

#define BENCH(tile, points, type_mask, U, batch, size, from, to)                        \
    {                                                                                   \
        .types = type_mask, .name = tile ": 3x3 " #from " to " #to " at " #size,        \
        .in = {X(batch, size, size, from), U(points, from, to), X(to)}, .attrs = {PAD}, \
        .bench = true                                                                   \
    }

#define BENCH_PANELS(tile, points, batch, size, from, to)                                        \
    {                                                                                            \
        .types = 1 << FUM_F32, .name = tile ": 3x3 " #from " to " #to " at " #size ", panels",   \
        .in = {X(batch, size, size, from), P32(points, (to) / 32, from), X(to)}, .attrs = {PAD}, \
        .bench = true                                                                            \
    }

enum { F32 = 1 << FUM_F32, NOT_F32 = 1 << FUM_F16 | 1 << FUM_BF16 };
static const struct fum_op_case cases[] = {
    CASES("F4", 36, "", 0, U32),
    CASES("F2", 16, "", F32, U32),
    CASES("F2", 16, " f16", NOT_F32, U16),
    HUGE("F4", 36),
    HUGE("F2", 16),
    {.name = "F4 f16", .in = {X(1, 7, 9, 31), U16(36, 31, 35), X(35)}, .attrs = {PAD}},
    {.types = F32,
     .name = "F2 f16",
     .in = {X(1, 7, 9, 31), U16(16, 31, 35), X(35)},
     .attrs = {PAD}},
    {.name = "F4 panels, edges of tiles",
     .in = {X(1, 7, 9, 31), P32(36, 3, 31), X(96)},
     .attrs = {PAD}},
    {.types = F32,
     .name = "F2 panels, all epilogues",
     .in = {X(2, 9, 6, 32), P32(16, 2, 32), X(64), X(2, 1, 1, 64), X(2, 9, 6, 64)},
     .attrs = {PAD, {"act", FUM_ACT_SILU}}},
    {.types = NOT_F32,
     .name = "F2 panels f16",
     .in = {X(1, 7, 9, 31), P16(16, 2, 31), X(64)},
     .attrs = {PAD}},
    {.types = F32,
     .name = "F4 panels: products in parts",
     .in = {X(1, 4, 4, 32), P32(36, 2, 32)},
     .attrs = {PAD},
     .max_binding = 32768},
    BENCH_PANELS("F4", 36, 2, 32, 320, 320),
    BENCH_PANELS("F2", 16, 2, 16, 640, 640),
    BENCH_PANELS("F2", 16, 2, 8, 1280, 1280),
    {.name = "taps, one tile", .in = {X(1, 2, 2, 8), X(3, 3, 8, 12)}, .attrs = {PAD}},
    {.name = "taps, edges of tiles, odd channels",
     .in = {X(1, 7, 9, 31), X(3, 3, 31, 35), X(35)},
     .attrs = {PAD}},
    {.name = "taps, doubled",
     .in = {X(2, 5, 3, 9), X(3, 3, 9, 41), X(41)},
     .attrs = {PAD, {"upsample", 1}}},
    {.name = "taps, many pixels, all epilogues",
     .in = {X(2, 23, 25, 17), X(3, 3, 17, 20), X(20), X(2, 1, 1, 20), X(2, 23, 25, 20)},
     .attrs = {PAD, {"act", FUM_ACT_SILU}}},
    {.name = "16 of 28, 32 to 32",
     .in = {X(16, 28, 28, 32), X(3, 3, 32, 32)},
     .attrs = {PAD},
     .bench = true,
     .types = F32},
    {.name = "16 of 14, 128 to 64",
     .in = {X(16, 14, 14, 128), X(3, 3, 128, 64)},
     .attrs = {PAD},
     .bench = true,
     .types = F32},
    BENCH("F4", 36, F32, U32, 2, 32, 320, 320),
    BENCH("F4", 36, 0, TINY, 2, 64, 320, 320),
    BENCH("F4", 36, F32, U32, 1, 64, 512, 512),
    BENCH("F4", 36, 0, TINY, 1, 128, 256, 256),
    BENCH("F2", 16, F32, U32, 2, 16, 640, 640),
    BENCH("F2", 16, F32, U32, 2, 8, 1280, 1280),
    BENCH("F2 f16", 16, NOT_F32, U16, 2, 32, 320, 320),
    BENCH("F2 f16", 16, NOT_F32, U16, 2, 16, 640, 640),
    BENCH("F2 f16", 16, NOT_F32, U16, 2, 8, 1280, 1280),
};
const struct fum_op_cases fum_cases_conv2d_winograd = FUM_CASES(conv2d_winograd, cases);
