// SPDX-License-Identifier: MIT
// Compares upscalers with torch (tests/golden/upscalers.py), and tiles with the whole.
#include "open.h"

#include <fumarole/upscale.h>

#include "base/alloc.h"
#include "base/dtype.h"
#include "base/file.h"
#include "io/loader.h"
#include "pipeline/upscale_tiles.h"

#include <math.h>

static fum_device *device;

static const char *network_path(const char *name) {
    static char path[1024];
    snprintf(path, sizeof path, "%s/upscalers/%s", getenv("FUM_TEST_DATA"), name);
    return path;
}

static fum_upscaler *open_upscaler(const struct fum_upscaler_params *params) {
    struct fum_error err = {0};
    fum_upscaler *upscaler = NULL;
    ok(fum_upscaler_create(&upscaler, device, params, &err), &err);
    return upscaler;
}

struct kept {
    int width, height, channels, tiles;
    uint8_t *pixels;
};

static bool keep(void *user, const struct fum_image *image) {
    struct kept *k = user;
    size_t bytes = (size_t)image->width * (size_t)image->height * (size_t)image->channels;
    free(k->pixels);
    *k = (struct kept){image->width, image->height, image->channels, k->tiles, malloc(bytes)};
    assert_non_null(k->pixels);
    memcpy(k->pixels, image->pixels, bytes);
    return true;
}

static bool count_tile(void *user, int done, int total) {
    struct kept *k = user;
    assert_true(done <= total);
    k->tiles = total;
    return true;
}

static struct kept enlarge(fum_upscaler *upscaler, const uint8_t *pixels, int width, int height,
                           int channels) {
    struct kept k = {0};
    struct fum_error err = {0};
    const struct fum_upscale_params params = {.pixels = pixels,
                                              .width = width,
                                              .height = height,
                                              .channels = channels,
                                              .on_tile = count_tile,
                                              .on_image = keep,
                                              .user = &k};
    ok(fum_upscaler_run(upscaler, &params, &err), &err);
    return k;
}

// ---- beside torch ----

static const void *golden_tensor(fum_loader *golden, const char *name, int64_t shape[3]) {
    const struct fum_loader_tensor *tensor = fum_loader_find(golden, name);
    assert_non_null(tensor);
    assert_int_equal(tensor->view.rank, 3);
    for (int i = 0; i < 3; i++) shape[i] = tensor->view.dim[i];
    return tensor->view.data;
}

static void compare(fum_loader *golden, const char *name, const char *ending) {
    int64_t small[3], large[3];
    char file[64];
    const uint8_t *picture = golden_tensor(golden, "picture", small);
    const uint16_t *expected = golden_tensor(golden, name, large);
    snprintf(file, sizeof file, "%s%s", name, ending);
    fum_upscaler *upscaler = open_upscaler(
        &(struct fum_upscaler_params){.path = network_path(file), .precision = FUM_PRECISION_F32});
    struct kept k = enlarge(upscaler, picture, (int)small[1], (int)small[0], 3);
    assert_int_equal(k.height, large[0]);
    assert_int_equal(k.width, large[1]);
    float *values = fum_alloc((size_t)(large[0] * large[1] * 3), sizeof *values);
    fum_convert_to_f32(values, expected, FUM_F16, (size_t)(large[0] * large[1] * 3));
    for (int64_t i = 0; i < large[0] * large[1] * 3; i++) {
        double value = fmin(fmax((double)values[i], 0), 1) * 255;
        if (fabs(k.pixels[i] - value) > 0.6)
            fail_msg("%s: byte %lld is %d, torch has %.2f", name, (long long)i, k.pixels[i], value);
    }
    fum_free(values);
    free(k.pixels);
    fum_upscaler_destroy(&upscaler);
}

