// SPDX-License-Identifier: MIT
// Scaled and blurred pictures against Pillow and SciPy (tests/golden/resize.py).
#include "test.h"

#include "base/file.h"
#include "io/loader.h"
#include "io/resize.h"

static struct fum_bitmap picture_of(const fum_loader *loader, const char *name) {
    const struct fum_loader_tensor *t = fum_loader_find(loader, name);
    if (!t) return (struct fum_bitmap){0};
    struct fum_bitmap bitmap = {fum_alloc(t->bytes, 1), (int)t->view.dim[1], (int)t->view.dim[0],
                                (int)t->view.dim[2]};
    assert_non_null(bitmap.pixels);
    memcpy(bitmap.pixels, t->view.data, t->bytes);
    return bitmap;
}

static void assert_same(const struct fum_bitmap *a, const struct fum_bitmap *b) {
    assert_int_equal(a->width, b->width);
    assert_int_equal(a->height, b->height);
    assert_int_equal(a->channels, b->channels);
    assert_memory_equal(a->pixels, b->pixels,
                        (size_t)a->width * (size_t)a->height * (size_t)a->channels);
}

static void scaling_equals_pillow(void **state) {
    struct fum_error err = {0};
    int cases = 0;
    for (;; cases++) {
        char name[32];
        snprintf(name, sizeof name, "%d.from", cases);
        struct fum_bitmap from = picture_of(*state, name), to = {0};
        if (!from.pixels) break;
        snprintf(name, sizeof name, "%d.to", cases);
        struct fum_bitmap wanted = picture_of(*state, name);
        ok(fum_bitmap_scale(&from, wanted.width, wanted.height, &to, &err), &err);
        assert_same(&to, &wanted);
        fum_bitmap_free(&from);
        fum_bitmap_free(&wanted);
        fum_bitmap_free(&to);
    }
    assert_int_equal(cases, 7);
}

static void blurring_equals_a_gaussian(void **state) {
    struct fum_error err = {0};
    struct fum_bitmap mask = picture_of(*state, "blur.from"), wanted = picture_of(*state, "blur.2");
    ok(fum_bitmap_blur(&mask, 2, &err), &err);
    assert_same(&mask, &wanted);
    fum_bitmap_free(&mask);
    fum_bitmap_free(&wanted);
}

// Shapes that fill a size: what is cut off, and what is repeated.
static void pictures_fill_a_size(void **state) {
    (void)state;
    struct fum_error err = {0};
    uint8_t pixels[] = {10, 20, 30, 40};
    const struct fum_bitmap row = {pixels, 4, 1, 1};
    struct fum_bitmap to = {0};
    ok(fum_bitmap_fit(&row, FUM_BITMAP_COVER, (struct fum_bitmap_box){0, 0, 2, 1}, &to, &err),
       &err);
    assert_memory_equal(to.pixels, ((uint8_t[]){20, 30}), 2);
    fum_bitmap_free(&to);
    ok(fum_bitmap_fit(&row, FUM_BITMAP_INSIDE, (struct fum_bitmap_box){0, 0, 4, 3}, &to, &err),
       &err);
    for (int y = 0; y < 3; y++) assert_memory_equal(to.pixels + 4 * y, pixels, 4);
    fum_bitmap_free(&to);
    ok(fum_bitmap_cut(&row, (struct fum_bitmap_box){-1, 0, 3, 1}, &to, &err), &err);
    assert_memory_equal(to.pixels, ((uint8_t[]){10, 10, 20}), 3);
    fum_bitmap_free(&to);
}

static void transparency_shows_white(void **state) {
    (void)state;
    uint8_t pixels[] = {10, 20, 30, 255, 10, 20, 30, 0, 0, 0, 0, 51};
    struct fum_bitmap bitmap = {pixels, 3, 1, 4};
    fum_bitmap_flatten(&bitmap);
    assert_int_equal(bitmap.channels, 3);
    assert_memory_equal(pixels, ((uint8_t[]){10, 20, 30, 255, 255, 255, 204, 204, 204}), 9);
}

