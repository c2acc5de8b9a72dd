// SPDX-License-Identifier: MIT
// Compares folders with other schedulers than the tiny models' own with diffusers
// (tests/golden/schedulers.py). They have settings that are repaired, unknown classes, or EDM. Each
// case is a copy of a tiny model with its files changed.
#define _DEFAULT_SOURCE // mkdtemp, symlink
#include "picture.h"

#include "golden.h"

#include "base/file.h"
#include "base/json.h"
#include "io/loader.h"

#include <unistd.h>

enum { MAX_PATH = 2200 };

struct context {
    fum_device *device;
    struct golden golden;
    char folder[1024];
};

static const char *const parts[] = {"text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2",
                                    "unet"};

enum { COUNT_PARTS = sizeof parts / sizeof *parts };

static void join(char path[MAX_PATH], const char *base, const char *name) {
    int length = snprintf(path, MAX_PATH, "%s/%s", base, name);
    assert_in_range(length, 1, MAX_PATH - 1);
}

static void write_json(const char *folder, const char *name, const cJSON *json) {
    char path[MAX_PATH], *text = cJSON_Print(json);
    join(path, folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    cJSON_free(text);
}

static cJSON *read_json(const char *folder, const char *name) {
    struct fum_error err = {0};
    char path[MAX_PATH];
    cJSON *json = NULL;
    join(path, folder, name);
    ok(fum_json_read(&json, path, &err), &err);
    return json;
}

static void link_part(const char *source, const char *folder, const char *name) {
    char from[MAX_PATH], to[MAX_PATH];
    join(from, source, name);
    join(to, folder, name);
    if (!access(from, F_OK)) assert_int_equal(symlink(from, to), 0);
}

static const char *scheduler_class(const cJSON *spec) {
    const cJSON *file = cJSON_GetObjectItem(spec, "file");
    return fum_json_string(spec, "index", fum_json_string(file, "_class_name", ""));
}

// Makes the case's folder: links to the model's parts, and the files that the case changes.
static void make_folder(struct context *c, const cJSON *spec) {
    struct fum_error err = {0};
    char source[1024], path[MAX_PATH];
    snprintf(source, sizeof source, "%s/model-%s", getenv("FUM_TEST_DATA"),
             fum_json_string(spec, "model", ""));
    snprintf(c->folder, sizeof c->folder, "%s/fum-schedulers-XXXXXX",
             getenv("TMPDIR") ? getenv("TMPDIR") : P_tmpdir);
    assert_non_null(mkdtemp(c->folder));
    for (int i = 0; i < COUNT_PARTS; i++) link_part(source, c->folder, parts[i]);
    join(path, c->folder, "scheduler");
    ok(fum_path_make_dirs(path, &err), &err);
    join(path, c->folder, "vae");
    ok(fum_path_make_dirs(path, &err), &err);
    link_part(source, c->folder, "vae/diffusion_pytorch_model.safetensors");
    write_json(c->folder, "scheduler/scheduler_config.json", cJSON_GetObjectItem(spec, "file"));
    cJSON *index = read_json(source, "model_index.json"),
          *vae = read_json(source, "vae/config.json");
    cJSON *names = cJSON_GetObjectItem(index, "scheduler");
    cJSON_ReplaceItemInArray(names, 1, cJSON_CreateString(scheduler_class(spec)));
    const cJSON *change;
    cJSON_ArrayForEach(change, cJSON_GetObjectItem(spec, "vae")) {
        cJSON_DeleteItemFromObject(vae, change->string);
        cJSON_AddItemToObject(vae, change->string, cJSON_Duplicate(change, true));
    }
    write_json(c->folder, "model_index.json", index);
    write_json(c->folder, "vae/config.json", vae);
    cJSON_Delete(index);
    cJSON_Delete(vae);
}

static void remove_folder(const struct context *c) {
    static const char *const files[] = {
        "scheduler/scheduler_config.json",         "scheduler", "vae/config.json",
        "vae/diffusion_pytorch_model.safetensors", "vae",       "model_index.json"};
    char path[MAX_PATH];
    for (int i = 0; i < COUNT_PARTS; i++) {
        join(path, c->folder, parts[i]);
        remove(path);
    }
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        join(path, c->folder, files[i]);
        assert_int_equal(remove(path), 0);
    }
    assert_int_equal(remove(c->folder), 0);
}

