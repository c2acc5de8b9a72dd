// SPDX-License-Identifier: MIT
// Runs that start from pictures against diffusers: latents and pictures, in f32, with all draws
// from the seed.

#include "fits.h"

#include "base/macros.h"
#include "io/image.h"

#define LATENT_BOUND  1e-3
#define PICTURE_BOUND 50

// A model that is open with its pipeline.
struct opened {
    char name[32];
    fum_model *model;
    fum_pipeline *pipe;
};

enum { MODELS = 8 };
struct context {
    fum_device *device;
    struct golden golden;
    struct opened opened[MODELS];
};

static fum_pipeline *pipeline_of(struct context *c, const char *name) {
    char path[1024];
    int i = 0;
    while (i < MODELS && c->opened[i].pipe && strcmp(c->opened[i].name, name)) i++;
    assert_true(i < MODELS);
    struct opened *o = &c->opened[i];
    if (o->pipe) return o->pipe;
    snprintf(o->name, sizeof o->name, "%s", name);
    snprintf(path, sizeof path, "%s/model-%s", getenv("FUM_TEST_DATA"), name);
    o->model = open_model(path);
    o->pipe = open_pipeline(c->device, o->model, FUM_PRECISION_F32, NULL);
    return o->pipe;
}

// Returns a picture of the golden data as the bytes of a PNG, which the caller frees.
static struct fum_image_source png_of(const struct context *c, const char *name) {
    struct fum_error err = {0};
    const struct fum_loader_tensor *t = fum_loader_find(c->golden.tensors, name);
    uint8_t *png = NULL;
    size_t bytes = 0;
    assert_non_null(t);
    const struct fum_picture picture = {.pixels = t->view.data,
                                        .width = (int)t->view.dim[1],
                                        .height = (int)t->view.dim[0],
                                        .channels = t->view.rank == 3 ? 3 : 1};
    ok(fum_image_encode_png(&picture, &png, &bytes, &err), &err);
    return (struct fum_image_source){.data = png, .bytes = bytes};
}

static struct fum_generate_params read_case(const cJSON *spec) {
    return (struct fum_generate_params){
        .prompt = fum_json_string(spec, "prompt", ""),
        .negative = fum_json_string(spec, "negative", NULL),
        .width = (int)fum_json_number(spec, "width", 0),
        .height = (int)fum_json_number(spec, "height", 0),
        .steps = (int)fum_json_number(spec, "steps", 0),
        .sampler = fum_json_string(spec, "sampler", NULL),
        .schedule = fum_json_string(spec, "schedule", NULL),
        .guidance = (float)fum_json_number(spec, "guidance", 0),
        .strength = fum_json_number(spec, "strength", 0),
        .seed = (uint64_t)fum_json_number(spec, "seed", 0),
        .rng = FUM_RNG_CPU,
        .on_image = keep,
    };
}

// Compares what a case drew with the golden data; prints a line; returns whether it is within its
// bounds.
static bool compare(const struct context *c, int index, const cJSON *spec,
                    const struct kept *kept) {
    const struct fit fit = golden_fit(&c->golden, index, kept);
    bool good = fit.latents <= LATENT_BOUND && fit.picture >= PICTURE_BOUND;
    print_message("%3d %-8s %-9s %-11s %.2f: latents %.2e, picture %.1f dB%s\n", index,
                  fum_json_string(spec, "model", ""), fum_json_string(spec, "task", ""),
                  fum_json_string(spec, "sampler", "default"), fum_json_number(spec, "strength", 0),
                  fit.latents, fit.picture, good ? "" : "  <-- out of bounds");
    return good;
}

static bool run_case(struct context *c, int index, const cJSON *spec) {
    struct fum_error err = {0};
    struct kept kept = {0};
    struct fum_generate_params params = read_case(spec);
    params.init_image = png_of(c, "picture");
    params.user = &kept;
    bool good = !fum_generate(pipeline_of(c, fum_json_string(spec, "model", "")), &params, &err);
    if (!good) print_message("%3d: %s\n", index, err.text);
    good = good && compare(c, index, spec, &kept);
    fum_free((void *)(uintptr_t)params.init_image.data);
    kept_free(&kept);
    return good;
}

static void runs_from_pictures_match_diffusers(void **state) {
    struct context *c = *state;
    int index = 0, bad = 0;
    const cJSON *spec;
    cJSON_ArrayForEach(spec, c->golden.cases) {
        bad += !run_case(c, index, spec);
        index++;
    }
    assert_true(index > 0);
    assert_int_equal(bad, 0);
    assert_int_equal(fum_device_validation_messages(c->device), 0);
}

static int set_up(void **state) {
    static struct context c;
    *state = &c;
    golden_open(&c.golden, "pictures-in");
    c.device = open_device(true);
    return 0;
}

static int tear_down(void **state) {
    struct context *c = *state;
    for (int i = 0; i < MODELS; i++) {
        fum_pipeline_destroy(&c->opened[i].pipe);
        fum_model_destroy(&c->opened[i].model);
    }
    fum_device_destroy(&c->device);
    golden_close(&c->golden);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(runs_from_pictures_match_diffusers)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
