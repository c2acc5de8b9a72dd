// SPDX-License-Identifier: MIT
// Pictures enlarged by upscaling models against diffusers, in f32, with all draws from the seed.

#include "fits.h"

#include "base/macros.h"
#include "io/image.h"

// A model that enlarges, and what diffusers draws with it.
struct upscaler {
    const char *model, *golden, *sampler;
    int width; // of every case's picture, enlarged
};

struct context {
    const struct upscaler *of;
    fum_device *device;
    struct golden golden;
    fum_model *model;
    fum_pipeline *pipe;
};

// Returns the picture of a case as the bytes of a PNG, which the caller frees.
static struct fum_image_source png_of(const struct context *c, int height) {
    struct fum_error err = {0};
    char name[32];
    uint8_t *png = NULL;
    size_t bytes = 0;
    snprintf(name, sizeof name, "picture%d", height);
    const struct fum_loader_tensor *t = fum_loader_find(c->golden.tensors, name);
    assert_non_null(t);
    const struct fum_picture picture = {.pixels = t->view.data,
                                        .width = (int)t->view.dim[1],
                                        .height = (int)t->view.dim[0],
                                        .channels = 3};
    ok(fum_image_encode_png(&picture, &png, &bytes, &err), &err);
    return (struct fum_image_source){.data = png, .bytes = bytes};
}

static struct fum_generate_params read_case(const struct context *c, const cJSON *spec,
                                            struct kept *kept) {
    return (struct fum_generate_params){
        .prompt = fum_json_string(spec, "prompt", ""),
        .negative = fum_json_string(spec, "negative", NULL),
        .steps = (int)fum_json_number(spec, "steps", 0),
        .sampler = fum_json_string(spec, "sampler", NULL),
        .schedule = fum_json_string(spec, "schedule", NULL),
        .timestep_spacing = fum_json_string(spec, "spacing", NULL),
        .guidance = (float)fum_json_number(spec, "guidance", 0),
        .has_class = cJSON_HasObjectItem(spec, "level"),
        .class_label = (float)fum_json_number(spec, "level", 0),
        .seed = (uint64_t)fum_json_number(spec, "seed", 0),
        .rng = FUM_RNG_CPU,
        .init_image = png_of(c, (int)fum_json_number(spec, "height", 0)),
        .on_image = keep,
        .user = kept,
    };
}

static void release(struct fum_generate_params *params) {
    fum_free((void *)(uintptr_t)params->init_image.data);
    params->init_image = (struct fum_image_source){0};
}

static bool run_case(struct context *c, int index, const cJSON *spec) {
    struct fum_error err = {0};
    struct kept kept = {0};
    struct fum_generate_params params = read_case(c, spec, &kept);
    ok(fum_generate(c->pipe, &params, &err), &err);
    const struct fit fit = golden_fit(&c->golden, index, &kept);
    bool good = fit.latents <= 1e-3 && fit.picture >= 50 && kept.width == c->of->width;
    print_message("%d %-8s level %2.0f: latents %.2e, picture %.1f dB%s\n", index, params.sampler,
                  (double)params.class_label, fit.latents, fit.picture,
                  good ? "" : "  <-- out of bounds");
    release(&params);
    kept_free(&kept);
    return good;
}

static void runs_match_diffusers(void **state) {
    struct context *c = *state;
    int index = 0, bad = 0;
    const cJSON *spec;
    cJSON_ArrayForEach(spec, c->golden.cases) bad += !run_case(c, index++, spec);
    assert_true(index > 0);
    assert_int_equal(bad, 0);
    assert_int_equal(fum_device_validation_messages(c->device), 0);
}

// As in runs.c: latents of random weights are not held to a bound in f16.
static void runs_in_f16_come_near(void **state) {
    struct context *c = *state;
    struct fum_error err = {0};
    struct kept kept = {0};
    if (!fum_device_get_info(c->device)->storage16) skip();
    fum_pipeline *pipe = open_pipeline(c->device, c->model, FUM_PRECISION_F16, NULL);
    struct fum_generate_params params = read_case(c, cJSON_GetArrayItem(c->golden.cases, 0), &kept);
    ok(fum_generate(pipe, &params, &err), &err);
    const struct fit fit = golden_fit(&c->golden, 0, &kept);
    print_message("f16: latents %.2e, picture %.1f dB\n", fit.latents, fit.picture);
    assert_true(fit.picture >= 35);
    release(&params);
    kept_free(&kept);
    fum_pipeline_destroy(&pipe);
}

// Without a level there is one, and the model's own size and number of steps are known.
static void levels_have_a_default(void **state) {
    struct context *c = *state;
    struct fum_error err = {0};
    struct kept kept[2] = {{0}};
    for (int i = 0; i < 2; i++) {
        struct fum_generate_params params =
            read_case(c, cJSON_GetArrayItem(c->golden.cases, 0), &kept[i]);
        params.has_class = i == 0;
        ok(fum_generate(c->pipe, &params, &err), &err);
        release(&params);
    }
    assert_int_equal(kept[0].bytes, kept[1].bytes);
    assert_memory_equal(kept[0].pixels, kept[1].pixels, kept[0].bytes);
    const struct fum_model_info *info = fum_model_get_info(c->model);
    assert_int_equal(info->steps, 75);
    assert_true(info->guidance == 9);
    assert_string_equal(info->sampler, c->of->sampler);
    for (int i = 0; i < 2; i++) kept_free(&kept[i]);
}