static void every_network_gives_what_torch_gives(void **state) {
    static const char *const names[][2] = {
        {"rrdb_x4", ".pth"},          {"rrdb_x2", ".safetensors"},  {"rrdb_x1", ".safetensors"},
        {"trunk_x4", ".safetensors"}, {"old_x4", ".safetensors"},   {"srvgg_x4", ".pth"},
        {"srvgg_x2", ".safetensors"}, {"srvgg_x1", ".safetensors"},
    };
    struct fum_error err = {0};
    fum_loader *golden = NULL;
    char *bytes = NULL;
    size_t count = 0;
    (void)state;
    const char *path = network_path("golden.safetensors");
    ok(fum_file_read(path, 1 << 20, &bytes, &count, &err), &err);
    ok(fum_loader_open_memory(&golden, bytes, count, path, &err), &err);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        compare(golden, names[i][0], names[i][1]);
    fum_loader_close(&golden);
    fum_free(bytes);
}

// ---- tiles ----

static void tiles_contribute_every_pixel_once(void **state) {
    static const struct {
        int length, tile, around, step;
    } cases[] = {{100, 128, 24, 1}, {129, 128, 24, 1}, {1000, 128, 24, 2},
                 {36, 16, 9, 4},    {4, 1, 3, 4},      {700, 16, 24, 1}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fum_upscale_axis axis =
            fum_upscale_axis(cases[i].length, cases[i].tile, cases[i].around, cases[i].step);
        assert_int_equal(fum_upscale_axis_core(&axis, 0), 0);
        assert_int_equal(fum_upscale_axis_core(&axis, axis.count), cases[i].length);
        for (int t = 0; t < axis.count; t++) {
            int start = fum_upscale_axis_start(&axis, t), end = start + axis.size,
                begin = fum_upscale_axis_core(&axis, t), next = fum_upscale_axis_core(&axis, t + 1);
            assert_true(begin < next && next - begin <= axis.core);
            assert_true(start >= 0 && end <= cases[i].length && start % cases[i].step == 0);
            assert_true(start == 0 || begin - start >= cases[i].around);
            assert_true(end == cases[i].length || end - next >= cases[i].around);
        }
    }
}

enum { WIDTH = 75, HEIGHT = 58 };

static const uint8_t *make_picture(int channels) {
    static uint8_t pixels[WIDTH * HEIGHT * 4];
    for (int i = 0; i < WIDTH * HEIGHT; i++)
        for (int c = 0; c < channels; c++)
            pixels[i * channels + c] =
                (uint8_t)(128 + 100 * sin(i % WIDTH * 0.3 + c) * cos(i / WIDTH * 0.2) +
                          (i * 7 + c * 3) % 23);
    return pixels;
}

// Returns the greatest difference of a byte.
static int find_difference(const struct kept *a, const struct kept *b) {
    int most = 0;
    assert_int_equal(a->width, b->width);
    assert_int_equal(a->height, b->height);
    for (int i = 0; i < a->width * a->height * a->channels; i++)
        if (abs(a->pixels[i] - b->pixels[i]) > most) most = abs(a->pixels[i] - b->pixels[i]);
    return most;
}

static void tiles_equal_the_whole(void **state) {
    static const char *const names[] = {"rrdb_x2.safetensors", "rrdb_x1.safetensors",
                                        "old_x4.safetensors", "srvgg_x4.pth"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct kept k[2];
        for (int tiled = 0; tiled < 2; tiled++) {
            fum_upscaler *upscaler = open_upscaler(
                &(struct fum_upscaler_params){.path = network_path(names[i]),
                                              .precision = FUM_PRECISION_F32,
                                              .tile = tiled ? 20 : FUM_UPSCALE_TILE_AUTO});
            k[tiled] = enlarge(upscaler, make_picture(3), WIDTH, HEIGHT, 3);
            fum_upscaler_destroy(&upscaler);
        }
        assert_int_equal(k[0].tiles, 1);
        assert_int_equal(k[1].tiles, 12);
        assert_true(find_difference(&k[0], &k[1]) <= 1);
        free(k[0].pixels);
        free(k[1].pixels);
    }
}

