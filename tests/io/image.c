// SPDX-License-Identifier: MIT
// PNG out and in, the parameters chunk in both encodings, the text itself, and damaged files.
#include "io.h"

#include "base/alloc.h"
#include "base/number.h"
#include "io/image.h"
#include "io/png.h"

static void fill(uint8_t *pixels, size_t n, int kind) {
    uint32_t seed = 12345;
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525 + 1013904223;
        const uint8_t values[] = {(uint8_t)(i * 7), (uint8_t)(seed >> 24), 200, (uint8_t)(i >> 8)};
        pixels[i] = values[kind];
    }
}

static void comes_back_the_same(void **state) {
    (void)state;
    static const int sizes[][2] = {{1, 1}, {1, 300}, {300, 1}, {64, 64}, {129, 67}, {512, 256}};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        for (int channels = 1; channels <= 4; channels++) {
            if (channels == 2) continue;
            for (int kind = 0; kind < 4; kind++) {
                struct fum_error err = {0};
                int w = sizes[s][0], h = sizes[s][1];
                size_t n = (size_t)w * (size_t)h * (size_t)channels, bytes = 0;
                uint8_t *pixels = malloc(n), *png = NULL;
                struct fum_bitmap back;
                fill(pixels, n, kind);
                assert_ok(fum_image_encode_png(
                              &(struct fum_picture){
                                  .pixels = pixels, .width = w, .height = h, .channels = channels},
                              &png, &bytes, &err),
                          err);
                char *text = (char *)1;
                assert_ok(
                    fum_image_decode(
                        &(struct fum_image_file){.data = png, .bytes = bytes, .where = "x.png"}, 0,
                        &back, &text, &err),
                    err);
                assert_null(text);
                assert_int_equal(back.width, w);
                assert_int_equal(back.height, h);
                assert_int_equal(back.channels, channels);
                assert_memory_equal(back.pixels, pixels, n);
                fum_bitmap_free(&back);
                fum_free(png);
                free(pixels);
            }
        }
    }
}

static void smooth_pictures_get_small(void **state) {
    (void)state;
    struct fum_error err = {0};
    size_t bytes = 0;
    uint8_t *flat = calloc(200 * 500, 1), *png = NULL;
    assert_ok(fum_image_encode_png(
                  &(struct fum_picture){.pixels = flat, .width = 200, .height = 500, .channels = 1},
                  &png, &bytes, &err),
              err);
    assert_true(bytes < 1000);
    fum_free(png);
    free(flat);
}

static void carries_its_parameters(void **state) {
    (void)state;
    static const struct {
        const char *text, *back, *type;
    } cases[] = {
        {"a cat\nSteps: 20", "a cat\nSteps: 20", "tEXt"},
        {"un ch\xc3\xa2teau \xc3\xbf", "un ch\xc3\xa2teau \xc3\xbf", "tEXt"},
        {"\xe7\x8c\xab \xf0\x9f\x90\xb1 cat", "\xe7\x8c\xab \xf0\x9f\x90\xb1 cat", "iTXt"},
        {"bad \xff\xc3", "bad \xef\xbf\xbd\xef\xbf\xbd", "iTXt"},
        {"", "", "tEXt"},
    };
    const uint8_t pixels[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fum_error err = {0};
        const char *path = scratch("parameters.png");
        assert_ok(fum_image_write_png(path,
                                      &(struct fum_picture){.pixels = pixels,
                                                            .width = 2,
                                                            .height = 2,
                                                            .channels = 3,
                                                            .parameters = cases[i].text},
                                      &err),
                  err);
        struct fum_bitmap back;
        char *text = NULL, *file = NULL;
        assert_ok(fum_image_read(path, 3, &back, &text, &err), err);
        assert_string_equal(text, cases[i].back);
        assert_memory_equal(back.pixels, pixels, 12);
        assert_ok(fum_file_read(path, 1 << 20, &file, NULL, &err), err);
        assert_memory_equal(file + 33 + 4, cases[i].type, 4);
        fum_bitmap_free(&back);
        fum_free(text);
        fum_free(file);
    }
}

static void crc_is_that_of_png(void **state) {
    (void)state;
    struct fum_error err = {0};
    uint8_t *png = NULL, pixel = 0;
    size_t bytes = 0;
    assert_ok(fum_image_encode_png(
                  &(struct fum_picture){
                      .pixels = &pixel, .width = 1, .height = 1, .channels = 1, .parameters = "x"},
                  &png, &bytes, &err),
              err);
    // tEXt parameters\0x: 12 bytes of data; CRC by zlib.crc32(b"tEXtparameters\0x")
    static const uint8_t wanted[] = {0,   0,   0,   12,  't',  'E',  'X',  't',
                                     'p', 'a', 'r', 'a', 'm',  'e',  't',  'e',
                                     'r', 's', 0,   'x', 0xe6, 0x65, 0x9c, 0x18};
    assert_memory_equal(png + 33, wanted, sizeof wanted);
    fum_free(png);
}

