// SPDX-License-Identifier: MIT
// The fields of jobs: what is refused and how, what is settled, and that settled fields read back
// to the same pictures.
#define _POSIX_C_SOURCE 200809L
#include "test.h"

#include "cli/base64.h"
#include "cli/job/fields.h"
#include "cli/job/json.h"
#include "cli/recipe.h"

#include <pthread.h>

static struct catalogue *catalogue;

// A context as the server has it.
static struct job_context server_context(void) {
    return (struct job_context){.catalogue = catalogue,
                                .max_steps = 1000,
                                .max_pictures = 100,
                                .max_pixels = 4 << 20,
                                .max_prompt = 20000};
}

static bool read_in(const struct job_context *context, const char *text, struct job_spec *spec,
                    struct job_error *error) {
    struct job_json_error json_error;
    cJSON *json = NULL;
    if (job_json_read(&json, text, strlen(text), &json_error))
        fail_msg("%s: %s", text, json_error.text);
    bool read = job_spec_read(spec, json, context, error);
    cJSON_Delete(json);
    return read;
}

static bool read_job(const char *text, struct job_spec *spec, struct job_error *error) {
    const struct job_context context = server_context();
    return read_in(&context, text, spec, error);
}

static void json_is_the_grammar_and_nothing_more(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool good;
    } cases[] = {{"{}", true},
                 {" [1, -0.5e+3, true, null, \"\\u00e9\\ud83d\\ude00\"] \n", true},
                 {"{\"a\":1}x", false},
                 {"{\"a\":1}{}", false},
                 {"", false},
                 {"\xef\xbb\xbf{}", false},
                 {"NaN", false},
                 {"[1e999]", false},
                 {"[01]", false},
                 {"[1.]", false},
                 {"[.5]", false},
                 {"[+1]", false},
                 {"[1,]", false},
                 {"{\"a\":1,}", false},
                 {"{'a':1}", false},
                 {"{a:1}", false},
                 {"[\"a\nb\"]", false},
                 {"[\"\\u0000\"]", false},
                 {"[\"\\ud800\"]", false},
                 {"[\"\\udc00\\ud800\"]", false},
                 {"[\"\\x41\"]", false},
                 {"[\"\xff\"]", false},
                 {"[\"\xc0\x80\"]", false},
                 {"[\"\xed\xa0\x80\"]", false},
                 {"[\"\xf4\x90\x80\x80\"]", false},
                 {"[\"\xf0\x9f\x98\x80\"]", true},
                 {"{\"a\":1,\"a\":2}", false},
                 {"{\"a\":{\"b\":1,\"\\u0062\":2}}", false},
                 {"[{\"a\":1},{\"a\":2}]", true},
                 {"[\"a", false},
                 {"{\"a\"", false},
                 {"tru", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct job_json_error error;
        cJSON *json = NULL;
        enum cli_json read = job_json_read(&json, cases[i].text, strlen(cases[i].text), &error);
        if ((read == CLI_JSON_GOOD) != cases[i].good)
            fail_msg("case %zu, %s: %s", i, cases[i].text, error.text);
        assert_true((json != NULL) == cases[i].good);
        assert_true((error.text[0] != 0) != cases[i].good);
        cJSON_Delete(json);
    }
}

static void json_has_at_most_64_levels_and_no_nul(void **state) {
    (void)state;
    char text[2 * 65 + 1];
    for (int levels = 64; levels <= 65; levels++) {
        struct job_json_error error;
        cJSON *json = NULL;
        memset(text, '[', (size_t)levels);
        memset(text + levels, ']', (size_t)levels);
        enum cli_json read = job_json_read(&json, text, 2 * (size_t)levels, &error);
        assert_int_equal(read, levels == 64 ? CLI_JSON_GOOD : CLI_JSON_BAD);
        cJSON_Delete(json);
    }
    struct job_json_error error;
    cJSON *json = NULL;
    assert_int_equal(job_json_read(&json, "{}\0", 3, &error), CLI_JSON_BAD);
    assert_int_equal(job_json_read(&json, "[\"\0\"]", 5, &error), CLI_JSON_BAD);
}

