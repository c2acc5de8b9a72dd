// SPDX-License-Identifier: MIT
// Decoding under limits: every tensor over several bindings, and pictures that only fit in tiles.
#include "picture.h"

#include "pipeline/tiles.h"

// Unit-variance latents that are the same on every machine.
static float *make_latents(size_t count) {
    float *latents = malloc(count * sizeof *latents);
    uint32_t state = 12345;
    for (size_t i = 0; i < count; i++) {
        float sum = 0;
        for (int k = 0; k < 3; k++) {
            state = state * 1664525u + 1013904223u;
            sum += (float)(state >> 8) * 0x1p-24f - 0.5f;
        }
        latents[i] = 2 * sum;
    }
    return latents;
}

static float *decode(fum_pipeline *pipe, const float *latents, int height, int width,
                     size_t *count) {
    struct fum_error err = {0};
    size_t factor = (size_t)fum_vae_factor(&pipe->view->vae);
    *count = 3 * factor * factor * (size_t)height * (size_t)width;
    float *values = malloc(*count * sizeof *values);
    ok(fum_decode_values(pipe, &(struct fum_latents){latents, height, width}, values, &err), &err);
    return values;
}

// Decodes through the tiny SD1 decoder with every limit as it is, then with bindings of
// `max_binding` bytes. Convolutions, norms and sums then work on several windows of what they read
// and write.
static void windows(int height, int width, uint64_t max_binding) {
    float *latents = make_latents((size_t)(4 * height * width)), *values[2];
    struct lines lines = {0};
    struct fum_log log = {keep_line, &lines, FUM_LOG_WARN};
    fum_model *model = open_model(tiny_path());
    size_t count = 0;
    int dispatches[2] = {0};
    for (int split = 0; split < 2; split++) {
        fum_device *device = open_device(true);
        if (split) {
            limits_of(device)->max_binding = max_binding;
            limits_of(device)->binding_align = 256;
        }
        fum_pipeline *pipe = open_pipeline(device, model, FUM_PRECISION_F32, &log);
        struct fum_pipeline_stats stats;
        values[split] = decode(pipe, latents, height, width, &count);
        assert_string_equal(lines.text, ""); // no tiles
        fum_pipeline_get_stats(pipe, &stats);
        dispatches[split] = stats.vae.dispatches[FUM_STAGE_STEP];
        fum_pipeline_destroy(&pipe);
        assert_int_equal(fum_device_memory_used(device), 0);
        assert_int_equal(fum_device_validation_messages(device), 0);
        fum_device_destroy(&device);
    }
    double error = relative_rms(values[1], values[0], count);
    print_message("%dx%d in bindings of %d KiB: %d dispatches, not %d; relative RMS %.1e%s\n",
                  2 * width, 2 * height, (int)(max_binding >> 10), dispatches[1], dispatches[0],
                  error,
                  memcmp(values[0], values[1], count * sizeof(float)) ? "" : ", the same bits");
    assert_true(dispatches[1] > dispatches[0]);
    // a convolution whose weight fits only as it is does not go by Winograd's tiles
    assert_true(error <= 1e-5);
    for (int i = 0; i < 2; i++) free(values[i]);
    free(latents);
    fum_model_destroy(&model);
}

// The bindings are the least that hold one batch's keys of the attention: 3072 and 512 tokens of 32
// channels. The largest tensors, 32 channels at full size, are 1.5 MiB and 256 KiB.
static void keys_are_read_in_windows(void **state) {
    (void)state;
    windows(48, 64, 384 << 10);
    windows(16, 32, 64 << 10);
}

