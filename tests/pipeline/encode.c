// SPDX-License-Identifier: MIT
// Encoding under limits: pictures that only fit in tiles.
#include "picture.h"

#include <math.h>

enum { SIDE = 64, CHANNELS = 4, FACTOR = 2 };

// A smooth picture, which tiles see nearly as the whole does.
static float *make_values(void) {
    float *values = malloc(3 * SIDE * SIDE * sizeof *values);
    for (int i = 0; i < SIDE * SIDE; i++)
        for (int c = 0; c < 3; c++)
            values[3 * i + c] =
                sinf((float)(i % SIDE) * 0.2f + (float)c) * cosf((float)(i / SIDE) * 0.15f);
    return values;
}

struct encoded {
    float mean[CHANNELS * SIDE * SIDE / FACTOR / FACTOR],
        deviation[CHANNELS * SIDE * SIDE / FACTOR / FACTOR];
};

static void encode(fum_device *device, const fum_model *model, const float *values,
                   struct encoded *out, struct lines *lines) {
    struct fum_error err = {0};
    const struct fum_log log = {keep_line, lines, FUM_LOG_WARN};
    fum_pipeline *pipe = open_pipeline(device, model, FUM_PRECISION_F32, &log);
    ok(fum_encode_posterior(pipe, &(struct fum_pixels){values, SIDE, SIDE}, out->mean,
                            out->deviation, &err),
       &err);
    fum_pipeline_destroy(&pipe);
    assert_int_equal(fum_device_memory_used(device), 0);
}

static void what_does_not_fit_is_encoded_in_tiles(void **state) {
    static struct encoded whole, tiles;
    struct lines none = {0}, lines = {0};
    (void)state;
    fum_device *device = open_device(true);
    fum_model *model = open_model(tiny_path());
    float *values = make_values();
    encode(device, model, values, &whole, &none);
    assert_string_equal(none.text, "");
    struct fum_device_info *info = limits_of(device), before = *info;
    info->max_buffer = 200 << 10;
    encode(device, model, values, &tiles, &lines);
    *info = before;
    size_t count = sizeof whole.mean / sizeof *whole.mean;
    double error = relative_rms(tiles.mean, whole.mean, count);
    print_message("in tiles: means differ by %.3f of their RMS\n%s", error, lines.text);
    assert_non_null(strstr(lines.text, "encoding 64x64 pixels in"));
    assert_true(error < 0.3);
    for (size_t i = 0; i < count; i++) assert_true(tiles.deviation[i] > 0);
    assert_int_equal(fum_device_validation_messages(device), 0);
    free(values);
    fum_model_destroy(&model);
    fum_device_destroy(&device);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_does_not_fit_is_encoded_in_tiles)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
