// SPDX-License-Identifier: MIT
// Compares DDIM inversion with diffusers (tests/golden/invert.py), and draws a picture back from
// its noise.
#include "picture.h"

#include "golden.h"

#include "io/image.h"

#include <unistd.h>

enum { MAX_VALUES = 4096 };

struct context {
    fum_device *device;
    struct golden golden;
};

struct found {
    int count;
    size_t used;
    float noise[MAX_VALUES];
    int shape[4];
};

static bool keep_noise(void *user, const struct fum_image *image) {
    struct found *f = user;
    f->shape[0] = 1;
    f->shape[1] = image->latent_channels;
    f->shape[2] = image->latent_height;
    f->shape[3] = image->latent_width;
    f->used =
        (size_t)image->latent_channels * (size_t)image->latent_height * (size_t)image->latent_width;
    assert_true(f->used <= MAX_VALUES);
    assert_null(image->pixels);
    memcpy(f->noise, image->latents, f->used * sizeof *f->noise);
    f->count++;
    return true;
}

static void write_picture(const char *path, const uint8_t *pixels, int width, int height) {
    struct fum_error err = {0};
    const struct fum_picture picture = {
        .pixels = pixels, .width = width, .height = height, .channels = 3};
    ok(fum_image_write_png(path, &picture, &err), &err);
}

static bool run_case(struct context *c, int index, const cJSON *spec) {
    static const char path[] = "fum-invert.png";
    struct fum_error err = {0};
    static struct found found;
    found = (struct found){0};
    char folder[1024];
    const struct fum_loader_tensor *pixels = golden_tensor(&c->golden, index, "pixels"),
                                   *want = golden_tensor(&c->golden, index, "noise");
    snprintf(folder, sizeof folder, "%s/model-%s", getenv("FUM_TEST_DATA"),
             fum_json_string(spec, "model", ""));
    struct fum_generate_params params = {.prompt =
                                             index ? fum_json_string(spec, "prompt", "") : NULL,
                                         .guidance = (float)fum_json_number(spec, "guidance", 0),
                                         .steps = (int)fum_json_number(spec, "steps", 0),
                                         .on_image = keep_noise,
                                         .user = &found};
    write_picture(path, pixels->view.data, (int)pixels->view.dim[1], (int)pixels->view.dim[0]);
    fum_model *model = open_model(folder);
    fum_pipeline *pipe = open_pipeline(c->device, model, FUM_PRECISION_F32, NULL);
    ok(fum_invert(pipe, &params, path, &err), &err);
    assert_int_equal(found.count, 1);
    assert_int_equal(found.used * sizeof(float), want->bytes);
    double error = relative_rms(found.noise, want->view.data, found.used);
    print_message("%3d %-5s: noise %.2e\n", index, fum_json_string(spec, "model", ""), error);
    fum_pipeline_destroy(&pipe);
    fum_model_destroy(&model);
    unlink(path);
    return error <= 1e-3;
}

static void inversion_is_that_of_diffusers(void **state) {
    struct context *c = *state;
    int index = 0, bad = 0;
    const cJSON *spec;
    cJSON_ArrayForEach(spec, c->golden.cases) bad += !run_case(c, index++, spec);
    assert_int_equal(bad, 0);
    assert_int_equal(index, 3);
}

// The emoji model draws a picture, finds its noise, and draws it again from that.
static void noise_brings_the_picture_back(void **state) {
    struct context *c = *state;
    static const char path[] = "fum-back.png";
    struct fum_error err = {0};
    static struct found found;
    struct kept first = {0}, back = {0};
    found = (struct found){0};
    fum_model *model = open_model(emoji_path());
    fum_pipeline *pipe = open_pipeline(c->device, model, FUM_PRECISION_F32, NULL);
    struct fum_generate_params params = {.prompt = "red heart",
                                         .guidance = 1,
                                         .steps = 30,
                                         .width = 64,
                                         .height = 64,
                                         .sampler = "ddim",
                                         .on_image = keep,
                                         .user = &first};
    ok(fum_generate(pipe, &params, &err), &err);
    write_picture(path, first.pixels, first.width, first.height);
    params.on_image = keep_noise;
    params.user = &found;
    ok(fum_invert(pipe, &params, path, &err), &err);
    params.noise = found.noise;
    memcpy(params.noise_shape, found.shape, sizeof found.shape);
    params.on_image = keep;
    params.user = &back;
    ok(fum_generate(pipe, &params, &err), &err);
    double error = 0;
    for (size_t i = 0; i < first.bytes; i++)
        error += pow((double)first.pixels[i] - back.pixels[i], 2);
    double psnr = 10 * log10(255.0 * 255.0 * (double)first.bytes / fmax(error, 1e-9));
    print_message("drawn back: PSNR %.1f dB\n", psnr);
    assert_true(psnr > 20);
    kept_free(&first);
    kept_free(&back);
    fum_pipeline_destroy(&pipe);
    fum_model_destroy(&model);
    unlink(path);
}

static void wrong_pictures_are_refused(void **state) {
    struct context *c = *state;
    static const char path[] = "fum-odd.png";
    struct fum_error err = {0};
    static struct found found;
    static const uint8_t pixels[15 * 16 * 3];
    const struct fum_generate_params params = {.steps = 2, .on_image = keep_noise, .user = &found};
    fum_model *model = open_model(tiny_path());
    fum_pipeline *pipe = open_pipeline(c->device, model, FUM_PRECISION_F32, NULL);
    write_picture(path, pixels, 15, 16);
    assert_int_equal(fum_invert(pipe, &params, path, &err), FUM_ERR_ARG);
    assert_non_null(strstr(err.text, "15 pixels"));
    assert_int_equal(fum_invert(pipe, &params, "nowhere.png", &err), FUM_ERR_IO);
    assert_non_null(strstr(err.text, "nowhere.png"));
    fum_pipeline_destroy(&pipe);
    fum_model_destroy(&model);
    unlink(path);
}

static int set_up(void **state) {
    static struct context c;
    *state = &c;
    golden_open(&c.golden, "invert");
    c.device = open_device(false);
    return 0;
}

static int tear_down(void **state) {
    struct context *c = *state;
    fum_device_destroy(&c->device);
    golden_close(&c->golden);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(inversion_is_that_of_diffusers),
                                       cmocka_unit_test(noise_brings_the_picture_back),
                                       cmocka_unit_test(wrong_pictures_are_refused)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
