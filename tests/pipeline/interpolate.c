// SPDX-License-Identifier: MIT
// Draws between two seeds: the ends are the pictures of these seeds, bit by bit, with samplers that
// add noise too. Draws between two pictures with previews.
#define _DEFAULT_SOURCE // mkdtemp, symlink
#include "pixels.h"

#include "io/image.h"
#include "pipeline/pipeline.h"

enum { FRAMES = 5 };

static void draw(fum_pipeline *pipe, const struct fum_generate_params *params,
                 struct pictures *pictures) {
    struct fum_error err = {0};
    struct fum_generate_params own = *params;
    *pictures = (struct pictures){0};
    own.width = own.height = 8;
    own.steps = 4;
    own.user = pictures;
    own.on_image = keep_picture;
    ok(fum_generate(pipe, &own, &err), &err);
}

static void the_ends_are_those_of_the_seeds(void **state) {
    struct context *c = *state;
    static const char *const samplers[] = {"ddpm", "ddim", "euler_a", "dpm++2m_sde"};
    static struct pictures between, alone;
    fum_model *model;
    make_folder(c, "unet2d-plain", "DDPMPipeline",
                cJSON_GetObjectItem(cJSON_GetArrayItem(c->golden.cases, 2), "file"));
    model = open_model(c->folder);
    fum_pipeline *pipe = open_pipeline(c->device, model, FUM_PRECISION_F32, NULL);
    for (size_t i = 0; i < sizeof samplers / sizeof *samplers; i++) {
        struct fum_generate_params p = {.sampler = samplers[i], .count = FRAMES};
        p.interpolate[0] = "11";
        p.interpolate[1] = "20";
        draw(pipe, &p, &between);
        assert_int_equal(between.count, FRAMES);
        p = (struct fum_generate_params){.sampler = samplers[i], .seed = 11};
        draw(pipe, &p, &alone);
        assert_memory_equal(between.latents, alone.latents, alone.used * sizeof(float));
        size_t last = (FRAMES - 1) * alone.used, middle = 2 * alone.used;
        assert_true(relative_rms(between.latents + middle, alone.latents, alone.used) > 0.1);
        p.seed = 20;
        draw(pipe, &p, &alone);
        assert_memory_equal(between.latents + last, alone.latents, alone.used * sizeof(float));
        assert_true(relative_rms(between.latents + middle, alone.latents, alone.used) > 0.1);
    }
    fum_pipeline_destroy(&pipe);
    fum_model_destroy(&model);
    remove_folder(c);
}

struct counts {
    int previews, pictures;
};

static bool count_preview(void *user, const struct fum_image *image, int step) {
    struct counts *counts = user;
    (void)step;
    counts->previews++;
    return image->pixels != NULL;
}

static bool count_picture(void *user, const struct fum_image *image) {
    struct counts *counts = user;
    counts->pictures++;
    return image->pixels != NULL;
}

static void write_end(const char *path, int shade) {
    enum { SIDE = 16 };
    struct fum_error err = {0};
    uint8_t pixels[3 * SIDE * SIDE];
    for (int i = 0; i < 3 * SIDE * SIDE; i++) pixels[i] = (uint8_t)(shade * i);
    ok(fum_image_write_png(
           path,
           &(struct fum_picture){.pixels = pixels, .width = SIDE, .height = SIDE, .channels = 3},
           &err),
       &err);
}

// Both ends are inverted, and both pictures drawn, in two steps each.
static void previews_between_pictures_reach_the_caller(void **state) {
    struct context *c = *state;
    struct fum_error err = {0};
    struct counts counts = {0};
    const struct fum_generate_params params = {.prompt = "a cat",
                                               .steps = 2,
                                               .count = 2,
                                               .interpolate = {"fum-end-1.png", "fum-end-2.png"},
                                               .preview = FUM_PREVIEW_COLOURS,
                                               .on_preview = count_preview,
                                               .on_image = count_picture,
                                               .user = &counts};
    fum_model *model = open_model(tiny_path());
    fum_pipeline *pipe = open_pipeline(c->device, model, FUM_PRECISION_F32, NULL);
    for (int i = 0; i < 2; i++) write_end(params.interpolate[i], i + 1);
    ok(fum_generate(pipe, &params, &err), &err);
    assert_int_equal(counts.pictures, 2);
    assert_int_equal(counts.previews, 8);
    for (int i = 0; i < 2; i++) unlink(params.interpolate[i]);
    fum_pipeline_destroy(&pipe);
    fum_model_destroy(&model);
}

// The mix of two normal vectors has their length; that of a vector and itself is the vector.
static void noise_stays_on_its_sphere(void **state) {
    (void)state;
    enum { COUNT = 4096 };
    static float a[COUNT], b[COUNT], mix[COUNT];
    uint32_t bits = 1;
    for (int i = 0; i < 2 * COUNT; i++) {
        double sum = 0;
        for (int k = 0; k < 12; k++) {
            bits = bits * 1664525u + 1013904223u;
            sum += bits / 4294967296.0;
        }
        (i < COUNT ? a : b)[i % COUNT] = (float)(sum - 6);
    }
    memcpy(mix, a, sizeof mix);
    fum_noise_mix(mix, b, COUNT, 0.5);
    double square = 0, from_a = 0, from_b = 0;
    for (int i = 0; i < COUNT; i++) {
        square += (double)mix[i] * (double)mix[i];
        from_a += (double)(mix[i] - a[i]) * (double)(mix[i] - a[i]);
        from_b += (double)(mix[i] - b[i]) * (double)(mix[i] - b[i]);
    }
    assert_true(fabs(square / COUNT - 1) < 0.1);
    assert_true(fabs(from_a / from_b - 1) < 0.1);
    memcpy(mix, a, sizeof mix);
    fum_noise_mix(mix, a, COUNT, 0.3);
    assert_true(relative_rms(mix, a, COUNT) < 1e-6);
}

static int set_up(void **state) {
    static struct context c;
    *state = &c;
    return set_up_golden(&c, "pixels");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_ends_are_those_of_the_seeds),
                                       cmocka_unit_test(previews_between_pictures_reach_the_caller),
                                       cmocka_unit_test(noise_stays_on_its_sphere)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
