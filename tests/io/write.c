// SPDX-License-Identifier: MIT
// Pictures written as JPEG and WebP: what is read back, and the parameters in EXIF.
#include "test.h"

#include "base/alloc.h"
#include "io/exif_text.h"
#include "io/image_config.h"
#include "io/image_writer.h"

#include <fumarole/metadata.h>

#include <math.h>
#include <unistd.h>

enum { W = 40, H = 24 };

// A smooth picture, which survives a lossy format.
static void fill(uint8_t *pixels, int channels) {
    for (int i = 0; i < W * H; i++)
        for (int c = 0; c < channels; c++)
            pixels[i * channels + c] = (uint8_t)(128 + 100 * sin(i % W * 0.1 + i / W * 0.07 + c));
}

static double psnr(const uint8_t *a, const uint8_t *b, size_t count) {
    double error = 0;
    for (size_t i = 0; i < count; i++) error += (a[i] - b[i]) * (a[i] - b[i]);
    return error > 0 ? 10 * log10(255.0 * 255.0 * (double)count / error) : INFINITY;
}

static bool can_write(const char *name) {
    return fum_image_check_ending(name, NULL) == FUM_OK;
}

// Writes a picture under a name, and reads the picture and both texts back.
static void write_and_read(const char *name, int channels, const char *text, const char *request) {
    uint8_t pixels[4 * W * H];
    struct fum_error err = {0};
    struct fum_bitmap back = {0};
    struct fum_metadata *metadata = NULL;
    fill(pixels, channels);
    ok(fum_image_write(name, &(struct fum_picture){pixels, W, H, channels, text, request, 0}, &err),
       &err);
    ok(fum_image_read(name, channels, &back, NULL, &err), &err);
    assert_int_equal(back.width, W);
    assert_int_equal(back.height, H);
    assert_true(psnr(back.pixels, pixels, (size_t)(W * H * channels)) > 35);
    fum_bitmap_free(&back);
    ok(fum_metadata_read(&metadata, name, &err), &err);
    if (text) assert_string_equal(metadata->parameters, text);
    if (request) assert_string_equal(metadata->request, request);
    if (!request) assert_null(metadata->request);
    fum_metadata_destroy(&metadata);
    unlink(name);
}

static void jpeg_and_webp_read_back(void **state) {
    static const char *const names[] = {"write-test.jpg", "write-test.JPEG", "write-test.webp"};
    static const char *const texts[] = {
        "a cat\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 40x24",
        "a \xc3\xa9toile \xf0\x9f\x98\x80\nNegative prompt: dull\nSteps: 3, Sampler: Euler, Seed: "
        "1",
    };
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (size_t k = 0; k < sizeof texts / sizeof *texts && can_write(names[i]); k++) {
            write_and_read(names[i], 3, texts[k], NULL);
            write_and_read(names[i], 1, texts[k], "{\"prompt\": \"a \xc3\xa9toile\"}");
        }
}

static void a_webp_with_transparency_has_its_texts(void **state) {
    (void)state;
    if (!can_write("write-test.webp")) skip();
    write_and_read("write-test.webp", 4, "a cat\nSteps: 20, Sampler: Euler a, CFG scale: 7", NULL);
    write_and_read("write-test.webp", 4, "a cat", "{\"prompt\": \"a cat\"}");
}

// The bytes that piexif writes for "ab" (piexif.dump with UserComment.dump(text, "unicode")).
static void the_comment_is_piexifs(void **state) {
    static const uint8_t wanted[] =
        "MM\0*\0\0\0\x08\0\x01\x87\x69\0\x04\0\0\0\x01\0\0\0\x1a\0\0\0\0"
        "\0\x01\x92\x86\0\x07\0\0\0\x0c\0\0\0\x2c\0\0\0\0UNICODE\0\0a\0b";
    size_t bytes = 0;
    (void)state;
    uint8_t *block = fum_exif_write(&(struct fum_exif_texts){"ab", NULL}, &bytes);
    assert_int_equal(bytes, sizeof wanted - 1);
    assert_memory_equal(block, wanted, bytes);
    fum_free(block);
}

// A marker of a JPEG holds 64 KiB: the request gives way to the parameters.
static void a_request_that_is_too_long_is_left_out(void **state) {
    (void)state;
    uint8_t pixels[3 * W * H];
    struct fum_error err = {0};
    struct fum_metadata *metadata = NULL;
    char *request = malloc(70000);
    memset(request, 'x', 70000 - 1);
    request[70000 - 1] = 0;
    if (!can_write("x.jpg")) skip();
    fill(pixels, 3);
    const struct fum_picture picture = {pixels, W, H, 3, "a cat", request, 0};
    ok(fum_image_write("write-long.jpg", &picture, &err), &err);
    ok(fum_metadata_read(&metadata, "write-long.jpg", &err), &err);
    assert_string_equal(metadata->parameters, "a cat");
    assert_null(metadata->request);
    fum_metadata_destroy(&metadata);
    unlink("write-long.jpg");
    free(request);
}

// A PNG of two pixels side by side with an orientation of 6 is upright when it stands.
static void pngs_are_turned_by_exif(void **state) {
    static const uint8_t chunk[] = {0, 0, 0, 26, 'e', 'X', 'I', 'f', 'M', 'M', 0, 42, 0,
                                    0, 0, 8, 0,  1,   1,   18,  0,   3,   0,   0, 0,  1,
                                    0, 6, 0, 0,  0,   0,   0,   0,   0,   0,   0, 0};
    const uint8_t pixels[] = {10, 200};
    struct fum_error err = {0};
    struct fum_bitmap back = {0};
    uint8_t *png = NULL, *turned;
    size_t bytes = 0, header = 33;
    (void)state;
    ok(fum_image_encode_png(
           &(struct fum_picture){.pixels = pixels, .width = 2, .height = 1, .channels = 1}, &png,
           &bytes, &err),
       &err);
    turned = fum_alloc(bytes + sizeof chunk, 1);
    assert_non_null(turned);
    memcpy(turned, png, header);
    memcpy(turned + header, chunk, sizeof chunk);
    memcpy(turned + header + sizeof chunk, png + header, bytes - header);
    const struct fum_image_file file = {
        .data = turned, .bytes = bytes + sizeof chunk, .where = "x.png"};
    ok(fum_image_decode_upright(&file, &back, &err), &err);
    assert_int_equal(back.width, 1);
    assert_int_equal(back.height, 2);
    assert_int_equal(back.pixels[0], 10);
    assert_int_equal(back.pixels[1], 200);
    fum_bitmap_free(&back);
    fum_free(turned);
    fum_free(png);
}

static void names_choose_the_format(void **state) {
    struct fum_error err = {0};
    (void)state;
    ok(fum_image_check_ending("a.png", &err), &err);
    assert_int_equal(fum_image_check_ending("a.gif", &err), FUM_ERR_ARG);
    assert_non_null(strstr(err.text, "not \"a.gif\""));
    assert_int_equal(fum_image_check_ending(".jpg", &err), FUM_ERR_ARG);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(jpeg_and_webp_read_back),
                                       cmocka_unit_test(a_webp_with_transparency_has_its_texts),
                                       cmocka_unit_test(the_comment_is_piexifs),
                                       cmocka_unit_test(a_request_that_is_too_long_is_left_out),
                                       cmocka_unit_test(pngs_are_turned_by_exif),
                                       cmocka_unit_test(names_choose_the_format)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