// Bindings that the whole picture's keys do not fit: tiles.
static void small_bindings_decode_by_tiles(void **state) {
    (void)state;
    struct lines lines = {0};
    struct fum_log log = {keep_line, &lines, FUM_LOG_INFO};
    fum_device *device = open_device(true);
    fum_model *model = open_model(tiny_path());
    limits_of(device)->max_binding = 64 << 10;
    fum_pipeline *pipe = open_pipeline(device, model, FUM_PRECISION_F32, &log);
    float *latents = make_latents(4 * 24 * 32);
    size_t count;
    float *values = decode(pipe, latents, 24, 32, &count);
    for (size_t i = 0; i < count; i++) assert_true(isfinite(values[i]));
    print_message("%s", lines.text);
    assert_non_null(strstr(lines.text, "decoding 64x48 pixels in 3 tiles of 32x48"));
    assert_non_null(strstr(lines.text, "largest binding of 65536"));
    assert_non_null(strstr(lines.text, "tile 3 of 3"));
    free(values);
    free(latents);
    fum_pipeline_destroy(&pipe);
    assert_int_equal(fum_device_memory_used(device), 0);
    assert_int_equal(fum_device_validation_messages(device), 0);
    fum_model_destroy(&model);
    fum_device_destroy(&device);
}

// Device memory that runs out while the whole picture's decoder is made: bands.
static void a_picture_without_memory_is_decoded_by_bands(void **state) {
    (void)state;
    fum_model *model = open_model(tiny_path());
    float *latents = make_latents(4 * 16 * 16), *whole = NULL;
    static const int calls[] = {-1, 0, 5, 9, 60};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        struct lines lines = {0};
        struct fum_log log = {keep_line, &lines, FUM_LOG_WARN};
        fum_device *device = open_device(true);
        fum_pipeline *pipe = open_pipeline(device, model, FUM_PRECISION_F32, &log);
        size_t count;
        fum_device_inject(device, calls[i], FUM_INJECT_DEVICE_MEMORY);
        float *values = decode(pipe, latents, 16, 16, &count);
        if (i) {
            assert_true(relative_rms(values, whole, count) < 1e-5);
            if (i == 1) print_message("%s", lines.text);
            assert_non_null(strstr(lines.text, "decoding 32x32 pixels in bands"));
            assert_non_null(strstr(lines.text, "memory ran out"));
            free(values);
        } else {
            whole = values;
        }
        fum_pipeline_destroy(&pipe);
        assert_int_equal(fum_device_memory_used(device), 0);
        assert_int_equal(fum_device_validation_messages(device), 0);
        fum_device_destroy(&device);
    }
    free(latents);
    free(whole);
    fum_model_destroy(&model);
}

// Limits that nothing fits, not even a tile or the weights, are an error that says which.
static void limits_that_nothing_fits_are_named(void **state) {
    (void)state;
    struct fum_error err = {0};
    fum_device *device = open_device(false);
    fum_model *model = open_model(tiny_path());
    limits_of(device)->max_buffer = 4 << 10;
    fum_pipeline *pipe = open_pipeline(device, model, FUM_PRECISION_F32, NULL);
    float *latents = make_latents(4 * 16 * 16);
    uint8_t pixels[3 * 32 * 32];
    for (int i = 0; i < 2; i++) {
        assert_int_equal(fum_decode(pipe, &(struct fum_latents){latents, 16, 16}, pixels, &err),
                         FUM_ERR_UNSUPPORTED);
        assert_non_null(strstr(err.text, "4096"));
    }
    print_message("%s\n", err.text);
    free(latents);
    fum_pipeline_destroy(&pipe);
    assert_int_equal(fum_device_memory_used(device), 0);
    fum_model_destroy(&model);
    fum_device_destroy(&device);
}

// A picture of more pixels than can be written is refused before anything is computed.
static void too_many_pixels_are_refused(void **state) {
    (void)state;
    struct fum_error err = {0};
    struct kept kept = {0};
    fum_device *device = open_device(false);
    fum_model *model = open_model(tiny_path());
    fum_pipeline *pipe = open_pipeline(device, model, FUM_PRECISION_F32, NULL);
    struct fum_generate_params params = {
        .prompt = "cat", .width = 16384, .height = 4104, .on_image = keep, .user = &kept};
    assert_int_equal(fum_generate(pipe, &params, &err), FUM_ERR_ARG);
    assert_non_null(strstr(err.text, "67239936 pixels; at most 67108864 can be drawn"));
    assert_int_equal(kept.count, 0);
    fum_pipeline_destroy(&pipe);
    fum_model_destroy(&model);
    fum_device_destroy(&device);
}

