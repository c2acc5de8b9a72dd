// SPDX-License-Identifier: MIT
// Previews: the last one shows the picture itself, they come when they should, and the picture is
// the same without them.
#include "open.h"
#include "test.h"

#include <fumarole/pipeline.h>

#include <math.h>

enum { SIDE = 16, LATENT = 8, STEPS = 5, LARGE = 64 };

struct shown {
    int count, last_step, width, height;
    uint8_t preview[3 * LARGE * LARGE], pixels[3 * LARGE * LARGE];
    float latents[4 * LATENT * LATENT];
};

static bool on_preview(void *user, const struct fum_image *image, int step) {
    struct shown *s = user;
    s->count++;
    s->last_step = step;
    s->width = image->width;
    s->height = image->height;
    memcpy(s->preview, image->pixels, (size_t)(3 * image->width * image->height));
    return true;
}

static bool on_image(void *user, const struct fum_image *image) {
    struct shown *s = user;
    memcpy(s->pixels, image->pixels, (size_t)(3 * image->width * image->height));
    memcpy(s->latents, image->latents, sizeof s->latents);
    return true;
}

// What a picture is drawn with. tiny NULL: the model's own VAE.
struct drawing {
    uint64_t budget;
    enum fum_preview kind;
    int interval;
    const char *tiny;
};

// Draws a picture with previews. Returns the result.
static enum fum_result draw_with(fum_device *device, const struct drawing *drawing,
                                 struct shown *shown) {
    struct fum_error err = {0};
    char path[1024], tiny[1024];
    fum_model *model = NULL;
    fum_pipeline *pipe = NULL;
    *shown = (struct shown){0};
    snprintf(path, sizeof path, "%s/model-train", getenv("FUM_TEST_DATA"));
    snprintf(tiny, sizeof tiny, "%s/%s", getenv("FUM_TEST_DATA"), drawing->tiny);
    const struct fum_model_params opening = {.path = path, .taesd = drawing->tiny ? tiny : NULL};
    ok(fum_model_open(&model, &opening, &err), &err);
    const struct fum_pipeline_params params = {.precision = FUM_PRECISION_F32,
                                               .memory_budget = drawing->budget};
    ok(fum_pipeline_create(&pipe, device, model, &params, &err), &err);
    const struct fum_generate_params picture = {.prompt = "a red ship",
                                                .width = drawing->tiny ? LARGE : SIDE,
                                                .height = drawing->tiny ? LARGE : SIDE,
                                                .steps = STEPS,
                                                .sampler = "euler",
                                                .guidance = 3,
                                                .seed = 9,
                                                .preview = drawing->kind,
                                                .preview_interval = drawing->interval,
                                                .on_preview = on_preview,
                                                .on_image = on_image,
                                                .user = shown};
    enum fum_result result = fum_generate(pipe, &picture, &err);
    fum_pipeline_destroy(&pipe);
    fum_model_destroy(&model);
    return result;
}

static enum fum_result draw(fum_device *device, uint64_t budget, enum fum_preview kind,
                            int interval, struct shown *shown) {
    return draw_with(device, &(struct drawing){budget, kind, interval, NULL}, shown);
}

// The colours of latents as other programs compute them for SD 1.x.
static int colour_of(const float *latents, int pixel, int colour) {
    static const double factors[4][3] = {{0.3512, 0.2297, 0.3227},
                                         {0.3250, 0.4974, 0.2350},
                                         {-0.2829, 0.1762, 0.2721},
                                         {-0.2120, -0.2616, -0.7177}};
    double sum = 0;
    for (int c = 0; c < 4; c++)
        sum += factors[c][colour] * (double)latents[c * LATENT * LATENT + pixel];
    double byte = (sum + 1) / 2 * 255;
    return (int)floor(fmax(0, fmin(255, byte)) + 0.5);
}

static void the_last_preview_shows_the_picture(void **state) {
    struct shown none, colours, decoded;
    assert_int_equal(draw(*state, 0, FUM_PREVIEW_NONE, 0, &none), FUM_OK);
    assert_int_equal(none.count, 0);
    assert_int_equal(draw(*state, 0, FUM_PREVIEW_COLOURS, 0, &colours), FUM_OK);
    assert_int_equal(colours.count, STEPS);
    assert_memory_equal(none.latents, colours.latents, sizeof none.latents);
    assert_int_equal(colours.width, LATENT);
    assert_int_equal(colours.height, LATENT);
    for (int i = 0; i < LATENT * LATENT; i++)
        for (int k = 0; k < 3; k++) {
            int byte = colours.preview[3 * i + k];
            assert_in_range(byte + 1 - colour_of(colours.latents, i, k), 0, 2);
        }
    assert_int_equal(draw(*state, 0, FUM_PREVIEW_VAE, 2, &decoded), FUM_OK);
    assert_int_equal(decoded.count, STEPS / 2);
    assert_int_equal(decoded.last_step, STEPS - 1);
    assert_int_equal(draw(*state, 0, FUM_PREVIEW_VAE, STEPS, &decoded), FUM_OK);
    assert_int_equal(decoded.width, SIDE);
    for (int i = 0; i < 3 * SIDE * SIDE; i++)
        assert_in_range(decoded.preview[i] + 1 - decoded.pixels[i], 0, 2);
    assert_memory_equal(none.pixels, decoded.pixels, sizeof none.pixels);
}

static void a_tiny_autoencoder_shows_it_too(void **state) {
    struct shown none, tiny;
    struct drawing drawing = {.tiny = "model-tiny-diffusers"};
    assert_int_equal(draw_with(*state, &drawing, &none), FUM_OK);
    drawing.kind = FUM_PREVIEW_TINY;
    assert_int_equal(draw_with(*state, &drawing, &tiny), FUM_OK);
    assert_int_equal(tiny.count, STEPS);
    assert_int_equal(tiny.width, LARGE);
    assert_int_equal(tiny.height, LARGE);
    for (int i = 0; i < 3 * LARGE * LARGE; i++)
        assert_in_range(tiny.preview[i] + 1 - tiny.pixels[i], 0, 2);
    assert_memory_equal(none.pixels, tiny.pixels, sizeof none.pixels);
}

static void what_cannot_be_shown_is_refused(void **state) {
    struct shown shown;
    assert_int_equal(draw(*state, 0, FUM_PREVIEW_TINY, 0, &shown), FUM_ERR_ARG);
    assert_int_equal(draw(*state, UINT64_C(1) << 32, FUM_PREVIEW_VAE, 0, &shown),
                     FUM_ERR_UNSUPPORTED);
    assert_int_equal(draw(*state, UINT64_C(1) << 32, FUM_PREVIEW_COLOURS, 0, &shown), FUM_OK);
}

static int open_all(void **state) {
    *state = open_device(true);
    return 0;
}

static int close_all(void **state) {
    fum_device *device = *state;
    fum_device_destroy(&device);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_preview_shows_the_picture),
        cmocka_unit_test(a_tiny_autoencoder_shows_it_too),
        cmocka_unit_test(what_cannot_be_shown_is_refused),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
