// SPDX-License-Identifier: MIT
// Compares score models in continuous time with diffusers and with SciPy. Both have the same noise,
// also in every stochastic step (tests/golden/scores.py).
#define _DEFAULT_SOURCE // mkdtemp, symlink
#include "pixels.h"

static void score_models_run_as_in_the_paper(void **state) {
    run_all_cases(*state);
}

static fum_pipeline *open_case(struct context *c, int index, fum_model **model) {
    const cJSON *spec = cJSON_GetArrayItem(c->golden.cases, index);
    make_folder(c, fum_json_string(spec, "unet", ""),
                fum_json_string(spec, "index", "DDPMPipeline"), cJSON_GetObjectItem(spec, "file"));
    *model = open_model(c->folder);
    return open_pipeline(c->device, *model, FUM_PRECISION_F32, NULL);
}

// Counts reports of steps, which must not go back.
struct steps {
    int reports, last;
};

static bool count_step(void *user, int image, int step, int steps) {
    struct steps *s = user;
    (void)image;
    assert_true(step >= s->last && step <= steps);
    s->last = step;
    s->reports++;
    return s->reports < 3;
}

static void a_flow_reports_its_way_and_stops(void **state) {
    struct context *c = *state;
    struct fum_error err = {0};
    struct steps steps = {0};
    fum_model *model;
    fum_pipeline *pipe = open_case(c, 0, &model);
    const struct fum_generate_params p = {
        .sampler = "ode", .on_image = keep_picture, .on_step = count_step, .user = &steps};
    assert_int_equal(fum_generate(pipe, &p, &err), FUM_ERR_CANCELLED);
    assert_int_equal(steps.reports, 3);
    fum_pipeline_destroy(&pipe);
    fum_model_destroy(&model);
    remove_folder(c);
}

static void the_folder_sets_the_defaults(void **state) {
    struct context *c = *state;
    fum_model *model;
    fum_pipeline *pipe = open_case(c, 0, &model);
    assert_string_equal(fum_model_get_info(model)->sampler, "sde");
    assert_int_equal(fum_model_get_info(model)->steps, 2000);
    struct fum_generate_params p = {.on_image = keep_picture, .tolerance = 1e-3};
    expect_refusal(pipe, &p, "sampler sde has no tolerance");
    p = (struct fum_generate_params){.on_image = keep_picture, .sampler = "ode", .tolerance = 1.5};
    expect_refusal(pipe, &p, "tolerance 1.5");
    fum_pipeline_destroy(&pipe);
    fum_model_destroy(&model);
    remove_folder(c);
}

static int set_up(void **state) {
    static struct context c = {.joint = true};
    *state = &c;
    return set_up_golden(&c, "scores");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(score_models_run_as_in_the_paper),
                                       cmocka_unit_test(a_flow_reports_its_way_and_stops),
                                       cmocka_unit_test(the_folder_sets_the_defaults)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