static bool keep_latents(void *user, const struct fum_image *image) {
    size_t count = (size_t)(image->latent_channels * image->latent_height * image->latent_width);
    float **latents = user;
    *latents = malloc(count * sizeof **latents);
    assert_non_null(*latents);
    memcpy(*latents, image->latents, count * sizeof **latents);
    return true;
}

// The warnings that a case must bring: its class is named where the family's sampler stands in for
// it, and only there.
static void check_log(const cJSON *spec, const struct lines *lines) {
    const char *class_name = scheduler_class(spec);
    bool named = fum_json_string(spec, "sampler", NULL) != NULL;
    bool fallback = !named && fum_json_string(spec, "reference", NULL) != NULL;
    const char *warning = strstr(lines->text, "is not supported; using sampler");
    assert_true((warning != NULL) == fallback);
    if (fallback) assert_non_null(strstr(lines->text, class_name));
    const cJSON *clip = cJSON_GetObjectItem(cJSON_GetObjectItem(spec, "file"), "clip_sample");
    if (cJSON_IsTrue(clip)) assert_non_null(strstr(lines->text, "clip_sample"));
}

static bool run_case(struct context *c, int index, const cJSON *spec) {
    struct fum_error err = {0};
    struct lines lines = {""};
    const struct fum_log log = {.fn = keep_line, .user = &lines, .level = FUM_LOG_INFO};
    fum_model *model = NULL;
    fum_pipeline *pipe = NULL;
    float *latents = NULL;
    const struct fum_loader_tensor *noise = golden_tensor(&c->golden, index, "noise"),
                                   *want = golden_tensor(&c->golden, index, "latents");
    struct fum_generate_params params = {.prompt = "a red ship",
                                         .width = 16,
                                         .height = 16,
                                         .guidance = 5,
                                         .steps = (int)fum_json_number(spec, "steps", 0),
                                         .sampler = fum_json_string(spec, "sampler", NULL),
                                         .schedule = fum_json_string(spec, "schedule", NULL),
                                         .seed = (uint64_t)fum_json_number(spec, "seed", 0),
                                         .rng = FUM_RNG_CPU,
                                         .noise = noise->view.data,
                                         .on_image = keep_latents,
                                         .user = &latents};
    for (int i = 0; i < 4; i++) params.noise_shape[i] = (int)noise->view.dim[i];
    make_folder(c, spec);
    ok(fum_model_open(&model, &(struct fum_model_params){.path = c->folder, .log = &log}, &err),
       &err);
    ok(fum_pipeline_create(
           &pipe, c->device, model,
           &(struct fum_pipeline_params){.precision = FUM_PRECISION_F32, .log = &log}, &err),
       &err);
    ok(fum_generate(pipe, &params, &err), &err);
    double error = relative_rms(latents, want->view.data, (size_t)want->bytes / sizeof(float));
    print_message("%3d %-4s %-30s %-8s: latents %.2e\n", index, fum_json_string(spec, "model", ""),
                  scheduler_class(spec), params.sampler ? params.sampler : "", error);
    check_log(spec, &lines);
    free(latents);
    fum_pipeline_destroy(&pipe);
    fum_model_destroy(&model);
    remove_folder(c);
    return error <= 1e-3;
}

static void folders_run_as_diffusers_runs_them(void **state) {
    struct context *c = *state;
    int index = 0, bad = 0;
    const cJSON *spec;
    cJSON_ArrayForEach(spec, c->golden.cases) bad += !run_case(c, index++, spec);
    assert_true(index > 10);
    assert_int_equal(bad, 0);
}

static int set_up(void **state) {
    static struct context c;
    *state = &c;
    golden_open(&c.golden, "schedulers");
    c.device = open_device(false);
    return 0;
}

static int tear_down(void **state) {
    struct context *c = *state;
    fum_device_destroy(&c->device);
    golden_close(&c->golden);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(folders_run_as_diffusers_runs_them)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