static const struct {
    const char *text, *param, *message;
} refused[] = {
    {"{\"steps\":0}", "steps", "steps must lie in 1..1000"},
    {"{\"steps\":1001}", "steps", "steps must lie in 1..1000"},
    {"{\"steps\":4.5}", "steps", "steps must be a whole number"},
    {"{\"steps\":\"4\"}", "steps", "steps must be a whole number"},
    {"{\"steps\":true}", "steps", "steps must be a whole number"},
    {"{\"steps\":null}", "steps", "steps must not be null; leave it out"},
    {"{\"steps\":[4]}", "steps", "steps must be a whole number"},
    {"{\"hires_steps\":1001}", "hires_steps", "hires_steps must lie in 0..1000"},
    {"{\"batch_count\":101}", "batch_count", "batch_count must lie in 1..100"},
    {"{\"seed\":-2}", "seed", "seed must lie in -1..9007199254740991"},
    {"{\"seed\":9007199254740992}", "seed", "seed must lie in -1..9007199254740991"},
    {"{\"seed\":9007199254740991,\"batch_count\":2}", "seed",
     "seed and the number of pictures exceed 9007199254740991"},
    {"{\"strength\":1.5}", "strength", "strength must lie in 0..1"},
    {"{\"cfg_scale\":\"7\"}", "cfg_scale", "cfg_scale must be a number"},
    {"{\"prompt\":5}", "prompt", "prompt must be a text"},
    {"{\"hires\":1}", "hires", "hires must be true or false"},
    {"{\"stesp\":4}", "stesp", "there is no field \"stesp\"; did you mean steps?"},
    {"{\"output\":\"x.png\"}", "output", "there is no field \"output\""},
    {"{\"from-png\":\"x.png\"}", "from-png", "there is no field \"from-png\""},
    {"{\"lora_model_dir\":\"/\"}", "lora_model_dir", "there is no field \"lora_model_dir\""},
    {"{\"taesd\":\"/x\"}", "taesd", NULL},
    {"{\"vae\":\"/x\"}", "vae", NULL},
    {"{\"noise\":\"/x\"}", "noise", NULL},
    {"{\"\":1}", "", "there is no field \"\""},
    {"{\"steps\":4,\"steps \":5}", "steps ", NULL},
    {"{\"cfg_scale\":4,\"cfg-scale\":5}", "cfg_scale", NULL},
    {"{\"cfg_scale\":4,\"guidance_scale\":5}", "cfg_scale", NULL},
    {"{\"sampling_method\":\"eulr\"}", "sampling_method", NULL},
    {"{\"sampling_method\":3}", "sampling_method", "sampling_method must be a text"},
    {"{\"scheduler\":\"\"}", "scheduler", NULL},
    {"{\"sampling_method\":\"ddim\",\"scheduler\":\"karras\"}", "scheduler", NULL},
    {"{\"model\":\"nope\"}", "model", "model: there is no model \"nope\" here"},
    {"{\"model\":\"../emoji\"}", "model", NULL},
    {"{\"lora\":\"x\"}", "lora", "lora must be a list of texts"},
    {"{\"lora\":[1]}", "lora", "lora must be a list of texts"},
    {"{\"lora\":[\"x:0.5\"]}", "lora", "lora: there is no LoRA \"x\" here"},
    {"{\"prompt\":\"a <lora:../x:1>\"}", "prompt", "prompt: there is no LoRA \"../x\" here"},
    {"{\"mask_blur\":4}", "mask_blur", "mask_blur needs mask IMAGE or outpaint L,T,R,B"},
    {"{\"strength\":0.5}", "strength", "strength needs init_img IMAGE, the picture to change"},
    {"{\"init_img\":\"/etc/passwd\"}", "init_img", NULL},
    {"{\"init_img\":\"file:///etc/passwd\"}", "init_img", NULL},
    {"{\"init_img\":\"http://localhost/a.png\"}", "init_img", NULL},
    {"{\"init_img\":\"\"}", "init_img", NULL},
    {"{\"init_img\":\"aGVsbG8=\"}", "init_img", NULL},
    {"{\"control_image\":\"aGVsbG8=\"}", "control_image", NULL},
    {"{\"width\":100}", "width", "width must be a multiple of 8"},
    {"{\"width\":4096,\"height\":4096}", "width",
     "width: the pictures would have 16777216 pixels; at most 4194304 are drawn here"},
    {"{\"width\":16384,\"height\":16384}", "width", NULL},
    {"{\"hires\":true,\"hires_scale\":16,\"width\":512,\"height\":512}", "hires_scale", NULL},
    {"{\"hires_upscaler\":\"/x.pth\",\"hires\":true}", "hires_upscaler", NULL},
    {"{\"hires_width\":2056,\"hires_height\":2048,\"hires\":true}", "hires_width", NULL},
    {"{\"upscale_model\":\"x\"}", "upscale_model",
     "upscale_model: there is no upscaler \"x\" here"},
    {"{\"sigmas\":\"1,x\"}", "sigmas", NULL},
    {"{\"prompt\":\"a <lora:LORA:1>\"}", "prompt",
     "prompt: there is no LoRA \"LORA\" here; did you mean lora?"},
    {"{\"upscale_model\":\"rrdb_x4\",\"upscale_repeats\":8}", "upscale_repeats", NULL},
    {"{\"control_net\":\"net-b\"}", "control_net", NULL},
    {"{\"control_strength\":\"x\",\"control_net\":\"net-b\"}", "control_strength", NULL},
    {"{\"hires\":true,\"hires_strength\":0.01}", "hires_strength",
     "hires_strength of 0.01 leaves none of 20 steps"},
    {"{\"interpolate\":\"a.png\"}", "interpolate", NULL},
    {"{\"grid\":\"2x2\"}", "grid", NULL},
    {"{\"max_pixels\":5}", "max_pixels", NULL},
};