// A picture that the emoji model made, with its latents.
static void make_picture(fum_device *device, const fum_model *model, int side, struct kept *kept) {
    struct fum_error err = {0};
    fum_pipeline *pipe = open_pipeline(device, model, FUM_PRECISION_F32, NULL);
    struct fum_generate_params params = {.prompt = "a smiling cat face",
                                         .width = side,
                                         .height = side,
                                         .steps = 4,
                                         .seed = 1,
                                         .on_image = keep,
                                         .user = kept};
    ok(fum_generate(pipe, &params, &err), &err);
    fum_pipeline_destroy(&pipe);
}

static double mean_difference(const uint8_t *a, const uint8_t *b, size_t count, int *largest) {
    double sum = 0;
    *largest = 0;
    for (size_t i = 0; i < count; i++) {
        int difference = abs(a[i] - b[i]);
        sum += difference;
        if (difference > *largest) *largest = difference;
    }
    return sum / (double)count;
}

struct limit_case {
    int side;
    uint64_t limit; // bytes of one buffer or allocation
    bool whole;     // fits
};

static void limited(fum_device *device, const fum_model *model, const struct limit_case *c,
                    bool allocation) {
    struct kept whole = {0};
    struct lines lines = {0};
    struct fum_log log = {keep_line, &lines, FUM_LOG_WARN};
    struct fum_error err = {0};
    make_picture(device, model, c->side, &whole);
    struct fum_device_info *info = limits_of(device), before = *info;
    *(allocation ? &info->max_allocation : &info->max_buffer) = c->limit;
    fum_pipeline *pipe = open_pipeline(device, model, FUM_PRECISION_F32, &log);
    uint8_t *pixels[2];
    for (int i = 0; i < 2; i++) {
        pixels[i] = malloc(whole.bytes);
        ok(fum_decode(pipe,
                      &(struct fum_latents){whole.latents, whole.latent_height, whole.latent_width},
                      pixels[i], &err),
           &err);
    }
    int largest;
    double mean = mean_difference(whole.pixels, pixels[0], whole.bytes, &largest);
    print_message("%dx%d with %llu bytes in one piece: mean difference %.4f/255, largest %d\n%s",
                  c->side, c->side, (unsigned long long)c->limit, mean, largest, lines.text);
    assert_memory_equal(pixels[0], pixels[1], whole.bytes);
    assert_int_equal(pipe->decoder.way, c->whole ? FUM_DECODE_WHOLE : FUM_DECODE_BANDS);
    if (c->whole) {
        assert_string_equal(lines.text, "");
        assert_memory_equal(whole.pixels, pixels[0], whole.bytes);
    } else {
        assert_non_null(strstr(lines.text, "in bands"));
        // the limit
        assert_non_null(strstr(lines.text, "in one piece"));
        // reported once
        assert_ptr_equal(strstr(lines.text, "\n"), lines.text + strlen(lines.text) - 1);
    }
    assert_true(largest <= 1 && mean <= 0.01);
    *info = before;
    for (int i = 0; i < 2; i++) free(pixels[i]);
    kept_free(&whole);
    fum_pipeline_destroy(&pipe);
    assert_int_equal(fum_device_memory_used(device), 0);
}

static void limits_choose_how_to_decode(void **state) {
    (void)state;
    static const struct limit_case cases[] = {
        {128, 2 << 20, true}, {128, (1 << 20) - 1, false}, {256, 2 << 20, false}};
    fum_device *device = open_device(true);
    fum_model *model = open_model(emoji_path());
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        limited(device, model, &cases[i], i % 2 != 0);
    assert_int_equal(fum_device_validation_messages(device), 0);
    fum_model_destroy(&model);
    fum_device_destroy(&device);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_read_in_windows),
        cmocka_unit_test(small_bindings_decode_by_tiles),
        cmocka_unit_test(a_picture_without_memory_is_decoded_by_bands),
        cmocka_unit_test(limits_that_nothing_fits_are_named),
        cmocka_unit_test(too_many_pixels_are_refused),
        cmocka_unit_test(limits_choose_how_to_decode)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
