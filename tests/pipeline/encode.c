// SPDX-License-Identifier: MIT
// Encoding under limits: pictures that only fit in bands or in tiles.
#include "picture.h"

#include "base/macros.h"
#include "io/image.h"
#include "pipeline/bands.h"

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

static void compare_bands(fum_device *device, const char *name, uint64_t room) {
    enum { HEIGHT = 72, WIDTH = 40, MOST = 8 * HEIGHT * WIDTH };
    static float pixels[3 * HEIGHT * WIDTH], whole[2][MOST], banded[2][MOST];
    struct fum_error err = {0};
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", getenv("FUM_TEST_DATA"), name);
    fum_model *model = open_model(path);
    fum_pipeline *pipe = open_pipeline(device, model, FUM_PRECISION_F32, NULL);
    for (int i = 0; i < 3 * HEIGHT * WIDTH; i++)
        pixels[i] = sinf((float)i * 0.37f + (float)(i % 11));
    int factor = fum_vae_factor(&pipe->view->vae);
    size_t count = (size_t)(pipe->view->vae.latent_channels * (HEIGHT / factor) * (WIDTH / factor));
    struct fum_bands bands = {
        .height = HEIGHT / factor, .width = WIDTH / factor, .room = room, .encodes = true};
    const struct fum_bands_posterior out = {banded[0], banded[1]};
    ok(fum_encode_posterior(pipe, &(struct fum_pixels){pixels, HEIGHT, WIDTH}, whole[0], whole[1],
                            &err),
       &err);
    ok(fum_bands_encode(pipe, &bands, pixels, &out, &err), &err);
    for (size_t i = 0; i < count; i++)
        banded[1][i] = (float)(exp(0.5 * (double)banded[1][i]) * pipe->view->vae.scale);
    double mean = relative_rms(banded[0], whole[0], count),
           spread = relative_rms(banded[1], whole[1], count);
    print_message("%-10s room %7d: mean %.1e, deviation %.1e\n", name, (int)room, mean, spread);
    assert_true(mean < 1e-5 && spread < 1e-5);
    fum_pipeline_destroy(&pipe);
    fum_model_destroy(&model);
}

// Encodes where no buffer may be larger, and returns how far the means are from the whole's.
static double encode_within(uint64_t max_buffer, const char *says) {
    static struct encoded whole, limited;
    struct lines none = {0}, lines = {0};
    fum_device *device = open_device(true);
    fum_model *model = open_model(tiny_path());
    float *values = make_values();
    encode(device, model, values, &whole, &none);
    assert_string_equal(none.text, "");
    struct fum_device_info *info = limits_of(device), before = *info;
    info->max_buffer = max_buffer;
    encode(device, model, values, &limited, &lines);
    *info = before;
    size_t count = sizeof whole.mean / sizeof *whole.mean;
    double error = relative_rms(limited.mean, whole.mean, count);
    print_message("means differ by %.2e of their RMS\n%s", error, lines.text);
    if (!strstr(lines.text, says)) fail_msg("no \"%s\"", says);
    for (size_t i = 0; i < count; i++) assert_true(limited.deviation[i] > 0);
    assert_int_equal(fum_device_validation_messages(device), 0);
    free(values);
    fum_model_destroy(&model);
    fum_device_destroy(&device);
    return error;
}

static void what_does_not_fit_is_encoded_in_bands(void **state) {
    (void)state;
    assert_true(encode_within(200 << 10, "encoding 64x64 pixels in bands of rows") < 1e-5);
}

// Where not even the middle block fits, each tile has norms of its own.
static void what_fits_no_bands_is_encoded_in_tiles(void **state) {
    (void)state;
    assert_true(encode_within(60 << 10, "as the whole does not fit") < 0.5);
}

// The fewest rows, and a tail that begins at each of the blocks.
static void bands_of_any_height_come_to_the_whole(void **state) {
    static const char *const models[] = {"model-sd1", "model-odd", "model-x4"};
    (void)state;
    fum_device *device = open_device(true);
    for (size_t i = 0; i < FUM_COUNT(models); i++)
        for (uint64_t room = 1; room <= 1 << 20; room <<= 6) compare_bands(device, models[i], room);
    assert_int_equal(fum_device_validation_messages(device), 0);
    fum_device_destroy(&device);
}