static void wrong_values_are_refused_by_name(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct job_spec spec;
        struct job_error error;
        char text[300];
        const char *prompt = strstr(refused[i].text, "prompt") ? "" : "\"prompt\":\"fox\",";
        snprintf(text, sizeof text, "{%s%s", prompt, refused[i].text + 1);
        bool taken = read_job(text, &spec, &error);
        if (taken) fail_msg("%s is taken", text);
        if (strcmp(error.param, refused[i].param) != 0)
            fail_msg("%s: param %s, %s", text, error.param, error.message);
        if (refused[i].message && strcmp(error.message, refused[i].message) != 0)
            fail_msg("%s: %s", text, error.message);
        if (!strstr(error.message, refused[i].param)) fail_msg("%s: %s", text, error.message);
        if (strstr(error.message, "--")) fail_msg("%s: %s", text, error.message);
        bool model = strcmp(refused[i].param, "model") == 0;
        assert_int_equal(error.refusal, model ? JOB_UNKNOWN_MODEL : JOB_BAD_VALUE);
        job_spec_free(&spec);
    }
}

// Returns a member of the parameters as text, in a buffer of its own.
static const char *parameter(const struct job_spec *spec, const char *name) {
    static char text[200];
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(spec->parameters, name);
    if (!item) return "none";
    assert_true(cJSON_PrintPreallocated((cJSON *)(uintptr_t)item, text, sizeof text, false));
    return text;
}

static void parameters_hold_the_models_defaults(void **state) {
    (void)state;
    static const struct {
        const char *name, *value;
    } expected[] = {{"prompt", "\"fox\""},
                    {"negative_prompt", "\"\""},
                    {"width", "128"},
                    {"height", "128"},
                    {"steps", "20"},
                    {"cfg_scale", "2.5"},
                    {"seed", "42"},
                    {"batch_count", "1"},
                    {"sampling_method", "\"ddim\""},
                    {"scheduler", "\"discrete\""},
                    {"model", "\"emoji\""}};
    struct job_spec spec;
    struct job_error error;
    assert_true(read_job("{\"prompt\":\"fox\"}", &spec, &error));
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        assert_string_equal(parameter(&spec, expected[i].name), expected[i].value);
    assert_string_equal(spec.model_name, "emoji");
    assert_non_null(strchr(spec.model, '/'));
    assert_int_equal(spec.request.options.picture.preview, FUM_PREVIEW_COLOURS);
    job_spec_free(&spec);
}

