// SPDX-License-Identifier: MIT
// UNets that read more than a prompt, against diffusers: LCM's guidance embedding, and classes; and
// what is refused.
#define _XOPEN_SOURCE 700
#include "picture.h"

#include "golden.h"

#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "io/loader.h"
#include "io/safetensors.h"

struct context {
    fum_device *device;
    struct golden golden;
};

struct run {
    float latents[4 * 8 * 8];
    uint8_t pixels[3 * 16 * 16];
    char parameters[512];
};

static bool on_image(void *user, const struct fum_image *image) {
    struct run *run = user;
    assert_int_equal(image->latent_channels * image->latent_height * image->latent_width,
                     4 * 8 * 8);
    assert_int_equal(image->width * image->height, 16 * 16);
    memcpy(run->latents, image->latents, sizeof run->latents);
    memcpy(run->pixels, image->pixels, sizeof run->pixels);
    snprintf(run->parameters, sizeof run->parameters, "%s", image->parameters);
    return true;
}

static void link_to(const char *from, const char *folder, const char *name) {
    char to[1300];
    snprintf(to, sizeof to, "%s/%s", folder, name);
    unlink(to);
    assert_int_equal(symlink(from, to), 0);
}

static void write_text(const char *folder, const char *name, const char *text) {
    char path[1300];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    unlink(path);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

// Makes a folder of links: the model `base` with the UNet `unet`.
static void compose(char path[1024], const char *base, const char *unet) {
    static const char *const names[] = {
        "model_index.json", "scheduler",   "text_encoder", "text_encoder_2",
        "tokenizer",        "tokenizer_2", "vae"};
    char from[1200];
    snprintf(path, 1024, "%s/conditions/%s-%s", getenv("FUMAROLE_CACHE"), base, unet);
    assert_int_equal(fum_path_make_dirs(path, NULL), FUM_OK);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(from, sizeof from, "%s/model-%s/%s", getenv("FUM_TEST_DATA"), base, names[i]);
        if (!access(from, R_OK)) link_to(from, path, names[i]);
    }
    snprintf(from, sizeof from, "%s/model-variants/%s", getenv("FUM_TEST_DATA"), unet);
    link_to(from, path, "unet");
}

static void open_variant(const struct context *c, const char *base, const char *unet,
                         fum_model **model, fum_pipeline **pipe) {
    struct fum_error err = {0};
    char path[1024];
    compose(path, base, unet);
    struct fum_pipeline_params params = {.precision = FUM_PRECISION_F32};
    if (fum_model_open(model, &(struct fum_model_params){.path = path}, &err))
        fail_msg("%s", err.text);
    if (fum_pipeline_create(pipe, c->device, *model, &params, &err)) fail_msg("%s", err.text);
}

static struct fum_generate_params params_of(const cJSON *spec, struct run *run) {
    return (struct fum_generate_params){
        .prompt = fum_json_string(spec, "prompt", ""),
        .negative = fum_json_string(spec, "negative", NULL),
        .width = 16,
        .height = 16,
        .steps = (int)fum_json_number(spec, "steps", 0),
        .sampler = fum_json_string(spec, "sampler", NULL),
        .guidance = (float)fum_json_number(spec, "guidance", 0),
        .has_class = cJSON_HasObjectItem(spec, "label"),
        .class_label = (float)fum_json_number(spec, "label", 0),
        .seed = (uint64_t)fum_json_number(spec, "seed", 0),
        .rng = FUM_RNG_CPU,
        .on_image = on_image,
        .user = run,
    };
}

static void conditions_match_diffusers(void **state) {
    struct context *c = *state;
    int index = 0, bad = 0;
    const cJSON *spec;
    cJSON_ArrayForEach(spec, c->golden.cases) {
        fum_model *model = NULL;
        fum_pipeline *pipe = NULL;
        struct fum_error err = {0};
        static struct run run;
        struct fum_generate_params params = params_of(spec, &run);
        open_variant(c, fum_json_string(spec, "base", ""), fum_json_string(spec, "unet", ""),
                     &model, &pipe);
        params.noise = golden_values(&c->golden, index, "noise");
        memcpy(params.noise_shape, (int[]){1, 4, 8, 8}, sizeof params.noise_shape);
        if (fum_generate(pipe, &params, &err)) fail_msg("%s", err.text);
        const float *want = golden_values(&c->golden, index, "latents");
        double relative = relative_rms(run.latents, want, 4 * 8 * 8);
        print_message("%d %s: latents %.2e\n", index, fum_json_string(spec, "unet", ""), relative);
        bad += !(relative <= 1e-3);
        assert_int_equal(strstr(run.parameters, "Class: ") != NULL, params.has_class);
        fum_pipeline_destroy(&pipe);
        fum_model_destroy(&model);
        index++;
    }
    assert_int_equal(bad, 0);
    assert_int_equal(fum_device_validation_messages(c->device), 0);
}