static void a_small_budget_makes_tiles_smaller(void **state) {
    struct fum_error err = {0};
    struct kept k = {0};
    (void)state;
    struct fum_upscaler_params params = {.path = network_path("srvgg_x4.pth"),
                                         .precision = FUM_PRECISION_F32,
                                         .memory_budget = 900 << 10,
                                         .tile = FUM_UPSCALE_TILE_AUTO};
    fum_upscaler *upscaler = open_upscaler(&params);
    k = enlarge(upscaler, make_picture(3), WIDTH, HEIGHT, 3);
    assert_true(k.tiles > 1);
    free(k.pixels);
    fum_upscaler_destroy(&upscaler);
    params.memory_budget = 1 << 10;
    upscaler = open_upscaler(&params);
    const struct fum_upscale_params picture = {.pixels = make_picture(3),
                                               .width = WIDTH,
                                               .height = HEIGHT,
                                               .channels = 3,
                                               .on_image = keep,
                                               .user = &k};
    assert_int_equal(fum_upscaler_run(upscaler, &picture, &err), FUM_ERR_NOMEM);
    assert_non_null(strstr(err.text, "memory budget"));
    fum_upscaler_destroy(&upscaler);
}

// ---- pictures ----

static void transparency_is_that_of_the_nearest_pixel(void **state) {
    (void)state;
    fum_upscaler *upscaler =
        open_upscaler(&(struct fum_upscaler_params){.path = network_path("srvgg_x2.safetensors")});
    const uint8_t *pixels = make_picture(4);
    struct kept k = enlarge(upscaler, pixels, WIDTH, HEIGHT, 4);
    assert_int_equal(k.channels, 4);
    for (int y = 0; y < k.height; y++)
        for (int x = 0; x < k.width; x++)
            assert_int_equal(k.pixels[(y * k.width + x) * 4 + 3],
                             pixels[(y / 2 * WIDTH + x / 2) * 4 + 3]);
    free(k.pixels);
    fum_upscaler_destroy(&upscaler);
}

static void what_is_enlarged_twice_is_four_times_as_large(void **state) {
    struct kept once, twice, k = {0};
    struct fum_error err = {0};
    (void)state;
    fum_upscaler *upscaler =
        open_upscaler(&(struct fum_upscaler_params){.path = network_path("srvgg_x2.safetensors")});
    once = enlarge(upscaler, make_picture(3), 20, 10, 3);
    twice = enlarge(upscaler, once.pixels, once.width, once.height, 3);
    const struct fum_upscale_params params = {.pixels = make_picture(3),
                                              .width = 20,
                                              .height = 10,
                                              .channels = 3,
                                              .repeats = 2,
                                              .on_image = keep,
                                              .user = &k};
    ok(fum_upscaler_run(upscaler, &params, &err), &err);
    assert_int_equal(k.width, 80);
    assert_int_equal(find_difference(&k, &twice), 0);
    free(once.pixels);
    free(twice.pixels);
    free(k.pixels);
    fum_upscaler_destroy(&upscaler);
}

static void what_cannot_be_enlarged_is_refused(void **state) {
    struct fum_error err = {0};
    fum_upscaler *upscaler = NULL;
    struct kept k = {0};
    (void)state;
    struct fum_upscaler_params params = {.path = network_path("golden.safetensors")};
    assert_int_equal(fum_upscaler_create(&upscaler, device, &params, &err), FUM_ERR_UNSUPPORTED);
    assert_null(upscaler);
    assert_non_null(strstr(err.text, "not an upscaler"));
    params.path = network_path("srvgg_x4.pth");
    upscaler = open_upscaler(&params);
    uint8_t *pixels = calloc(5000, 3);
    struct fum_upscale_params picture = {
        .pixels = pixels, .width = 5000, .height = 1, .channels = 3, .on_image = keep, .user = &k};
    assert_int_equal(fum_upscaler_run(upscaler, &picture, &err), FUM_ERR_UNSUPPORTED);
    picture.pixels = NULL;
    assert_int_equal(fum_upscaler_run(upscaler, &picture, &err), FUM_ERR_ARG);
    free(pixels);
    fum_upscaler_destroy(&upscaler);
}

static int set_up(void **state) {
    (void)state;
    device = open_device(false);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    fum_device_destroy(&device);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_network_gives_what_torch_gives),
        cmocka_unit_test(tiles_contribute_every_pixel_once),
        cmocka_unit_test(tiles_equal_the_whole),
        cmocka_unit_test(a_small_budget_makes_tiles_smaller),
        cmocka_unit_test(transparency_is_that_of_the_nearest_pixel),
        cmocka_unit_test(what_is_enlarged_twice_is_four_times_as_large),
        cmocka_unit_test(what_cannot_be_enlarged_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