static void names_are_taken_as_other_tools_spell_them(void **state) {
    (void)state;
    static const struct {
        const char *text, *sampler, *schedule;
    } cases[] = {
        {"{\"prompt\":\"a\",\"sampling-method\":\"Euler a\"}", "\"euler_a\"", "\"discrete\""},
        {"{\"prompt\":\"a\",\"sampler\":\"EULER\",\"schedule\":\"Karras\"}", "\"euler\"",
         "\"karras\""},
        {"{\"prompt\":\"a\",\"sampler\":\"euler\",\"scheduler\":\"align_your_steps\"}", "\"euler\"",
         "\"ays\""},
        {"{\"prompt\":\"a\",\"scheduler\":\"Automatic\"}", "\"ddim\"", "\"discrete\""},
        {"{\"prompt\":\"a\",\"sampling_method\":\"DPM++ 2M\"}", "\"dpm++2m\"", "\"discrete\""},
        {"{\"prompt\":\"a\",\"sampler\":\"dpm++ 2m sgm uniform\"}", "\"dpm++2m\"",
         "\"sgm_uniform\""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct job_spec spec;
        struct job_error error;
        if (!read_job(cases[i].text, &spec, &error)) fail_msg("%s", error.message);
        assert_string_equal(parameter(&spec, "sampling_method"), cases[i].sampler);
        assert_string_equal(parameter(&spec, "scheduler"), cases[i].schedule);
        job_spec_free(&spec);
    }
}

// Returns a PNG of the samples as a field's value, to free.
static char *read_picture(void) {
    char path[1024];
    snprintf(path, sizeof path, "%s/tests/data/evaluate/a/0.png", getenv("FUM_SOURCE_ROOT"));
    FILE *file = fopen(path, "rb");
    static char bytes[1 << 20];
    if (!file) fail_msg("%s", path);
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    return cli_base64_encode(bytes, size);
}

static void settled_fields_read_back_to_the_same_job(void **state) {
    (void)state;
    char *picture = read_picture(), *text = malloc(strlen(picture) + 300);
    struct job_spec first, second;
    struct job_error error;
    snprintf(text, strlen(picture) + 300,
             "{\"prompt\":\"fox\",\"seed\":-1,\"subseed-strength\":0.25,\"Strength\":0.5}");
    assert_false(read_job(text, &first, &error));
    job_spec_free(&first);
    snprintf(text, strlen(picture) + 300,
             "{\"prompt\":\"fox\",\"seed\":-1,\"subseed-strength\":0.25,\"strength\":0.5,"
             "\"width\":128,\"init-img\":\"data:image/png;base64,%s\"}",
             picture);
    if (!read_job(text, &first, &error)) fail_msg("%s", error.message);
    assert_null(cJSON_GetObjectItem(first.parameters, "init_img"));
    assert_true(first.request.options.picture.init_image.bytes > 0);
    const struct job_context context = server_context();
    assert_true(job_spec_read(&second, first.fields, &context, &error));
    assert_true(cJSON_Compare(first.fields, second.fields, true));
    assert_true(cJSON_Compare(first.parameters, second.parameters, true));
    assert_int_equal(first.request.options.seed.value, second.request.options.seed.value);
    assert_int_equal(first.request.options.subseed.value, second.request.options.subseed.value);
    assert_false(first.request.options.seed.random);
    job_spec_free(&first);
    job_spec_free(&second);
    free(text);
    free(picture);
}

static void controls_and_their_pictures_are_bound(void **state) {
    (void)state;
    char *picture = read_picture(), *text = malloc(strlen(picture) + 500);
    struct job_spec spec;
    struct job_error error;
    snprintf(text, strlen(picture) + 500,
             "{\"prompt\":\"fox\",\"control_net\":\"net-b\",\"control_image\":\"%s\","
             "\"control_strength\":0.5,\"control_end\":[0.25]}",
             picture);
    if (!read_job(text, &spec, &error)) fail_msg("%s", error.message);
    const struct fum_generate_params params = generate_request_params(&spec.request);
    assert_int_equal(params.num_controls, 1);
    assert_non_null(strstr(params.controls[0].path, "controls/net-b"));
    assert_null(params.controls[0].image.path);
    assert_true(params.controls[0].image.bytes > 0);
    assert_true(params.controls[0].strength == 0.5f && params.controls[0].end == 0.25f);
    assert_null(cJSON_GetObjectItem(spec.parameters, "control_image"));
    assert_non_null(cJSON_GetObjectItem(spec.fields, "control_image"));
    job_spec_free(&spec);
    free(text);
    free(picture);
}

static void files_are_named_and_no_path_is_written(void **state) {
    (void)state;
    struct job_spec spec;
    struct job_error error;
    bool read = read_job("{\"prompt\":\"fox <lora:lora_all:0.5>\",\"lora\":[\"LORA:0.5:0.25\"],"
                         "\"upscale_model\":\"rrdb_x2\",\"hires\":true,"
                         "\"hires_upscaler\":\"rrdb_x4\"}",
                         &spec, &error);
    if (!read) fail_msg("%s", error.message);
    const struct generate_request *request = &spec.request;
    const struct fum_generate_params params = generate_request_params(request);
    assert_int_equal(params.num_adapters, 1);
    assert_string_equal(params.adapters[0].name, "lora");
    assert_true(params.adapters[0].unet_weight == 0.5f && params.adapters[0].text_weight == 0.25f);
    assert_non_null(strstr(params.adapter_dir, "tests/data/adapters"));
    assert_non_null(strstr(params.hires->upscaler, "upscalers/rrdb_x4"));
    assert_non_null(strstr(request->options.upscale_model, "upscalers/rrdb_x2"));
    const struct cli_recipe recipe = {request, 42, 0, NULL};
    bool no_memory;
    char *written = cli_recipe_write(&recipe, &no_memory),
         *parameters = cJSON_PrintUnformatted(spec.parameters);
    assert_non_null(written);
    assert_non_null(strstr(written, "\"LORA:0.5:0.25\""));
    assert_non_null(strstr(written, "\"rrdb_x2\""));
    assert_non_null(strstr(written, "\"model\":\"emoji\""));
    assert_null(strstr(written, "tests/data"));
    assert_null(strstr(parameters, "tests/data"));
    free(written);
    cJSON_free(parameters);
    job_spec_free(&spec);
}

static void no_field_of_a_client_is_a_path(void **state) {
    (void)state;
    static const char *const known = " init_img mask model upscale_model hires_upscaler lora "
                                     "control_net control_image control_preprocess "
                                     "control_strength control_start control_end ";
    const struct job_context context = server_context();
    int fields = 0;
    for (const struct cli_option *o = generate_option_table; o->name; o++) {
        char name[JOB_FIELD_NAME], word[JOB_FIELD_NAME + 2];
        struct job_error error = {0};
        if (o->kind == CLI_HEADING || !job_field_find(o->name, &context, name, &error)) continue;
        fields++;
        snprintf(word, sizeof word, " %s ", name);
        bool file = o->kind == CLI_PATH || o->kind == CLI_LIST;
        if (file && !strstr(known, word)) fail_msg("%s may name a file", name);
    }
    assert_true(fields > 60);
}

static void random_seeds_differ(void **state) {
    (void)state;
    uint64_t seeds[3];
    for (int i = 0; i < 3; i++) {
        struct job_spec spec;
        struct job_error error;
        assert_true(read_job("{\"prompt\":\"fox\",\"seed\":-1}", &spec, &error));
        seeds[i] = spec.request.options.seed.value;
        assert_true(seeds[i] < UINT64_C(1) << 53);
        job_spec_free(&spec);
    }
    assert_true(seeds[0] != seeds[1] && seeds[1] != seeds[2] && seeds[0] != seeds[2]);
}

// Reads jobs whose failures differ from those of other threads. Returns NULL, or what went wrong.
static void *read_many(void *user) {
    static const struct {
        const char *text, *message;
    } jobs[] = {
        {"{\"prompt\":\"a\",\"mask_blur\":4}", "mask_blur needs mask IMAGE or outpaint L,T,R,B"},
        {"{\"prompt\":\"a\",\"strength\":1}",
         "strength needs init_img IMAGE, the picture to change"},
        {"{\"prompt\":\"a\",\"steps\":0}", "steps must lie in 1..1000"},
        {"{\"prompt\":\"a\"}", ""}};
    const int *thread = user;
    for (int i = 0; i < 200; i++) {
        struct job_spec spec;
        struct job_error error;
        read_job(jobs[*thread].text, &spec, &error);
        job_spec_free(&spec);
        if (strcmp(error.message, jobs[*thread].message) != 0) return user;
    }
    return NULL;
}

static void threads_read_jobs_at_one_time(void **state) {
    (void)state;
    static int numbers[] = {0, 1, 2, 3};
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_many, &numbers[i]), 0);
    for (int i = 0; i < 4; i++) {
        void *wrong;
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
}

