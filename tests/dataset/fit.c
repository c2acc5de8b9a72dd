// SPDX-License-Identifier: MIT
// Scaled and cropped pictures against those of Pillow (tests/golden/images.py).
#include "dataset.h"

#include "base/view.h"
#include "data/fit.h"
#include "io/loader.h"

#include <math.h>

static void pictures_are_scaled_as_by_pillow(void **state) {
    (void)state;
    static const int sizes[][2] = {{16, 16}, {20, 8}, {45, 34}, {64, 64}, {7, 31}, {1, 1}};
    fum_loader *golden = NULL;
    struct fum_error err = {0};
    char path[600];
    uint8_t source[34 * 45 * 3];
    snprintf(path, sizeof path, "%s/images.safetensors", getenv("FUM_TEST_DATA"));
    ok(fum_loader_open(&golden, path, &err), &err);
    ok(fum_view_read(&fum_loader_find(golden, "pixels/rgb.png")->view, 0, sizeof source, source,
                     &err),
       &err);
    const struct fum_bitmap bitmap = {source, 45, 34, 3};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        int w = sizes[s][0], h = sizes[s][1];
        size_t values = (size_t)w * (size_t)h * 3;
        float *pixels = malloc(values * sizeof *pixels),
              *expected = malloc(values * sizeof *expected);
        char name[80];
        snprintf(name, sizeof name, "fit/rgb.png/%dx%d", w, h);
        ok(fum_view_read(&fum_loader_find(golden, name)->view, 0, values * sizeof *expected,
                         expected, &err),
           &err);
        for (int flip = 0; flip < 2; flip++) {
            ok(fum_fit_picture(&bitmap, &(struct fum_fit_target){w, h, 3, flip, pixels}, &err),
               &err);
            double worst = 0;
            for (size_t i = 0; i < values; i++) {
                size_t x = i % (size_t)w, from = flip ? i - x + (size_t)w - 1 - x : i;
                worst = fmax(worst, fabs(pixels[i] - expected[from]) * 255);
            }
            // Pillow rounds to bytes after each axis
            if (worst > 1.01) fail_msg("%s: off by %g of 255", name, worst);
        }
        free(pixels);
        free(expected);
    }
    fum_loader_close(&golden);
}

static void extreme_ratios_are_cropped(void **state) {
    (void)state;
    static uint8_t line[FUM_MAX_SIDE];
    float pixels[16];
    struct fum_error err = {0};
    for (int i = 0; i < FUM_MAX_SIDE; i++) line[i] = (uint8_t)(i / 64);
    for (int tall = 0; tall < 2; tall++) {
        const struct fum_bitmap bitmap = {line, tall ? 1 : FUM_MAX_SIDE, tall ? FUM_MAX_SIDE : 1,
                                          1};
        ok(fum_fit_picture(&bitmap, &(struct fum_fit_target){4, 4, 1, false, pixels}, &err), &err);
        for (int i = 0; i < 16; i++) assert_true(fabs(pixels[i] * 255 - 127.5) < 0.6);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_are_scaled_as_by_pillow),
        cmocka_unit_test(extreme_ratios_are_cropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
