// SPDX-License-Identifier: MIT
// Pictures drawn with adapters, against diffusers' (tests/golden/adapters.py): the latents of files
// that fumarole trained and of other tools' kinds and key styles.
#include "distance.h"
#include "golden.h"
#include "open.h"

#include <fumarole/pipeline.h>

#include "base/json.h"
#include "base/macros.h"
#include "io/loader.h"
#include "io/safetensors.h"

enum { MAX_LORAS = 4, LATENTS = 4 * 8 * 8 };

struct context {
    fum_device *device;
    struct golden golden;
    char path[1024]; // of the model that is open
    fum_model *model;
    fum_pipeline *pipe;
};

static bool on_image(void *user, const struct fum_image *image) {
    int count = image->latent_channels * image->latent_height * image->latent_width;
    assert_true(count <= LATENTS);
    memcpy(user, image->latents, (size_t)count * sizeof(float));
    return true;
}

static void close_model(struct context *c) {
    fum_pipeline_destroy(&c->pipe);
    fum_model_destroy(&c->model);
    c->path[0] = 0;
}

// Opens the model of a case, unless it is open.
static void open_model(struct context *c, const cJSON *spec) {
    struct fum_error err = {0};
    char path[sizeof c->path], words[1024];
    snprintf(path, sizeof path, "%s/model-%s", getenv("FUM_TEST_DATA"),
             fum_json_string(spec, "model", ""));
    if (!strcmp(path, c->path)) return;
    close_model(c);
    strcpy(c->path, path);
    snprintf(words, sizeof words, "%s/adapters/words", getenv("FUM_TEST_DATA"));
    const struct fum_model_params model = {.path = path, .embeddings_dir = words};
    ok(fum_model_open(&c->model, &model, &err), &err);
    struct fum_pipeline_params params = {.precision = FUM_PRECISION_F32};
    ok(fum_pipeline_create(&c->pipe, c->device, c->model, &params, &err), &err);
}

// Reads the adapters of a case. Returns their number.
static int read_loras(const cJSON *spec, struct fum_adapter *list) {
    const cJSON *lora;
    int count = 0;
    cJSON_ArrayForEach(lora, cJSON_GetObjectItemCaseSensitive(spec, "loras")) {
        assert_true(count < MAX_LORAS);
        list[count++] = (struct fum_adapter){cJSON_GetArrayItem(lora, 0)->valuestring,
                                             (float)cJSON_GetArrayItem(lora, 1)->valuedouble,
                                             (float)cJSON_GetArrayItem(lora, 2)->valuedouble};
    }
    return count;
}

// Draws a case with `count` adapters. Returns the number of kernels that were compiled.
static int draw(struct context *c, int index, const struct fum_adapter *list, int count,
                float *latents) {
    const cJSON *spec = cJSON_GetArrayItem(c->golden.cases, index);
    struct fum_error err = {0};
    struct fum_pipeline_stats stats;
    char dir[1024];
    snprintf(dir, sizeof dir, "%s/adapters", getenv("FUM_TEST_DATA"));
    const struct fum_loader_tensor *noise = golden_tensor(&c->golden, index, "noise");
    struct fum_generate_params params = {
        .prompt = fum_json_string(spec, "prompt", ""),
        .negative = fum_json_string(spec, "negative", NULL),
        .width = 16,
        .height = 16,
        .steps = (int)fum_json_number(spec, "steps", 0),
        .sampler = "ddim",
        .guidance = (float)fum_json_number(spec, "guidance", 0),
        .noise = noise->view.data,
        .adapters = list,
        .num_adapters = count,
        .adapter_dir = dir,
        .on_image = on_image,
        .user = latents,
    };
    for (int i = 0; i < 4; i++) params.noise_shape[i] = (int)noise->view.dim[i];
    ok(fum_generate(c->pipe, &params, &err), &err);
    fum_pipeline_get_stats(c->pipe, &stats);
    return stats.kernels;
}