static void prompts_are_required_and_bounded(void **state) {
    (void)state;
    struct job_spec spec;
    struct job_error error;
    assert_false(read_job("{}", &spec, &error));
    assert_string_equal(error.param, "prompt");
    job_spec_free(&spec);
    char *text = malloc(60100), *at = text + sprintf(text, "{\"prompt\":\"");
    for (int i = 0; i < 20001; i++) at += sprintf(at, "é");
    strcpy(at, "\"}");
    assert_false(read_job(text, &spec, &error));
    assert_string_equal(error.message, "prompt has 20001 characters; at most 20000");
    job_spec_free(&spec);
    strcpy(at - 2, "\"}");
    assert_true(read_job(text, &spec, &error));
    job_spec_free(&spec);
    free(text);
}

static void lines_of_a_batch_hold_paths(void **state) {
    (void)state;
    struct generate_options defaults = generate_options_default();
    defaults.picture.steps = 7;
    const struct job_context context = {.defaults = &defaults};
    struct job_spec spec;
    struct job_error error;
    assert_true(read_in(&context,
                        "{\"prompt\":\"fox\",\"init_img\":\"a.png\",\"mask\":\"b.png\","
                        "\"model\":\"m/x\",\"batch_count\":101}",
                        &spec, &error));
    assert_string_equal(spec.model, "m/x");
    assert_string_equal(spec.request.options.picture.init_image.path, "a.png");
    assert_int_equal(spec.request.options.picture.steps, 7);
    assert_int_equal(spec.request.options.picture.preview, FUM_PREVIEW_NONE);
    assert_string_equal(parameter(&spec, "steps"), "7");
    job_spec_free(&spec);
    assert_false(read_in(&context, "{\"prompt\":\"fox\",\"output\":\"a.png\"}", &spec, &error));
    job_spec_free(&spec);
}

