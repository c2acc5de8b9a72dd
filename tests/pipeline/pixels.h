// SPDX-License-Identifier: MIT
// Runs of models that draw pictures without text and VAE, compared with golden ones. Both have the
// same noise, also in every stochastic step.
#ifndef TESTS_PIPELINE_PIXELS_H
#define TESTS_PIPELINE_PIXELS_H

#include "picture.h"

#include "golden.h"

#include "base/file.h"
#include "base/json.h"
#include "io/loader.h"

#include <unistd.h>

enum { MAX_PATH = 2200, MAX_VALUES = 4096, PICTURES = 2 };

struct context {
    fum_device *device;
    struct golden golden;
    bool joint; // all pictures of a case are drawn together, as by default
    char folder[1024];
};

static inline void join(char path[MAX_PATH], const char *base, const char *name) {
    int length = snprintf(path, MAX_PATH, "%s/%s", base, name);
    assert_in_range(length, 1, MAX_PATH - 1);
}

static inline void write_text(const char *folder, const char *name, const char *text) {
    char path[MAX_PATH];
    join(path, folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static inline void make_folder(struct context *c, const char *unet, const char *index,
                               const cJSON *scheduler) {
    struct fum_error err = {0};
    char from[MAX_PATH], to[MAX_PATH], text[512], *settings = cJSON_Print(scheduler);
    snprintf(c->folder, sizeof c->folder, "%s/fum-pixels-XXXXXX",
             getenv("TMPDIR") ? getenv("TMPDIR") : P_tmpdir);
    assert_non_null(mkdtemp(c->folder));
    join(to, c->folder, "unet");
    snprintf(from, sizeof from, "%s/model-variants/%s", getenv("FUM_TEST_DATA"), unet);
    assert_int_equal(symlink(from, to), 0);
    join(to, c->folder, "scheduler");
    ok(fum_path_make_dirs(to, &err), &err);
    write_text(c->folder, "scheduler/scheduler_config.json", settings);
    snprintf(text, sizeof text,
             "{\"_class_name\": \"%s\", \"unet\": [\"diffusers\", \"UNet2DModel\"], "
             "\"scheduler\": [\"diffusers\", \"%s\"]}",
             index, fum_json_string(scheduler, "_class_name", ""));
    write_text(c->folder, "model_index.json", text);
    cJSON_free(settings);
}

static inline void remove_folder(const struct context *c) {
    static const char *const files[] = {"scheduler/scheduler_config.json", "scheduler", "unet",
                                        "model_index.json"};
    char path[MAX_PATH];
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        join(path, c->folder, files[i]);
        assert_int_equal(remove(path), 0);
    }
    assert_int_equal(remove(c->folder), 0);
}

// All pictures of a run, one after the other.
struct pictures {
    int count;
    size_t used;
    float latents[MAX_VALUES];
    const float *golden; // in 0..1, as the pixels are ordered; NULL: the latents are in -1..1
};

// Keeps x, and checks that the pixels are x, clamped and rounded.
static inline bool keep_picture(void *user, const struct fum_image *image) {
    struct pictures *p = user;
    size_t pixels = (size_t)image->width * (size_t)image->height,
           channels = (size_t)image->channels;
    assert_int_equal(image->latent_channels, image->channels);
    assert_int_equal(image->latent_width, image->width);
    assert_true(p->used + pixels * channels <= MAX_VALUES);
    memcpy(p->latents + p->used, image->latents, pixels * channels * sizeof(float));
    for (size_t i = 0; i < pixels * channels; i++) {
        float x = image->latents[i % channels * pixels + i / channels];
        double v = p->golden ? (double)x : (double)x / 2 + 0.5, pixel = image->pixels[i];
        assert_true(fabs(pixel - fmin(fmax(v, 0), 1) * 255) < 0.501);
        if (p->golden) assert_true(fabs(pixel - (double)p->golden[p->used + i] * 255) <= 1);
    }
    p->used += pixels * channels;
    p->count++;
    return true;
}

// Runs a case, guided by the classifier of that folder unless it is NULL. True if x is the golden
// one.
static inline bool run_case(struct context *c, int index, const cJSON *spec,
                            const char *classifier) {
    struct fum_error err = {0};
    static struct pictures pictures;
    pictures = (struct pictures){0};
    char key[32];
    snprintf(key, sizeof key, "%d.pictures", index);
    const struct fum_loader_tensor *drawn = fum_loader_find(c->golden.tensors, key);
    if (drawn) pictures.golden = drawn->view.data;
    const struct fum_loader_tensor *noise = golden_tensor(&c->golden, index, "noise"),
                                   *want = golden_tensor(&c->golden, index, "latents");
    snprintf(key, sizeof key, "%d.step_noise", index);
    const struct fum_loader_tensor *steps = fum_loader_find(c->golden.tensors, key);
    const cJSON *label = cJSON_GetObjectItem(spec, "label");
    struct fum_generate_params params = {.width = (int)noise->view.dim[3],
                                         .height = (int)noise->view.dim[2],
                                         .guidance = (float)fum_json_number(spec, "guidance", 0),
                                         .has_class = label != NULL,
                                         .class_label = (float)fum_json_number(spec, "label", 0),
                                         .steps = (int)fum_json_number(spec, "steps", 0),
                                         .sampler = fum_json_string(spec, "sampler", NULL),
                                         .eta = (float)fum_json_number(spec, "eta", 0),
                                         .count = PICTURES,
                                         .batch = c->joint ? 0 : 1 + index % 2,
                                         .noise = noise->view.data,
                                         .classifier = classifier,
                                         .has_classifier_scale = classifier != NULL,
                                         .classifier_scale =
                                             (float)fum_json_number(spec, "scale", 1),
                                         .on_image = keep_picture,
                                         .user = &pictures};
    for (int i = 0; i < 4; i++) params.noise_shape[i] = (int)noise->view.dim[i];
    if (steps) params.step_noise = steps->view.data;
    for (int i = 0; steps && i < 5; i++) params.step_noise_shape[i] = (int)steps->view.dim[i];
    make_folder(c, fum_json_string(spec, "unet", ""),
                fum_json_string(spec, "index", "DDPMPipeline"), cJSON_GetObjectItem(spec, "file"));
    fum_model *model = open_model(c->folder);
    fum_pipeline *pipe = open_pipeline(c->device, model, FUM_PRECISION_F32, NULL);
    ok(fum_generate(pipe, &params, &err), &err);
    assert_int_equal(pictures.count, PICTURES);
    assert_int_equal(pictures.used * sizeof(float), want->bytes);
    double error = relative_rms(pictures.latents, want->view.data, pictures.used);
    print_message("%3d %-20s %-14s %-8s: x %.2e\n", index, fum_json_string(spec, "unet", ""),
                  fum_json_string(cJSON_GetObjectItem(spec, "file"), "_class_name", ""),
                  params.sampler ? params.sampler : "", error);
    fum_pipeline_destroy(&pipe);
    fum_model_destroy(&model);
    remove_folder(c);
    return error <= 1e-3;
}

static inline void run_all_cases(struct context *c) {
    int index = 0, bad = 0;
    const cJSON *spec;
    cJSON_ArrayForEach(spec, c->golden.cases) bad += !run_case(c, index++, spec, NULL);
    assert_true(index > 10);
    assert_int_equal(bad, 0);
}

static inline int set_up_golden(struct context *c, const char *name) {
    golden_open(&c->golden, name);
    c->device = open_device(false);
    return 0;
}

static inline int tear_down(void **state) {
    struct context *c = *state;
    fum_device_destroy(&c->device);
    golden_close(&c->golden);
    return 0;
}

static inline void expect_refusal(fum_pipeline *pipe, const struct fum_generate_params *params,
                                  const char *part) {
    struct fum_error err = {0};
    assert_int_equal(fum_generate(pipe, params, &err), FUM_ERR_ARG);
    if (!strstr(err.text, part)) fail_msg("\"%s\" lacks \"%s\"", err.text, part);
}

#endif
