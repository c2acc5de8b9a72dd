// SPDX-License-Identifier: MIT
// The grammar of prompts in whole runs: weights, chunks, schedules and AND. The golden latents are
// those of diffusers' models with embeddings that tests/golden/prompt_runs.py makes by itself.
#include "test.h"

#include "distance.h"
#include "golden.h"
#include "open.h"

#include <fumarole/pipeline.h>

enum { VALUES = 4 * 8 * 8 };

struct context {
    fum_device *device;
    struct golden golden;
};

static bool on_image(void *user, const struct fum_image *image) {
    assert_int_equal(image->latent_channels * image->latent_height * image->latent_width, VALUES);
    memcpy(user, image->latents, VALUES * sizeof(float));
    return true;
}

static void open_model(const struct context *c, const char *base, fum_model **model,
                       fum_pipeline **pipe) {
    struct fum_error err = {0};
    char path[1200];
    const struct fum_pipeline_params params = {.precision = FUM_PRECISION_F32};
    snprintf(path, sizeof path, "%s/model-%s", getenv("FUM_TEST_DATA"), base);
    ok(fum_model_open(model, &(struct fum_model_params){.path = path}, &err), &err);
    ok(fum_pipeline_create(pipe, c->device, *model, &params, &err), &err);
}

static struct fum_generate_params params_of(const cJSON *spec, float *latents) {
    const char *emphasis = fum_json_string(spec, "emphasis", "original");
    return (struct fum_generate_params){
        .prompt = fum_json_string(spec, "prompt", NULL),
        .negative = fum_json_string(spec, "negative", ""),
        .emphasis = strcmp(emphasis, "original") ? FUM_EMPHASIS_NO_NORM : FUM_EMPHASIS_ORIGINAL,
        .width = 16,
        .height = 16,
        .steps = (int)fum_json_number(spec, "steps", 0),
        .sampler = fum_json_string(spec, "sampler", NULL),
        .guidance = (float)fum_json_number(spec, "guidance", 0),
        .noise_shape = {1, 4, 8, 8},
        .on_image = on_image,
        .user = latents,
    };
}

static void latents_match_diffusers(void **state) {
    struct context *c = *state;
    int index = 0, bad = 0;
    const cJSON *spec;
    cJSON_ArrayForEach(spec, c->golden.cases) {
        fum_model *model = NULL;
        fum_pipeline *pipe = NULL;
        struct fum_error err = {0};
        float latents[VALUES];
        struct fum_generate_params params = params_of(spec, latents);
        open_model(c, fum_json_string(spec, "base", ""), &model, &pipe);
        params.noise = golden_values(&c->golden, index, "noise");
        ok(fum_generate(pipe, &params, &err), &err);
        double relative =
            relative_rms(latents, golden_values(&c->golden, index, "latents"), VALUES);
        print_message("%d %s: latents %.2e\n", index, params.prompt, relative);
        bad += !(relative <= 1e-3);
        fum_pipeline_destroy(&pipe);
        fum_model_destroy(&model);
        index++;
    }
    assert_int_equal(bad, 0);
    assert_int_equal(fum_device_validation_messages(c->device), 0);
}

// A prompt without signs is what it is in plain style, to the bit, and longer ones differ.
static void plain_prompts_are_the_same_in_both_styles(void **state) {
    struct context *c = *state;
    fum_model *model = NULL;
    fum_pipeline *pipe = NULL;
    struct fum_error err = {0};
    static const char *const texts[] = {"a red ship, 3.14", "a red ship AND (cat)"};
    open_model(c, "sdxl", &model, &pipe);
    for (int i = 0; i < 2; i++) {
        float latents[2][VALUES];
        for (int style = 0; style < 2; style++) {
            const struct fum_generate_params params = {.prompt = texts[i],
                                                       .prompt_style = (enum fum_prompt_style)style,
                                                       .width = 16,
                                                       .height = 16,
                                                       .steps = 2,
                                                       .guidance = 4,
                                                       .seed = 1,
                                                       .on_image = on_image,
                                                       .user = latents[style]};
            ok(fum_generate(pipe, &params, &err), &err);
        }
        assert_int_equal(memcmp(latents[0], latents[1], sizeof latents[0]) == 0, i == 0);
    }
    fum_pipeline_destroy(&pipe);
    fum_model_destroy(&model);
}