static void text_is_that_of_a1111(void **state) {
    (void)state;
    struct fum_image_parameters p = {.prompt = "a cat, sitting",
                                     .negative = "dog",
                                     .steps = 20,
                                     .sampler = "Euler a",
                                     .schedule = "Karras",
                                     .cfg = 7,
                                     .seed = 1,
                                     .width = 512,
                                     .height = 768,
                                     .model_hash = "abcdef0123",
                                     .model = "m: \"x\"",
                                     .denoising = 0.75,
                                     .clip_skip = 2,
                                     .eta_noise_seed_delta = 31337,
                                     .rng = "CPU",
                                     .version = "fumarole 0.1.0"};
    char *text = fum_image_format_parameters(&p);
    assert_string_equal(
        text,
        "a cat, sitting\nNegative prompt: dog\nSteps: 20, Sampler: Euler a, Schedule type: Karras, "
        "CFG scale: 7, Seed: 1, Size: 512x768, Model hash: abcdef0123, Model: \"m: \\\"x\\\"\", "
        "Denoising strength: 0.75, Clip skip: 2, ENSD: 31337, RNG: CPU, Version: fumarole 0.1.0");
    fum_free(text);
    const struct fum_image_extra extra = {"Tiling", "True"};
    p = (struct fum_image_parameters){.prompt = " a",
                                      .steps = 5,
                                      .sampler = "DDIM",
                                      .cfg = 7.5,
                                      .seed = UINT64_MAX,
                                      .width = 8,
                                      .height = 8,
                                      .clip_skip = 1,
                                      .extra = &extra,
                                      .extra_count = 1};
    text = fum_image_format_parameters(&p);
    assert_string_equal(
        text, "a\nSteps: 5, Sampler: DDIM, CFG scale: 7.5, Seed: 18446744073709551615, Size: 8x8, "
              "Tiling: True");
    fum_free(text);
    p.prompt = "";
    text = fum_image_format_parameters(&p);
    assert_memory_equal(text, "Steps: 5, ", 10);
    fum_free(text);
}

// Numbers have the fewest digits that read back as the same float.
static void numbers_are_short_and_exact(void **state) {
    (void)state;
    static const struct {
        float value;
        const char *text;
    } numbers[] = {{7, "7"},      {7.1f, "7.1"},  {20, "20"},
                   {0.3f, "0.3"}, {1000, "1000"}, {1.2345679f, "1.2345679"}};
    char text[FUM_NUMBER_BYTES];
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        assert_string_equal(fum_number_shorten(text, (double)numbers[i].value), numbers[i].text);
}

static void refuses_damage(void **state) {
    (void)state;
    struct fum_error err = {0};
    uint8_t pixels[40 * 30 * 3], *png = NULL;
    size_t bytes = 0;
    fill(pixels, sizeof pixels, 0);
    assert_ok(fum_image_encode_png(&(struct fum_picture){.pixels = pixels,
                                                         .width = 40,
                                                         .height = 30,
                                                         .channels = 3,
                                                         .parameters = "\xe7\x8c\xab"},
                                   &png, &bytes, &err),
              err);
    uint64_t seed = 7;
    for (size_t round = 0; round < bytes + 1000; round++) {
        size_t n = round < bytes ? round : bytes;
        uint8_t *copy = malloc(n ? n : 1);
        memcpy(copy, png, n);
        for (int i = 0; round >= bytes && i < 3; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            copy[(seed >> 33) % n] = (uint8_t)(seed >> 20);
        }
        struct fum_bitmap back;
        char *text = NULL;
        memset(&err, 0, sizeof err);
        if (fum_image_decode(&(struct fum_image_file){.data = copy, .bytes = n, .where = "x.png"},
                             3, &back, &text, &err)) {
            assert_null(back.pixels);
            assert_contains(err.text, "x.png");
        } else { // the damage is in the text, or changed nothing
            assert_memory_equal(back.pixels, pixels, sizeof pixels);
        }
        fum_bitmap_free(&back);
        fum_free(text);
        free(copy);
    }
    // Without picture data, and with a first chunk of none.
    struct fum_bitmap back;
    uint8_t empty[FUM_PNG_IHDR_END + 12 + 12] = {0};
    memcpy(empty, png, FUM_PNG_IHDR_END);
    memcpy(empty + FUM_PNG_IHDR_END + 4, "tEXt", 4);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            fum_image_decode(
                &(struct fum_image_file){.data = empty, .bytes = sizeof empty, .where = "x.png"}, 3,
                &back, NULL, &err),
            FUM_ERR_FORMAT);
        assert_contains(err.text, "x.png: cannot decode the PNG: ");
        memcpy(empty + FUM_PNG_IHDR_END + 4, "IDAT", 4);
    }
    memset(png + 16, 0x7f, 8);
    assert_int_equal(
        fum_image_decode(&(struct fum_image_file){.data = png, .bytes = bytes, .where = "x.png"}, 3,
                         &back, NULL, &err),
        FUM_ERR_FORMAT);
    assert_contains(err.text, "outside the limits");
    fum_free(png);
}

static void survives_no_memory(void **state) {
    (void)state;
    const uint8_t pixels[27] = {0};
    const char *path = scratch("memory.png");
    for (int reading = 0; reading < 2; reading++) {
        for (long n = 0;; n++) {
            struct fum_bitmap back = {0};
            char *text = NULL;
            fum_alloc_fail_after(n);
            enum fum_result result =
                reading ? fum_image_read(path, 3, &back, &text, NULL)
                        : fum_image_write_png(path,
                                              &(struct fum_picture){.pixels = pixels,
                                                                    .width = 3,
                                                                    .height = 3,
                                                                    .channels = 3,
                                                                    .parameters = "p"},
                                              NULL);
            fum_alloc_fail_after(-1);
            // the text is dropped when only it does not fit
            bool complete = !result && (!reading || text);
            fum_bitmap_free(&back);
            fum_free(text);
            if (complete) break;
            assert_true(n < 100);
        }
    }
}

int main(void) {
    const struct CMUnitTest all[] = {
        cmocka_unit_test(comes_back_the_same),    cmocka_unit_test(smooth_pictures_get_small),
        cmocka_unit_test(carries_its_parameters), cmocka_unit_test(crc_is_that_of_png),
        cmocka_unit_test(text_is_that_of_a1111),  cmocka_unit_test(numbers_are_short_and_exact),
        cmocka_unit_test(refuses_damage),         cmocka_unit_test(survives_no_memory),
    };
    return cmocka_run_group_tests(all, NULL, NULL);
}
