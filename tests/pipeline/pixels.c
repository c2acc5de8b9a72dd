// SPDX-License-Identifier: MIT
// Compares models that draw pictures without text and VAE with diffusers. Both have the same noise,
// also in every stochastic step (tests/golden/pixels.py).
#define _DEFAULT_SOURCE // mkdtemp, symlink
#include "pixels.h"

static void pixel_models_run_as_in_diffusers(void **state) {
    run_all_cases(*state);
}

// Makes the folder of the first case, a model with five classes of which the last is the empty one.
static fum_pipeline *open_first(struct context *c, fum_model **model) {
    make_folder(c, "unet2d", "DDPMPipeline",
                cJSON_GetObjectItem(cJSON_GetArrayItem(c->golden.cases, 0), "file"));
    *model = open_model(c->folder);
    return open_pipeline(c->device, *model, FUM_PRECISION_F32, NULL);
}

static void the_model_says_what_it_takes(void **state) {
    struct context *c = *state;
    fum_model *model;
    fum_pipeline *pipe = open_first(c, &model);
    const struct fum_model_info *info = fum_model_get_info(model);
    assert_false(info->takes_prompt);
    assert_int_equal(info->width, 12);
    assert_int_equal(info->height, 12);
    assert_int_equal(info->size_multiple, 1);
    assert_int_equal(info->steps, 1000);
    assert_float_equal(info->guidance, 1, 0);
    assert_string_equal(info->sampler, "ddpm");
    fum_pipeline_destroy(&pipe);
    fum_model_destroy(&model);
    remove_folder(c);
}

static void wrong_requests_are_refused(void **state) {
    struct context *c = *state;
    fum_model *model;
    fum_pipeline *pipe = open_first(c, &model);
    static const float noise[1] = {0};
    const struct fum_generate_params plain = {
        .has_class = true, .class_label = 1, .steps = 3, .on_image = keep_picture};
    struct fum_generate_params p = plain;
    p.prompt = "a cat";
    expect_refusal(pipe, &p, "takes no prompt");
    p = plain;
    p.has_class = false;
    expect_refusal(pipe, &p, "5 classes");
    p = plain;
    p.class_label = 5;
    expect_refusal(pipe, &p, "0 to 4");
    p = plain;
    p.step_noise = noise;
    for (int i = 0; i < 5; i++) p.step_noise_shape[i] = 1;
    expect_refusal(pipe, &p, "[2, 1, 1, 12, 12]");
    fum_pipeline_destroy(&pipe);
    fum_model_destroy(&model);
    remove_folder(c);
}

static void a_variance_that_is_missing_is_refused(void **state) {
    struct context *c = *state;
    struct fum_error err = {0};
    cJSON *scheduler =
        cJSON_Parse("{\"_class_name\": \"DDPMScheduler\", \"variance_type\": \"learned\"}");
    make_folder(c, "unet2d-plain", "DDPMPipeline", scheduler);
    fum_model *model = open_model(c->folder);
    fum_pipeline *pipe = open_pipeline(c->device, model, FUM_PRECISION_F32, NULL);
    const struct fum_generate_params p = {.steps = 3, .on_image = keep_picture};
    assert_int_equal(fum_generate(pipe, &p, &err), FUM_ERR_FORMAT);
    assert_non_null(strstr(err.text, "gives no variance: its out_channels are 3"));
    fum_pipeline_destroy(&pipe);
    fum_model_destroy(&model);
    remove_folder(c);
    cJSON_Delete(scheduler);
}

static int set_up(void **state) {
    static struct context c;
    *state = &c;
    return set_up_golden(&c, "pixels");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(pixel_models_run_as_in_diffusers),
                                       cmocka_unit_test(the_model_says_what_it_takes),
                                       cmocka_unit_test(wrong_requests_are_refused),
                                       cmocka_unit_test(a_variance_that_is_missing_is_refused)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