// Prompts that cannot be drawn are refused before the first step.
static void hopeless_prompts_are_refused(void **state) {
    struct context *c = *state;
    fum_model *model = NULL;
    fum_pipeline *pipe = NULL;
    static char breaks[2][3000];
    float latents[VALUES];
    for (int i = 0; i < 300; i++) strcat(breaks[0], "BREAK ");
    for (int i = 0; i < 16; i++) strcat(breaks[1], "BREAK x ");
    static const struct {
        const char *prompt, *negative, *error;
    } cases[] = {
        {breaks[0], "", "the prompt has 300 chunks of 75 tokens; at most 256"},
        {breaks[1],
         "x BREAK x BREAK x BREAK x BREAK x BREAK x BREAK x BREAK x BREAK x BREAK x BREAK "
         "x BREAK x BREAK x BREAK x BREAK x BREAK x",
         "common number"},
        {"(x:99999999999999999999999999999999999999999999)", "", "weights are too large"},
        {"AND AND AND AND AND AND AND AND AND AND AND AND AND AND AND AND AND AND AND AND AND AND "
         "AND AND AND AND AND AND AND AND AND AND AND",
         "", "more than 32 parts"},
    };
    open_model(c, "sd1", &model, &pipe);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fum_error err = {0};
        const struct fum_generate_params params = {.prompt = cases[i].prompt,
                                                   .negative = cases[i].negative,
                                                   .width = 16,
                                                   .height = 16,
                                                   .steps = 1,
                                                   .guidance = 4,
                                                   .on_image = on_image,
                                                   .user = latents};
        assert_int_equal(fum_generate(pipe, &params, &err), FUM_ERR_ARG);
        if (!strstr(err.text, cases[i].error)) fail_msg("%s", err.text);
    }
    fum_pipeline_destroy(&pipe);
    fum_model_destroy(&model);
}

static bool keep_last(void *user, const struct fum_image *image) {
    if (image->index == 1) memcpy(user, image->latents, VALUES * sizeof(float));
    return true;
}

// Each picture of a batch reads the same texts.
static void batches_read_the_same_texts(void **state) {
    struct context *c = *state;
    fum_model *model = NULL;
    fum_pipeline *pipe = NULL;
    struct fum_error err = {0};
    float latents[2][VALUES];
    open_model(c, "sdxl", &model, &pipe);
    for (int batch = 1; batch <= 2; batch++) {
        const struct fum_generate_params params = {
            .prompt = "a [red:blue:1] ship BREAK (x:1.2) AND [a|b]:0.5",
            .negative = "[c:d:1]",
            .width = 16,
            .height = 16,
            .steps = 2,
            .guidance = 4,
            .seed = 1,
            .count = 2,
            .batch = batch,
            .on_image = keep_last,
            .user = latents[batch - 1]};
        ok(fum_generate(pipe, &params, &err), &err);
    }
    assert_true(relative_rms(latents[1], latents[0], VALUES) < 1e-5);
    fum_pipeline_destroy(&pipe);
    fum_model_destroy(&model);
}

static int setup(void **state) {
    static struct context c;
    *state = &c;
    golden_open(&c.golden, "prompt_runs");
    c.device = open_device(true);
    return 0;
}

static int teardown(void **state) {
    struct context *c = *state;
    golden_close(&c->golden);
    fum_device_destroy(&c->device);
    return 0;
}

int main(void) {
    const struct CMUnitTest all[] = {
        cmocka_unit_test(latents_match_diffusers),
        cmocka_unit_test(hopeless_prompts_are_refused),
        cmocka_unit_test(batches_read_the_same_texts),
        cmocka_unit_test(plain_prompts_are_the_same_in_both_styles),
    };
    return cmocka_run_group_tests(all, setup, teardown);
}
