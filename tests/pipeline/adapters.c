// SPDX-License-Identifier: MIT
// Pictures drawn with adapters, against diffusers' (tests/golden/adapters.py): the latents of files
// that fumarole trained and of other tools' kinds and key styles.
#include "golden.h"

#include <math.h>

#include <fumarole/pipeline.h>

#include "base/json.h"
#include "io/loader.h"

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

static double relative_rms(const float *a, const float *b, size_t count) {
    double error = 0, size = 0;
    for (size_t i = 0; i < count; i++) {
        error += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        size += (double)b[i] * b[i];
    }
    return sqrt(error / size);
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

static void adapters_draw_what_diffusers_draws(void **state) {
    struct context *c = *state;
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
    assert_int_equal(bad, 0);
    assert_int_equal(fum_device_validation_messages(c->device), 0);
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

static int open_all(void **state) {
    static struct context c;
    struct fum_error err = {0};
    golden_open(&c.golden, "adapters");
    *state = &c;
    if (fum_device_create(&c.device, &(struct fum_device_params){.validate = true}, &err)) {
        print_message("%s\n", err.text);
        if (getenv("FUM_REQUIRE_DEVICE")) return 1;
        exit(77);
    }
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
        cmocka_unit_test(changing_the_set_compiles_nothing),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