// The second encoder's configuration without "architectures": model_index.json says what it is. One
// tensor that nothing uses is reported.
static void the_class_says_that_an_encoder_projects(void **state) {
    static const char *const made[] = {"config.json", "first.safetensors", "second.safetensors",
                                       "model.safetensors.index.json"};
    struct context *c = *state;
    fum_model *model = NULL;
    struct fum_error err = {0};
    static struct run run;
    char path[1024], part[1200], file[1300];
    struct lines lines = {""};
    struct fum_log log = {.fn = keep_line, .user = &lines};
    compose(path, "sdxl", "guided-xl");
    snprintf(part, sizeof part, "%s/text_encoder_2", path);
    unlink(part);
    assert_int_equal(fum_path_make_dirs(part, NULL), FUM_OK);
    write_text(part, made[0],
               "{\"vocab_size\": 2813, \"hidden_size\": 24, \"intermediate_size\": 64, "
               "\"num_hidden_layers\": 3, "
               "\"num_attention_heads\": 3, \"hidden_act\": \"gelu\", \"projection_dim\": 20, "
               "\"eos_token_id\": 2}");
    snprintf(file, sizeof file, "%s/model-sdxl/text_encoder_2/model.safetensors",
             getenv("FUM_TEST_DATA"));
    link_to(file, part, made[1]);
    write_text(
        part, made[3],
        "{\"weight_map\": {\"stray.weight\": \"second.safetensors\", \"text_projection.weight\": "
        "\"first.safetensors\"}}");
    snprintf(file, sizeof file, "%s/%s", part, made[2]);
    const struct fum_safetensors_tensor stray = {
        "stray.weight", {.dtype = FUM_U8, .rank = 1, .dim = {4}, .data = "abc"}};
    ok(fum_safetensors_write(file, &(struct fum_safetensors){.tensors = &stray, .count = 1}, &err),
       &err);
    ok(fum_model_open(&model, &(struct fum_model_params){.path = path}, &err), &err);
    fum_pipeline *pipe = open_pipeline(c->device, model, FUM_PRECISION_F32, &log);
    assert_non_null(strstr(lines.text, "1 tensor is not used: stray.weight"));
    struct fum_generate_params params = params_of(cJSON_GetArrayItem(c->golden.cases, 3), &run);
    params.noise = golden_values(&c->golden, 3, "noise");
    memcpy(params.noise_shape, (int[]){1, 4, 8, 8}, sizeof params.noise_shape);
    ok(fum_generate(pipe, &params, &err), &err);
    assert_true(relative_rms(run.latents, golden_values(&c->golden, 3, "latents"), 4 * 8 * 8) <=
                1e-3);
    fum_pipeline_destroy(&pipe);
    fum_model_destroy(&model);
    for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
        snprintf(file, sizeof file, "%s/%s", part, made[i]);
        unlink(file);
    }
    assert_int_equal(rmdir(part), 0);
}

// A distilled UNet brings its own defaults; its guidance leaves no second branch, so batches hold
// pictures alone.
static void a_distilled_unet_has_no_second_branch(void **state) {
    struct context *c = *state;
    fum_model *model = NULL;
    fum_pipeline *pipe = NULL;
    struct fum_error err = {0};
    static struct run one, two;
    open_variant(c, "sd1", "guided", &model, &pipe);
    assert_int_equal(fum_model_get_info(model)->steps, 4);
    assert_true(fum_model_get_info(model)->guidance == 8.5f);
    struct fum_generate_params params = {.prompt = "a red ship",
                                         .width = 16,
                                         .height = 16,
                                         .steps = 2,
                                         .guidance = 8,
                                         .sampler = "lcm",
                                         .seed = 5,
                                         .on_image = on_image,
                                         .user = &one};
    if (fum_generate(pipe, &params, &err)) fail_msg("%s", err.text);
    params.negative = "grey";
    params.user = &two;
    if (fum_generate(pipe, &params, &err)) fail_msg("%s", err.text);
    // nothing reads the negative prompt
    assert_memory_equal(one.pixels, two.pixels, sizeof one.pixels);
    params.guidance = 2;
    if (fum_generate(pipe, &params, &err)) fail_msg("%s", err.text);
    assert_memory_not_equal(one.pixels, two.pixels, sizeof one.pixels);
    fum_pipeline_destroy(&pipe);
    fum_model_destroy(&model);
}

