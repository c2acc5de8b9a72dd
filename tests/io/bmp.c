// SPDX-License-Identifier: MIT
// BMP files: of 24 bits, with a palette, with rows from the top, and damaged ones.
#include "test.h"

#include "io/image.h"

// 2 × 2 of 24 bits, rows from the bottom, each padded to 4 bytes: blue, green; red, white.
static const uint8_t colours[] = {
    'B', 'M', 70, 0, 0,  0, 0,   0, 0, 0, 54,  0, 0, 0, 40, 0, 0,   0,   2,   0,   0, 0, 2, 0,
    0,   0,   1,  0, 24, 0, 0,   0, 0, 0, 16,  0, 0, 0, 0,  0, 0,   0,   0,   0,   0, 0, 0, 0,
    0,   0,   0,  0, 0,  0, 255, 0, 0, 0, 255, 0, 0, 0, 0,  0, 255, 255, 255, 255, 0, 0};
// 3 × 1 of 8 bits with a palette of two.
static const uint8_t palette[] = {'B', 'M', 66, 0, 0, 0, 0, 0,  0,  0,  62, 0, 0, 0, 40, 0, 0,
                                  0,   3,   0,  0, 0, 1, 0, 0,  0,  1,  0,  8, 0, 0, 0,  0, 0,
                                  4,   0,   0,  0, 0, 0, 0, 0,  0,  0,  0,  0, 2, 0, 0,  0, 0,
                                  0,   0,   0,  9, 8, 7, 0, 30, 20, 10, 0,  0, 1, 0, 0};

static enum fum_result read(const uint8_t *bytes, size_t count, struct fum_bitmap *bitmap,
                            struct fum_error *err) {
    return fum_image_decode(&(struct fum_image_file){.data = bytes, .bytes = count, .where = "x"},
                            3, bitmap, NULL, err);
}

static void colours_are_read(void **state) {
    static const uint8_t wanted[] = {255, 0, 0, 255, 255, 255, 0, 0, 255, 0, 255, 0};
    struct fum_error err = {0};
    struct fum_bitmap b = {0};
    uint8_t top[sizeof colours];
    (void)state;
    ok(read(colours, sizeof colours, &b, &err), &err);
    assert_memory_equal(b.pixels, wanted, sizeof wanted);
    fum_bitmap_free(&b);
    memcpy(top, colours, sizeof top);
    memset(top + 22, 0xff, 4); // a height of -2: the first row is the top one
    top[22] = 0xfe;
    ok(read(top, sizeof top, &b, &err), &err);
    assert_memory_equal(b.pixels, wanted + 6, 6);
    assert_memory_equal(b.pixels + 6, wanted, 6);
    fum_bitmap_free(&b);
}

static void a_bmp_has_no_parameters(void **state) {
    struct fum_error err = {0};
    struct fum_bitmap b = {0};
    char *parameters = NULL;
    (void)state;
    const struct fum_image_file file = {.data = palette, .bytes = sizeof palette, .where = "x"};
    ok(fum_image_decode(&file, 0, &b, &parameters, &err), &err);
    assert_null(parameters);
    assert_true(fum_image_find_text(&file, "parameters", &parameters));
    assert_null(parameters);
    fum_bitmap_free(&b);
}

// The fourth byte of 32 bits without masks means nothing.
static void spare_bytes_are_dropped(void **state) {
    static const uint8_t head[] = {'B', 'M', 62, 0, 0, 0, 0, 0, 0, 0, 54, 0, 0, 0,  40,
                                   0,   0,   0,  2, 0, 0, 0, 1, 0, 0, 0,  1, 0, 32, 0};
    static const uint8_t wanted[] = {3, 2, 1, 6, 5, 4};
    struct fum_error err = {0};
    struct fum_bitmap b = {0};
    uint8_t file[62] = {0};
    (void)state;
    memcpy(file, head, sizeof head);
    memcpy(file + 54, (uint8_t[]){1, 2, 3, 77, 4, 5, 6, 0}, 8);
    ok(read(file, sizeof file, &b, &err), &err);
    assert_memory_equal(b.pixels, wanted, sizeof wanted);
    fum_bitmap_free(&b);
}

static void palettes_are_read(void **state) {
    static const uint8_t wanted[] = {7, 8, 9, 10, 20, 30, 7, 8, 9};
    struct fum_error err = {0};
    struct fum_bitmap b = {0};
    (void)state;
    ok(read(palette, sizeof palette, &b, &err), &err);
    assert_int_equal(b.width, 3);
    assert_memory_equal(b.pixels, wanted, sizeof wanted);
    fum_bitmap_free(&b);
}

static void damaged_ones_are_errors(void **state) {
    struct fum_error err = {0};
    struct fum_bitmap b = {0};
    uint8_t copy[sizeof colours];
    (void)state;
    for (size_t n = 2; n < sizeof colours; n++) {
        assert_int_not_equal(read(colours, n, &b, &err), FUM_OK);
        assert_null(b.pixels);
    }
    memcpy(copy, colours, sizeof copy);
    copy[20] = 1; // 65538 pixels wide
    assert_int_equal(read(copy, sizeof copy, &b, &err), FUM_ERR_FORMAT);
    assert_non_null(strstr(err.text, "outside the limits"));
    memcpy(copy, colours, sizeof copy);
    copy[30] = 1; // runs of lengths
    assert_int_equal(read(copy, sizeof copy, &b, &err), FUM_ERR_UNSUPPORTED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(colours_are_read), cmocka_unit_test(palettes_are_read),
        cmocka_unit_test(spare_bytes_are_dropped), cmocka_unit_test(a_bmp_has_no_parameters),
        cmocka_unit_test(damaged_ones_are_errors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
