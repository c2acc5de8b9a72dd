#include "ops/case.h"

#define X(...) {.shape = FUM_DIMS(__VA_ARGS__)}
#define NONE {{0}, 0, 0, 0}
#define BENCH(size, from, to) \
    {.name = "3x3 " #from " to " #to " at " #size, .in = {X(1, size, size, from), X(3, 3, from, to), X(to)}, .attrs = {{"pad", 1}}, .bench = true}

static const struct fum_op_case cases[] = {
    {.name = "one pixel, 1x1", .in = {X(1, 1, 1, 1), X(1, 1, 1, 1)}},
    {.name = "one pixel, 3x3", .in = {X(1, 1, 1, 5), X(3, 3, 5, 6), X(6)}, .attrs = {{"pad", 1}}},
    {.name = "1x1, 63 to 65", .in = {X(2, 5, 7, 63), X(1, 1, 63, 65), X(65)}},
    {.name = "1x1, row per image, residual", .in = {X(2, 3, 5, 8), X(1, 1, 8, 12), X(12), X(2, 1, 1, 12), X(2, 3, 5, 12)}},
    {.name = "1x1, stride 2", .in = {X(1, 5, 6, 8), X(1, 1, 8, 4)}, .attrs = {{"stride", 2}}},
    {.name = "1x1, pad 1", .in = {X(1, 5, 6, 8), X(1, 1, 8, 4), X(4)}, .attrs = {{"pad", 1}}},
    {.name = "3x3, 4 to 64", .in = {X(1, 9, 9, 4), X(3, 3, 4, 64), X(64)}, .attrs = {{"pad", 1}}},
    {.name = "3x3, 64 to 3", .in = {X(1, 17, 9, 64), X(3, 3, 64, 3), X(3)}, .attrs = {{"pad", 1}}},
    {.name = "3x3, 3 to 5", .in = {X(2, 7, 11, 3), X(3, 3, 3, 5), X(5)}, .attrs = {{"pad", 1}}},
    {.name = "3x3 without padding", .in = {X(1, 6, 5, 10), X(3, 3, 10, 9)}},
    {.name = "stride 2", .in = {X(2, 8, 7, 12), X(3, 3, 12, 20), X(20)}, .attrs = {{"stride", 2}, {"pad", 1}}},
    {.name = "stride 2, padding at the end", .in = {X(1, 8, 6, 12), X(3, 3, 12, 20), X(20)}, .attrs = {{"stride", 2}, {"pad_end_extra", 1}}},
    {.name = "stride 3, 5x5", .in = {X(1, 13, 11, 6), X(5, 5, 6, 7), X(7)}, .attrs = {{"stride", 3}, {"pad", 2}}},
    {.name = "doubled", .in = {X(2, 5, 3, 9), X(3, 3, 9, 13), X(13)}, .attrs = {{"pad", 1}, {"upsample", 1}}},
    {.name = "doubled, 1x1", .in = {X(1, 4, 3, 8), X(1, 1, 8, 8)}, .attrs = {{"upsample", 1}}},
    {.name = "7x7", .in = {X(1, 9, 8, 5), X(7, 7, 5, 6)}, .attrs = {{"pad", 3}}},
    {.name = "2x1 kernel", .in = {X(1, 4, 5, 6), X(2, 1, 6, 7)}},
    {.name = "row for all images, silu", .in = {X(2, 5, 5, 8), X(3, 3, 8, 10), X(10), X(1, 1, 1, 10)}, .attrs = {{"pad", 1}, {"act", FUM_ACT_SILU}}},
    {.name = "all epilogues", .in = {X(3, 5, 4, 8), X(3, 3, 8, 10), X(10), X(3, 1, 1, 10), X(3, 5, 4, 10)}, .attrs = {{"pad", 1}, {"act", FUM_ACT_RELU}}},
    {.name = "residual alone", .in = {X(1, 5, 4, 8), X(3, 3, 8, 6), NONE, NONE, X(1, 5, 4, 6)}, .attrs = {{"pad", 1}}},
    {.name = "huge values", .in = {{.shape = FUM_DIMS(1, 6, 6, 16), .fill = FUM_FILL_HUGE}, {.shape = FUM_DIMS(3, 3, 16, 8), .fill = FUM_FILL_TINY}}, .attrs = {{"pad", 1}}},
    {.name = "large mean", .in = {{.shape = FUM_DIMS(1, 6, 6, 16), .fill = FUM_FILL_OFFSET}, X(3, 3, 16, 8)}, .attrs = {{"pad", 1}}},
    {.name = "no images", .in = {X(0, 6, 6, 8), X(3, 3, 8, 8)}, .attrs = {{"pad", 1}}},
    {.name = "no input channels", .in = {X(1, 4, 4, 0), X(3, 3, 0, 5), X(5)}, .attrs = {{"pad", 1}}},
    {.name = "64 channels, 33x31", .in = {X(1, 33, 31, 64), X(3, 3, 64, 32), X(32)}, .attrs = {{"pad", 1}}},
    {.name = "17x16, 320 to 130: the large kernel", .in = {X(1, 17, 16, 320), X(3, 3, 320, 130), X(130)}, .attrs = {{"pad", 1}}, .types = 1 << FUM_F32},
    {.name = "windows of images", .in = {X(5, 8, 8, 12), X(3, 3, 12, 9), X(9), X(5, 1, 1, 9)}, .attrs = {{"pad", 1}}, .max_binding = 8192},
    {.name = "windows of rows", .in = {X(2, 33, 8, 12), X(3, 3, 12, 9), X(9), X(2, 1, 1, 9), X(2, 33, 8, 9)}, .attrs = {{"pad", 1}}, .max_binding = 8192},
    {.name = "windows of rows, stride 2", .in = {X(1, 33, 8, 12), X(3, 3, 12, 9)}, .attrs = {{"pad", 1}, {"stride", 2}}, .max_binding = 8192},
    {.name = "windows of rows, doubled", .in = {X(1, 19, 8, 12), X(3, 3, 12, 9)}, .attrs = {{"pad", 1}, {"upsample", 1}}, .max_binding = 8192},
    {.name = "windows of rows, 5x5", .in = {X(1, 43, 9, 4), X(5, 5, 4, 4)}, .attrs = {{"pad", 2}}, .max_binding = 4096, .types = 1 << FUM_F32},
    {.name = "windows of rows, 1x1", .in = {X(1, 33, 9, 20), X(1, 1, 20, 8)}, .max_binding = 4096},
    BENCH(64, 320, 320),
    BENCH(32, 640, 640),
    BENCH(16, 1280, 1280),
    BENCH(8, 1280, 1280),
    BENCH(64, 512, 512),
    BENCH(64, 4, 320),
    BENCH(64, 320, 4),
    BENCH(256, 128, 3),
    {.name = "1x1 320 to 320 at 64", .in = {X(1, 64, 64, 320), X(1, 1, 320, 320), X(320)}, .bench = true},
    {.name = "3x3 320 to 320 at 64, stride 2", .in = {X(1, 64, 64, 320), X(3, 3, 320, 320), X(320)}, .attrs = {{"pad", 1}, {"stride", 2}}, .bench = true},
    {.name = "3x3 640 to 640 from 16 doubled", .in = {X(1, 16, 16, 640), X(3, 3, 640, 640), X(640)}, .attrs = {{"pad", 1}, {"upsample", 1}}, .bench = true},
};

const struct fum_op_cases fum_cases_conv2d = FUM_CASES(conv2d, cases);
