// SPDX-License-Identifier: MIT
// Compares runs that a classifier guides with PyTorch's (tests/golden/guide.py).
#define _DEFAULT_SOURCE // mkdtemp, symlink
#include "pixels.h"

static void folder_of(char path[MAX_PATH], int channels) {
    snprintf(path, MAX_PATH, "%s/guide/%d", getenv("FUM_TEST_DATA"), channels);
}

static void guided_runs_are_those_of_pytorch(void **state) {
    struct context *c = *state;
    int index = 0, bad = 0;
    const cJSON *spec;
    char path[MAX_PATH];
    cJSON_ArrayForEach(spec, c->golden.cases) {
        folder_of(path, (int)golden_tensor(&c->golden, index, "noise")->view.dim[1]);
        bad += !run_case(c, index++, spec, path);
    }
    assert_true(index > 10);
    assert_int_equal(bad, 0);
}

// The folder of a case, with a pipeline of a type.
static fum_pipeline *open_case(struct context *c, int index, enum fum_precision precision,
                               fum_model **model) {
    const cJSON *spec = cJSON_GetArrayItem(c->golden.cases, index);
    make_folder(c, fum_json_string(spec, "unet", ""), "DDPMPipeline",
                cJSON_GetObjectItem(spec, "file"));
    *model = open_model(c->folder);
    return open_pipeline(c->device, *model, precision, NULL);
}

static void close_case(struct context *c, fum_pipeline *pipe, fum_model *model) {
    fum_pipeline_destroy(&pipe);
    fum_model_destroy(&model);
    remove_folder(c);
}

static void draw(fum_pipeline *pipe, const struct fum_generate_params *params,
                 struct pictures *pictures) {
    struct fum_error err = {0};
    struct fum_generate_params own = *params;
    *pictures = (struct pictures){0};
    own.user = pictures;
    own.on_image = keep_picture;
    ok(fum_generate(pipe, &own, &err), &err);
}

// Each picture has its own gradient: what the others are changes nothing, and scale 0 is no
// guidance.
static void pictures_are_guided_alone(void **state) {
    struct context *c = *state;
    static struct pictures alone, batch, plain, zero;
    char path[MAX_PATH];
    fum_model *model;
    fum_pipeline *pipe = open_case(c, 5, FUM_PRECISION_F32, &model);
    folder_of(path, 3);
    struct fum_generate_params p = {.width = 8, .height = 12, .steps = 3, .seed = 5, .count = 2};
    draw(pipe, &p, &plain);
    p.classifier = path;
    p.has_class = true;
    p.class_label = 4;
    draw(pipe, &p, &alone);
    p.batch = 2;
    draw(pipe, &p, &batch);
    assert_true(relative_rms(batch.latents, alone.latents, alone.used) < 1e-5);
    assert_true(relative_rms(plain.latents, alone.latents, alone.used) > 1e-2);
    p.has_classifier_scale = true;
    draw(pipe, &p, &zero);
    assert_true(relative_rms(zero.latents, plain.latents, plain.used) < 1e-5);
    close_case(c, pipe, model);
}

// A UNet in 16 bits is guided in f32.
static void narrow_types_are_guided(void **state) {
    struct context *c = *state;
    static struct pictures wide, narrow;
    char path[MAX_PATH];
    fum_model *model;
    folder_of(path, 3);
    const struct fum_generate_params p = {.width = 8,
                                          .height = 12,
                                          .steps = 3,
                                          .has_class = true,
                                          .class_label = 1,
                                          .classifier = path};
    fum_pipeline *pipe = open_case(c, 5, FUM_PRECISION_F32, &model);
    draw(pipe, &p, &wide);
    close_case(c, pipe, model);
    pipe = open_case(c, 5, FUM_PRECISION_BF16, &model);
    draw(pipe, &p, &narrow);
    close_case(c, pipe, model);
    assert_true(relative_rms(narrow.latents, wide.latents, wide.used) < 0.05);
}

static void wrong_requests_are_refused(void **state) {
    struct context *c = *state;
    char path[MAX_PATH], grey[MAX_PATH];
    fum_model *model;
    fum_pipeline *pipe = open_case(c, 0, FUM_PRECISION_F32, &model);
    folder_of(path, 3);
    folder_of(grey, 1);
    const struct fum_generate_params good = {.width = 8,
                                             .height = 12,
                                             .steps = 3,
                                             .has_class = true,
                                             .class_label = 5,
                                             .classifier = path,
                                             .on_image = keep_picture};
    struct fum_generate_params p = good;
    p.has_class = false;
    expect_refusal(pipe, &p, "6 classes: choose one with --class");
    p = good;
    p.class_label = 6;
    expect_refusal(pipe, &p, "class 6 is not one of the classifier's: --class takes 0 to 5");
    p = good;
    p.width = 12;
    expect_refusal(pipe, &p, "pictures of 8 × 12 with 3 channels; this run draws 12 × 12 with 3");
    p = good;
    p.classifier = grey;
    expect_refusal(pipe, &p, "with 1 channel; this run draws 8 × 12 with 3");
    p = good;
    p.has_classifier_scale = true;
    p.classifier_scale = NAN;
    expect_refusal(pipe, &p, "must be a number");
    p.classifier = NULL;
    p.has_class = false;
    expect_refusal(pipe, &p, "needs a classifier");
    close_case(c, pipe, model);
}

static int set_up(void **state) {
    static struct context c;
    *state = &c;
    return set_up_golden(&c, "guide");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(guided_runs_are_those_of_pytorch),
                                       cmocka_unit_test(pictures_are_guided_alone),
                                       cmocka_unit_test(narrow_types_are_guided),
                                       cmocka_unit_test(wrong_requests_are_refused)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
