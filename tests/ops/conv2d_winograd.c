#include "ops/case.h"

#define X(...)                                                                                               \
    { .shape = FUM_DIMS(__VA_ARGS__) }
#define NONE                                                                                                 \
    { {0}, 0, 0, 0 }
#define PAD                                                                                                  \
    { "pad", 1 }
#define BENCH(batch, size, from, to)                                                                         \
    {                                                                                                        \
        .types = 1 << FUM_F32, .name = "3x3 " #from " to " #to " at " #size,                                 \
        .in = {X(batch, size, size, from), X(36, from, to), X(to)}, .attrs = {PAD}, .bench = true            \
    }

static const struct fum_op_case cases[] = {
    {.types = 1 << FUM_F32, .name = "one tile", .in = {X(1, 4, 4, 8), X(36, 8, 12)}, .attrs = {PAD}},
    {.types = 1 << FUM_F32, .name = "one pixel", .in = {X(1, 1, 1, 5), X(36, 5, 33), X(33)}, .attrs = {PAD}},
    {.types = 1 << FUM_F32,
     .name = "edges of tiles, odd channels",
     .in = {X(1, 7, 9, 31), X(36, 31, 35), X(35)},
     .attrs = {PAD}},
    {.types = 1 << FUM_F32,
     .name = "two images, all epilogues",
     .in = {X(2, 9, 6, 32), X(36, 32, 40), X(40), X(2, 1, 1, 40), X(2, 9, 6, 40)},
     .attrs = {PAD, {"act", FUM_ACT_SILU}}},
    {.types = 1 << FUM_F32,
     .name = "row for all images",
     .in = {X(2, 5, 5, 8), X(36, 8, 36), NONE, X(1, 1, 1, 36)},
     .attrs = {PAD}},
    {.types = 1 << FUM_F32,
     .name = "doubled",
     .in = {X(2, 5, 3, 9), X(36, 9, 41), X(41)},
     .attrs = {PAD, {"upsample", 1}}},
    {.types = 1 << FUM_F32,
     .name = "normalised, silu",
     .in = {X(2, 6, 7, 17),
            X(36, 17, 33),
            X(33),
            NONE,
            NONE,
            {.shape = FUM_DIMS(2, 2, 17), .type = FUM_CASE_F32}},
     .attrs = {PAD, {"norm_act", FUM_ACT_SILU}}},
    {.types = 1 << FUM_F32,
     .name = "64 channels, 33x31",
     .in = {X(1, 33, 31, 64), X(36, 64, 64), X(64)},
     .attrs = {PAD}},
    {.types = 1 << FUM_F32,
     .name = "huge values",
     .in = {{.shape = FUM_DIMS(1, 6, 6, 16), .fill = FUM_FILL_HUGE}, X(36, 16, 36)},
     .attrs = {PAD}},
    {.types = 1 << FUM_F32, .name = "no images", .in = {X(0, 6, 6, 8), X(36, 8, 36)}, .attrs = {PAD}},
    {.types = 1 << FUM_F32,
     .name = "windows of images",
     .in = {X(5, 8, 8, 12), X(36, 12, 36), X(36), X(5, 1, 1, 36)},
     .attrs = {PAD},
     .max_binding = 65536},
    {.types = 1 << FUM_F32,
     .name = "windows of rows of tiles",
     .in = {X(2, 33, 8, 12), X(36, 12, 36), X(36), X(2, 1, 1, 36), X(2, 33, 8, 36)},
     .attrs = {PAD},
     .max_binding = 32768},
    {.types = 1 << FUM_F32,
     .name = "windows of rows of tiles, doubled, normalised",
     .in = {X(1, 19, 8, 12),
            X(36, 12, 36),
            NONE,
            NONE,
            NONE,
            {.shape = FUM_DIMS(1, 2, 12), .type = FUM_CASE_F32}},
     .attrs = {PAD, {"upsample", 1}, {"norm_act", FUM_ACT_SILU}},
     .max_binding = 32768},
    {.types = 1 << FUM_F32,
     .name = "products in parts",
     .in = {X(1, 4, 4, 32), X(36, 32, 64)},
     .attrs = {PAD},
     .max_binding = 32768},
    BENCH(2, 32, 320, 320),
    BENCH(2, 16, 640, 640),
    BENCH(2, 64, 320, 320),
    BENCH(1, 64, 512, 512),
    BENCH(1, 128, 256, 256),
};
const struct fum_op_cases fum_cases_conv2d_winograd = FUM_CASES(conv2d_winograd, cases);