// Draws all cases and compares them. Returns how many differ.
static int compare_golden(struct context *c) {
    int index = 0, bad = 0;
    const cJSON *spec;
    cJSON_ArrayForEach(spec, c->golden.cases) {
        struct fum_adapter list[MAX_LORAS];
        float latents[LATENTS];
        int count = read_loras(spec, list);
        open_model(c, spec);
        draw(c, index, list, count, latents);
        const struct fum_loader_tensor *golden = golden_tensor(&c->golden, index, "latents");
        double error = relative_rms(latents, golden->view.data, golden->bytes / sizeof(float));
        if (error > 1e-3) bad++;
        print_message("%2d %-9s %-12s latents %.2e%s\n", index, fum_json_string(spec, "model", ""),
                      count ? list[0].name : "", error, error > 1e-3 ? "  <-- out of bounds" : "");
        index++;
    }
    return bad;
}

static void adapters_draw_what_diffusers_draws(void **state) {
    struct context *c = *state;
    assert_int_equal(compare_golden(c), 0);
    assert_int_equal(fum_device_validation_messages(c->device), 0);
}

// The settings beside the weights count: alpha of other kinds than LoRA, patterns of modules, and
// the side that IA3 multiplies (tests/golden/peft_adapters.py).
static void folders_of_peft_draw_what_peft_draws(void **state) {
    struct context *c = *state;
    const struct golden all = c->golden;
    golden_open(&c->golden, "peft-adapters");
    int bad = compare_golden(c);
    golden_close(&c->golden);
    c->golden = all;
    assert_int_equal(bad, 0);
}

// A pipeline that draws with one set, another and none gives the bits of the first time again, and
// compiles nothing.
static void changing_the_set_compiles_nothing(void **state) {
    struct context *c = *state;
    float first[LATENTS] = {0}, other[LATENTS] = {0}, again[LATENTS] = {0};
    const struct fum_adapter sets[] = {{"lora", 1, 1}, {"lora_all", 1, 1}};
    open_model(c, cJSON_GetArrayItem(c->golden.cases, 0));
    draw(c, 0, NULL, 0, first);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(draw(c, 0, &sets[i], 1, other), 0);
        assert_memory_not_equal(first, other, sizeof first);
    }
    assert_int_equal(draw(c, 0, NULL, 0, again), 0);
    assert_memory_equal(first, again, sizeof first);
}

// ---- files that do not match ----

// A tensor of zeros for a file.
struct zeros {
    const char *name;
    int64_t rows, columns;
};

// Writes them to a file in the working folder.
static void write_file(const char *path, const struct zeros *list, size_t count) {
    static const float values[64 * 64];
    struct fum_safetensors_tensor tensors[8];
    struct fum_error err = {0};
    assert_true(count <= 8);
    for (size_t i = 0; i < count; i++)
        tensors[i] = (struct fum_safetensors_tensor){
            list[i].name,
            {.dtype = FUM_F32, .rank = 2, .dim = {list[i].rows, list[i].columns}, .data = values}};
    const struct fum_safetensors file = {.tensors = tensors, .count = count};
    ok(fum_safetensors_write(path, &file, &err), &err);
}

#define TO_Q "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q"
static const struct zeros whole[] = {{TO_Q ".lora_down.weight", 2, 12},
                                     {TO_Q ".lora_up.weight", 12, 2},
                                     {"lora_unet_nowhere.lora_up.weight", 4, 2},
                                     {"lora_unet_nowhere.lora_down.weight", 2, 4},
                                     {"strange.key", 1, 1}};
static const struct zeros wrong_shape[] = {{TO_Q ".lora_down.weight", 2, 5},
                                           {TO_Q ".lora_up.weight", 12, 2}};
static const struct zeros half[] = {{TO_Q ".lora_down.weight", 2, 12}};
static const struct zeros two_nowhere[] = {{"lora_unet_here.lora_up.weight", 4, 2},
                                           {"lora_unet_there.lora_up.weight", 4, 2}};
static const struct zeros biased[] = {
    {TO_Q ".lora_down.weight", 2, 12}, {TO_Q ".lora_up.weight", 12, 2}, {TO_Q ".diff_b", 1, 12}};
static const struct zeros no_adapter[] = {{"model.weight", 2, 12}, {"model.bias", 1, 12}};

static char logged[4096];
static void keep_log(void *user, enum fum_log_level level, const char *message) {
    (void)user, (void)level;
    strncat(logged, message, sizeof logged - strlen(logged) - 1);
}

static bool count_image(void *user, const struct fum_image *image) {
    (void)image;
    ++*(int *)user;
    return true;
}