// Returns the smallest budget that the error of a request from a picture names, in MiB. 0: it was
// drawn.
static unsigned draw_within(fum_device *device, const fum_model *model, uint64_t budget,
                            const struct fum_image_source *picture) {
    struct fum_error err = {0};
    struct kept kept = {0};
    fum_pipeline *pipe = NULL;
    unsigned mib = 0;
    const struct fum_pipeline_params params = {.precision = FUM_PRECISION_F32,
                                               .memory_budget = budget};
    ok(fum_pipeline_create(&pipe, device, model, &params, &err), &err);
    const struct fum_generate_params g = {.prompt = "cat",
                                          .width = SIDE,
                                          .height = SIDE,
                                          .steps = 2,
                                          .init_image = *picture,
                                          .on_image = keep,
                                          .user = &kept};
    enum fum_result result = fum_generate(pipe, &g, &err);
    const char *named = strstr(err.text, "the smallest that works is ");
    if (result) {
        if (!named) fail_msg("%s", err.text);
        assert_int_equal(sscanf(named, "the smallest that works is %uMiB", &mib), 1);
    }
    kept_free(&kept);
    fum_pipeline_destroy(&pipe);
    return mib;
}

// A request from a picture needs room for its encoder, too, and says so before it begins.
static void the_smallest_budget_holds_the_encoder(void **state) {
    (void)state;
    struct fum_error err = {0};
    char path[1024];
    uint8_t *png = NULL;
    size_t bytes = 0;
    uint8_t *grey = calloc(SIDE * SIDE, 1);
    const struct fum_picture picture = {
        .pixels = grey, .width = SIDE, .height = SIDE, .channels = 1};
    ok(fum_image_encode_png(&picture, &png, &bytes, &err), &err);
    const struct fum_image_source given = {.data = png, .bytes = bytes};
    snprintf(path, sizeof path, "%s/models/emoji", getenv("FUM_SOURCE_ROOT"));
    fum_device *device = open_device(true);
    fum_model *model = open_model(path);
    unsigned mib = draw_within(device, model, 1 << 20, &given);
    print_message("a request from a picture needs %u MiB\n", mib);
    assert_true(mib > 1);
    assert_int_equal(draw_within(device, model, (uint64_t)mib << 20, &given), 0);
    assert_int_equal(draw_within(device, model, (uint64_t)(mib - 1) << 20, &given), mib);
    fum_free(png);
    free(grey);
    fum_model_destroy(&model);
    fum_device_destroy(&device);
}

// Where memory runs out, what else is on the device leaves before tiles are taken.
static void other_components_leave_for_the_whole(void **state) {
    static struct encoded whole, again;
    struct lines none = {0};
    (void)state;
    fum_device *device = open_device(true);
    fum_model *model = open_model(tiny_path());
    float *values = make_values();
    encode(device, model, values, &whole, &none);
    fum_pipeline *pipe = open_pipeline(device, model, FUM_PRECISION_F32, NULL);
    const struct fum_pixels pixels = {values, SIDE, SIDE};
    int recovered = 0;
    for (int call = 0; call < 12; call++) {
        struct fum_error err = {0};
        struct kept kept = {0};
        struct fum_generate_params g = {.prompt = "cat",
                                        .width = 16,
                                        .height = 16,
                                        .steps = 1,
                                        .on_image = keep,
                                        .user = &kept};
        ok(fum_generate(pipe, &g, &err), &err);
        fum_component_release(pipe->vae_encoder);
        fum_device_inject(device, call, FUM_INJECT_DEVICE_MEMORY);
        enum fum_result result =
            fum_encode_posterior(pipe, &pixels, again.mean, again.deviation, &err);
        fum_device_inject(device, -1, FUM_INJECT_DEVICE_MEMORY);
        if (result) assert_int_equal(result, FUM_ERR_NOMEM); // while it ran
        if (!result && !pipe->unet->compiled.exe) {
            assert_memory_equal(again.mean, whole.mean, sizeof whole.mean);
            recovered++;
        }
        kept_free(&kept);
    }
    print_message("recovered %d times\n", recovered);
    assert_true(recovered >= 3);
    free(values);
    fum_pipeline_destroy(&pipe);
    fum_model_destroy(&model);
    fum_device_destroy(&device);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_does_not_fit_is_encoded_in_bands),
                                       cmocka_unit_test(what_fits_no_bands_is_encoded_in_tiles),
                                       cmocka_unit_test(bands_of_any_height_come_to_the_whole),
                                       cmocka_unit_test(the_smallest_budget_holds_the_encoder),
                                       cmocka_unit_test(other_components_leave_for_the_whole)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