static void wrong_labels_are_refused(void **state) {
    static const struct {
        const char *unet;
        bool has;
        float label;
        const char *says;
    } cases[] = {
        {"class-table", false, 0, "has 6 classes: choose one with --class, from 0 to 5"},
        {"class-table", true, 6, "class 6 is not one of the model's: --class takes 0 to 5"},
        {"class-table", true, 1.5f, "class 1.5 is not one"},
        {"class-table", true, -1, "class -1 is not one"},
        {"class-table", true, NAN, "is not one"},
        {"class-timestep", false, 0, "embeds a number for its class: give one with --class"},
        {"tiny", true, 1, "has no classes: leave --class out"},
    };
    struct context *c = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fum_model *model = NULL;
        fum_pipeline *pipe = NULL;
        struct fum_error err = {0};
        struct fum_generate_params params = {.prompt = "x",
                                             .width = 16,
                                             .height = 16,
                                             .steps = 1,
                                             .guidance = 2,
                                             .sampler = "euler",
                                             .has_class = cases[i].has,
                                             .class_label = cases[i].label,
                                             .on_image = on_image};
        open_variant(c, "sd1", cases[i].unet, &model, &pipe);
        assert_int_equal(fum_generate(pipe, &params, &err), FUM_ERR_ARG);
        if (!strstr(err.text, cases[i].says)) fail_msg("%s", err.text);
        fum_pipeline_destroy(&pipe);
        fum_model_destroy(&model);
    }
}

// Models whose UNet needs what nothing can give it open, say so, and make no pipeline.
static void unusable_models_open_and_make_no_pipeline(void **state) {
    static const struct {
        const char *unet, *says;
    } cases[] = {{"class-projection", "\"class_embed_type\" needs a vector of 10 numbers"}};
    struct context *c = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fum_model *model = NULL;
        fum_pipeline *pipe = NULL;
        struct fum_error err = {0};
        char path[1024];
        compose(path, "sd1", cases[i].unet);
        if (fum_model_open(&model, &(struct fum_model_params){.path = path}, &err))
            fail_msg("%s", err.text);
        const char *unusable = fum_model_get_info(model)->unusable;
        assert_non_null(unusable);
        if (!strstr(unusable, cases[i].says)) fail_msg("%s", unusable);
        assert_int_equal(fum_model_check(model, NULL, NULL, &err), FUM_ERR_UNSUPPORTED);
        assert_int_equal(fum_pipeline_create(&pipe, c->device, model, NULL, &err),
                         FUM_ERR_UNSUPPORTED);
        assert_null(pipe);
        assert_string_equal(err.text, unusable);
        fum_model_destroy(&model);
    }
}

// A tokenizer's length below the encoder's is the length of every prompt, as in diffusers.
static void the_tokenizer_limits_the_prompt(void **state) {
    static const char *const parts[] = {"vocab.json", "merges.txt"};
    (void)state;
    struct fum_error err = {0};
    char path[1024], part[1200], from[1300];
    compose(path, "sd1", "tiny");
    snprintf(part, sizeof part, "%s/tokenizer", path);
    unlink(part);
    assert_int_equal(fum_path_make_dirs(part, NULL), FUM_OK);
    for (int i = 0; i < 2; i++) {
        snprintf(from, sizeof from, "%s/model-sd1/tokenizer/%s", getenv("FUM_TEST_DATA"), parts[i]);
        link_to(from, part, parts[i]);
    }
    static const struct {
        const char *config;
        int tokens;
    } cases[] = {
        {"{\"model_max_length\": 20}", 20}, {"{\"model_max_length\": 1000}", 77}, {"{}", 77}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fum_model *model = NULL;
        write_text(part, "tokenizer_config.json", cases[i].config);
        ok(fum_model_open(&model, &(struct fum_model_params){.path = path}, &err), &err);
        assert_int_equal(fum_model_get_view(model)->text[0].tokens, cases[i].tokens);
        fum_model_destroy(&model);
    }
    static const char *const made[] = {"vocab.json", "merges.txt", "tokenizer_config.json"};
    for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
        snprintf(from, sizeof from, "%s/%s", part, made[i]);
        unlink(from);
    }
    assert_int_equal(rmdir(part), 0);
}

static int set_up(void **state) {
    static struct context c;
    *state = &c;
    golden_open(&c.golden, "conditions");
    c.device = open_device(true);
    return 0;
}

static int tear_down(void **state) {
    struct context *c = *state;
    fum_device_destroy(&c->device);
    golden_close(&c->golden);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(conditions_match_diffusers),
                                       cmocka_unit_test(the_class_says_that_an_encoder_projects),
                                       cmocka_unit_test(a_distilled_unet_has_no_second_branch),
                                       cmocka_unit_test(wrong_labels_are_refused),
                                       cmocka_unit_test(unusable_models_open_and_make_no_pipeline),
                                       cmocka_unit_test(the_tokenizer_limits_the_prompt)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