// The public functions: the filters, sizes that no picture has, and files that are none.
static void bitmaps_are_decoded_and_resized(void **state) {
    (void)state;
    struct fum_error err = {0};
    uint8_t pixels[] = {10, 20, 30, 40, 50, 60};
    const struct fum_bitmap from = {pixels, 2, 1, 3};
    struct fum_bitmap to = {.width = 4, .height = 2}, lanczos = {0};
    ok(fum_bitmap_resize(&from, FUM_BITMAP_NEAREST, &to, &err), &err);
    const uint8_t row[] = {10, 20, 30, 10, 20, 30, 40, 50, 60, 40, 50, 60};
    assert_memory_equal(to.pixels, row, sizeof row);
    assert_memory_equal(to.pixels + sizeof row, row, sizeof row);
    fum_bitmap_free(&to);
    to = (struct fum_bitmap){.width = 5, .height = 3};
    ok(fum_bitmap_resize(&from, FUM_BITMAP_LANCZOS, &to, &err), &err);
    ok(fum_bitmap_scale(&from, 5, 3, &lanczos, &err), &err);
    assert_same(&to, &lanczos);
    fum_bitmap_free(&to);
    fum_bitmap_free(&lanczos);
    to = (struct fum_bitmap){.width = 0, .height = 3};
    assert_int_equal(fum_bitmap_resize(&from, FUM_BITMAP_LANCZOS, &to, &err), FUM_ERR_ARG);
    const struct fum_picture picture = {.pixels = pixels, .width = 2, .height = 1, .channels = 3};
    uint8_t *png = NULL;
    size_t bytes = 0;
    ok(fum_image_encode_png(&picture, &png, &bytes, &err), &err);
    struct fum_bitmap_file file = {.data = png, .bytes = bytes, .channels = 4, .name = "it"};
    ok(fum_bitmap_decode(&to, &file, &err), &err);
    assert_int_equal(to.channels, 4);
    assert_memory_equal(to.pixels, ((uint8_t[]){10, 20, 30, 255, 40, 50, 60, 255}), 8);
    struct fum_bytes again = {0};
    const struct fum_bitmap_format format = {.name = "png", .parameters = "a fox"};
    ok(fum_bitmap_encode(&to, &format, &again, &err), &err);
    char *text = NULL;
    const struct fum_image_file encoded = {.data = again.data, .bytes = again.count};
    assert_true(fum_image_find_text(&encoded, "parameters", &text));
    assert_string_equal(text, "a fox");
    fum_free(text);
    fum_bytes_free(&again);
    assert_int_equal(
        fum_bitmap_encode(&to, &(struct fum_bitmap_format){.name = "gif"}, &again, &err),
        FUM_ERR_ARG);
    fum_bitmap_free(&to);
    ok(fum_bitmap_measure(&to, &file, &err), &err);
    assert_true(to.width == 2 && to.height == 1 && to.channels == 3 && !to.pixels);
    file.max_pixels = 1;
    assert_int_equal(fum_bitmap_decode(&to, &file, &err), FUM_ERR_FORMAT);
    file = (struct fum_bitmap_file){.data = "none", .bytes = 4, .name = "it"};
    assert_int_equal(fum_bitmap_decode(&to, &file, &err), FUM_ERR_FORMAT);
    assert_string_equal(err.text, "it: not a picture in PNG, JPEG, WebP or BMP");
    fum_free(png);
}

int main(void) {
    struct fum_error err = {0};
    fum_loader *loader = NULL;
    char path[1024], *bytes = NULL;
    size_t count = 0;
    snprintf(path, sizeof path, "%s/resize.safetensors", getenv("FUM_TEST_DATA"));
    if (fum_file_read(path, 1 << 20, &bytes, &count, &err) ||
        fum_loader_open_memory(&loader, bytes, count, path, &err))
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(scaling_equals_pillow, loader),
        cmocka_unit_test_prestate(blurring_equals_a_gaussian, loader),
        cmocka_unit_test(pictures_fill_a_size),
        cmocka_unit_test(transparency_shows_white),
        cmocka_unit_test(bitmaps_are_decoded_and_resized),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    fum_loader_close(&loader);
    fum_free(bytes);
    return failed;
}