// Files of the tests' data are offered beside the shipped model.
static int open_catalogue(void **state) {
    (void)state;
    static const char *const names[] = {"models", "tests/data/controls", "tests/data/adapters",
                                        "tests/data/upscalers"};
    char paths[4][1024];
    for (int i = 0; i < 4; i++)
        snprintf(paths[i], sizeof paths[i], "%s/%s", getenv("FUM_SOURCE_ROOT"), names[i]);
    const struct cli_list models = {.at = {"emoji"}, .count = 1};
    const struct catalogue_params params = {
        .models = &models, .models_dir = paths[1], .lora_dir = paths[2], .upscalers_dir = paths[3]};
    setenv("FUMAROLE_MODELS", paths[0], 1);
    return catalogue_create(&catalogue, &params);
}

static int close_catalogue(void **state) {
    (void)state;
    catalogue_destroy(&catalogue);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_is_the_grammar_and_nothing_more),
        cmocka_unit_test(json_has_at_most_64_levels_and_no_nul),
        cmocka_unit_test(wrong_values_are_refused_by_name),
        cmocka_unit_test(parameters_hold_the_models_defaults),
        cmocka_unit_test(names_are_taken_as_other_tools_spell_them),
        cmocka_unit_test(settled_fields_read_back_to_the_same_job),
        cmocka_unit_test(controls_and_their_pictures_are_bound),
        cmocka_unit_test(files_are_named_and_no_path_is_written),
        cmocka_unit_test(no_field_of_a_client_is_a_path),
        cmocka_unit_test(random_seeds_differ),
        cmocka_unit_test(threads_read_jobs_at_one_time),
        cmocka_unit_test(prompts_are_required_and_bounded),
        cmocka_unit_test(lines_of_a_batch_hold_paths),
    };
    cli_json_init();
    return cmocka_run_group_tests(tests, open_catalogue, close_catalogue);
}