// Draws with the one file. Returns the error's text, "" after a success.
static const char *draw_with(struct context *c, const char *path, int *pictures) {
    static struct fum_error err;
    const struct fum_adapter adapter = {path, 1, 1};
    struct fum_generate_params params = {.prompt = "a red ship",
                                         .width = 16,
                                         .height = 16,
                                         .steps = 1,
                                         .adapters = &adapter,
                                         .num_adapters = 1,
                                         .on_image = count_image,
                                         .user = pictures};
    err = (struct fum_error){0};
    logged[0] = 0;
    fum_generate(c->pipe, &params, &err);
    return err.text;
}

static void what_matches_nothing_is_reported(void **state) {
    static const struct {
        const struct zeros *tensors;
        size_t count;
        const char *error, *log; // NULL: none
    } cases[] = {
        {whole, FUM_COUNT(whole), NULL, "lora_unet_nowhere, strange"},
        {whole, 2, NULL, NULL},
        {wrong_shape, FUM_COUNT(wrong_shape), "rows of 12", NULL},
        {whole + 2, 2, "matches nothing in the model: lora_unet_nowhere", NULL},
        {two_nowhere, FUM_COUNT(two_nowhere),
         "matches nothing in the model: lora_unet_here, lora_unet_there", NULL},
        {half, FUM_COUNT(half), "matches nothing in the model: " TO_Q, NULL},
        {biased, FUM_COUNT(biased), NULL,
         "1 of 1 modules also change a parameter that the model does not have; the first is "
         "mid_block.attentions.0.transformer_blocks.0.attn1.to_q.bias"},
        {no_adapter, FUM_COUNT(no_adapter), "holds no adapter: model.bias", NULL},
    };
    struct context *c = *state;
    const struct fum_log log = {.fn = keep_log};
    struct fum_error err = {0};
    open_model(c, cJSON_GetArrayItem(c->golden.cases, 0));
    fum_pipeline_destroy(&c->pipe);
    ok(fum_pipeline_create(&c->pipe, c->device, c->model,
                           &(struct fum_pipeline_params){.log = &log}, &err),
       &err);
    for (size_t i = 0; i < FUM_COUNT(cases); i++) {
        int pictures = 0;
        char name[64], path[80];
        snprintf(name, sizeof name, "adapter-case-%zu", i);
        snprintf(path, sizeof path, "%s.safetensors", name);
        write_file(path, cases[i].tensors, cases[i].count);
        const char *text = draw_with(c, path, &pictures);
        if (cases[i].error ? !strstr(text, cases[i].error) : *text)
            fail_msg("case %zu says '%s'", i, text);
        if (cases[i].log ? !strstr(logged, cases[i].log) : *logged)
            fail_msg("case %zu logs '%s'", i, logged);
        assert_int_equal(pictures, cases[i].error ? 0 : 1);
        remove(path);
        assert_non_null(strstr(draw_with(c, name, &pictures), "no such adapter"));
    }
}

// <lora:NAME:text:unet> in a prompt is the same as an adapter of the request.
static void tags_are_adapters(void **state) {
    struct context *c = *state;
    float by_list[LATENTS] = {0}, by_tag[LATENTS] = {0};
    const struct fum_adapter list[] = {{"lora_all", 0.5F, 0.75F}};
    open_model(c, cJSON_GetArrayItem(c->golden.cases, 0));
    cJSON *spec = cJSON_GetArrayItem(c->golden.cases, 0);
    draw(c, 0, list, 1, by_list);
    cJSON *prompt = cJSON_DetachItemFromObject(spec, "prompt");
    assert_string_equal(prompt->valuestring, "a red ship");
    cJSON_AddStringToObject(spec, "prompt", "a red <lora:lora_all:0.75:0.5>ship");
    draw(c, 0, NULL, 0, by_tag);
    cJSON_Delete(prompt);
    assert_memory_equal(by_list, by_tag, sizeof by_list);
}

static int open_all(void **state) {
    static struct context c;
    golden_open(&c.golden, "adapters");
    *state = &c;
    c.device = open_device(true);
    return 0;
}

static int close_all(void **state) {
    struct context *c = *state;
    close_model(c);
    fum_device_destroy(&c->device);
    golden_close(&c->golden);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adapters_draw_what_diffusers_draws),
        cmocka_unit_test(folders_of_peft_draw_what_peft_draws),
        cmocka_unit_test(changing_the_set_compiles_nothing),
        cmocka_unit_test(what_matches_nothing_is_reported),
        cmocka_unit_test(tags_are_adapters),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