static void a_size_of_ones_own_fits_the_picture(void **state) {
    struct context *c = *state;
    struct fum_error err = {0};
    struct kept kept = {0};
    struct fum_generate_params params = read_case(c, cJSON_GetArrayItem(c->golden.cases, 0), &kept);
    params.width = 40;
    params.height = 24;
    ok(fum_generate(c->pipe, &params, &err), &err);
    assert_int_equal(kept.width, 40);
    assert_int_equal(kept.bytes, 3 * 40 * 24);
    release(&params);
    kept_free(&kept);
}

static void refuse(struct context *c, const struct fum_generate_params *params, const char *says) {
    struct fum_error err = {0};
    assert_int_not_equal(fum_generate(c->pipe, params, &err), FUM_OK);
    if (!strstr(err.text, says)) fail_msg("\"%s\" does not say \"%s\"", err.text, says);
}

static void what_it_cannot_draw_is_refused(void **state) {
    struct context *c = *state;
    struct kept kept = {0};
    struct fum_generate_params params = read_case(c, cJSON_GetArrayItem(c->golden.cases, 0), &kept);
    params.class_label = 31;
    refuse(c, &params, "--noise-level takes 0 to 30");
    params.class_label = 2.5f;
    refuse(c, &params, "noise level 2.5");
    params.class_label = 2;
    params.mask = params.init_image;
    refuse(c, &params, "leave --mask out");
    params.mask = (struct fum_image_source){0};
    release(&params);
    refuse(c, &params, "give one with --init-img");
    assert_int_equal(kept.count, 0);
}

static void sides_are_doubled(void **state) {
    struct context *c = *state;
    struct fum_error err = {0};
    struct kept kept = {0};
    struct fum_generate_params params = read_case(c, cJSON_GetArrayItem(c->golden.cases, 0), &kept);
    params.width = 40;
    params.height = 16;
    ok(fum_generate(c->pipe, &params, &err), &err);
    assert_int_equal(kept.bytes, 3 * 40 * 16);
    kept_free(&kept);
    params.width = 36; // 18 latents, which three levels cannot halve twice
    refuse(c, &params, "multiple");
    release(&params);
}

// Samplers of other spaces take the same preconditioned model, and those of timesteps cannot.
static void samplers_of_noise_levels_run(void **state) {
    static const char *const names[] = {"heun", "dpm++2m", "unipc", "euler_a"};
    struct context *c = *state;
    struct fum_error err = {0};
    struct kept reference = {0};
    struct fum_generate_params params =
        read_case(c, cJSON_GetArrayItem(c->golden.cases, 0), &reference);
    params.steps = 60;
    params.guidance = 1;
    params.eta = -1; // no noise, so that all come to the same solution
    ok(fum_generate(c->pipe, &params, &err), &err);
    for (size_t i = 0; i < FUM_COUNT(names); i++) {
        struct kept kept = {0};
        params.sampler = names[i];
        params.user = &kept;
        ok(fum_generate(c->pipe, &params, &err), &err);
        double far = relative_rms(kept.latents, reference.latents, reference.latent_count);
        print_message("%-8s %.2e of euler's\n", names[i], far);
        assert_true(far < 0.1);
        kept_free(&kept);
    }
    params.sampler = "ddim";
    refuse(c, &params, "visits whole training timesteps");
    release(&params);
    kept_free(&reference);
}

static void pictures_it_cannot_double_are_refused(void **state) {
    struct context *c = *state;
    struct kept kept = {0};
    struct fum_generate_params params = read_case(c, cJSON_GetArrayItem(c->golden.cases, 0), &kept);
    params.mask = params.init_image;
    refuse(c, &params, "leave --mask out");
    params.mask = (struct fum_image_source){0};
    release(&params);
    refuse(c, &params, "give one with --init-img");
    assert_int_equal(kept.count, 0);
}

static int set_up(void **state, const struct upscaler *of) {
    static struct context c;
    char path[1024];
    *state = &c;
    c = (struct context){.of = of};
    golden_open(&c.golden, of->golden);
    c.device = open_device(true);
    snprintf(path, sizeof path, "%s/%s", getenv("FUM_TEST_DATA"), of->model);
    c.model = open_model(path);
    c.pipe = open_pipeline(c.device, c.model, FUM_PRECISION_F32, NULL);
    return 0;
}

static int set_up_x4(void **state) {
    static const struct upscaler x4 = {"model-x4", "low-res", "ddim", 48};
    return set_up(state, &x4);
}

static int set_up_x2(void **state) {
    static const struct upscaler x2 = {"model-x2", "low-res-latents", "euler", 32};
    return set_up(state, &x2);
}

static int tear_down(void **state) {
    struct context *c = *state;
    fum_pipeline_destroy(&c->pipe);
    fum_model_destroy(&c->model);
    fum_device_destroy(&c->device);
    golden_close(&c->golden);
    return 0;
}

int main(void) {
    const struct CMUnitTest x4[] = {cmocka_unit_test(runs_match_diffusers),
                                    cmocka_unit_test(runs_in_f16_come_near),
                                    cmocka_unit_test(levels_have_a_default),
                                    cmocka_unit_test(a_size_of_ones_own_fits_the_picture),
                                    cmocka_unit_test(what_it_cannot_draw_is_refused)};
    const struct CMUnitTest x2[] = {
        cmocka_unit_test(runs_match_diffusers), cmocka_unit_test(runs_in_f16_come_near),
        cmocka_unit_test(sides_are_doubled), cmocka_unit_test(samplers_of_noise_levels_run),
        cmocka_unit_test(pictures_it_cannot_double_are_refused)};
    int failed = cmocka_run_group_tests(x4, set_up_x4, tear_down);
    return failed + cmocka_run_group_tests(x2, set_up_x2, tear_down);
}
