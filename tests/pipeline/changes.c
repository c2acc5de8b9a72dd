// SPDX-License-Identifier: MIT
// Requests that change how the networks are built, against diffusers: seamless pictures, FreeU,
// step caches.
#include "picture.h"

#include "golden.h"

#include "pipeline/bands.h"

struct context {
    fum_device *device;
};

static double psnr(const uint8_t *a, const uint8_t *b, size_t count) {
    double error = 0;
    for (size_t i = 0; i < count; i++) error += (a[i] - b[i]) * (a[i] - b[i]);
    return error > 0 ? 10 * log10(255.0 * 255.0 * (double)count / error) : INFINITY;
}

static enum fum_seamless axes_of(const cJSON *spec) {
    static const char *const names[] = {"", "x", "y", "xy"};
    const char *name = fum_json_string(spec, "seamless", "");
    for (int i = 0; i < 4; i++)
        if (!strcmp(names[i], name)) return (enum fum_seamless)i;
    fail_msg("the case has axes \"%s\"", name);
    return FUM_SEAMLESS_NONE;
}

// Compares latents of [height, width, channels] with golden ones of [channels, height, width].
static double compare_latents(const struct kept *kept, const float *golden) {
    size_t area = (size_t)(kept->latent_width * kept->latent_height),
           channels = kept->latent_count / area;
    float *planes = malloc(kept->latent_count * sizeof *planes);
    fum_pixels_to_planes(kept->latents, planes, area, channels);
    double relative = relative_rms(planes, golden, kept->latent_count);
    free(planes);
    return relative;
}

// Draws a case; returns whether it is within its bounds.
static bool run_case(const struct context *c, const struct golden *golden, int index,
                     const cJSON *spec) {
    struct fum_error err = {0};
    struct kept kept = {0};
    char path[1024];
    snprintf(path, sizeof path, "%s/model-%s", getenv("FUM_TEST_DATA"),
             fum_json_string(spec, "model", ""));
    fum_model *model = open_model(path);
    fum_pipeline *pipe = open_pipeline(c->device, model, FUM_PRECISION_F32, NULL);
    const struct fum_loader_tensor *noise = golden_tensor(golden, index, "noise");
    struct fum_generate_params params = {
        .prompt = fum_json_string(spec, "prompt", ""),
        .negative = fum_json_string(spec, "negative", NULL),
        .width = (int)fum_json_number(spec, "width", 0),
        .height = (int)fum_json_number(spec, "height", 0),
        .steps = (int)fum_json_number(spec, "steps", 0),
        .sampler = "euler",
        .guidance = (float)fum_json_number(spec, "guidance", 0),
        .seamless = axes_of(spec),
        .noise = noise->view.data,
        .on_image = keep,
        .user = &kept,
    };
    for (int i = 0; i < 4; i++) params.noise_shape[i] = (int)noise->view.dim[i];
    const cJSON *factors = cJSON_GetObjectItem(spec, "freeu");
    params.has_freeu = factors != NULL;
    for (int i = 0; i < cJSON_GetArraySize(factors); i++)
        params.freeu[i] = (float)cJSON_GetArrayItem(factors, i)->valuedouble;
    params.cache = (struct fum_cache_params){
        .mode = fum_json_string(spec, "cache", NULL),
        .interval = (int)fum_json_number(spec, "interval", 0),
        .branch = (int)fum_json_number(spec, "branch", 0),
        .threshold = fum_json_number(spec, "threshold", 0),
        .start = fum_json_number(spec, "start", 0),
        .end = fum_json_number(spec, "end", 0),
    };
    ok(fum_generate(pipe, &params, &err), &err);
    double relative = compare_latents(&kept, golden_values(golden, index, "latents"));
    double db = psnr(kept.pixels, golden_tensor(golden, index, "pixels")->view.data, kept.bytes);
    print_message("%d %s: latents %.2e, picture %.1f dB\n", index,
                  fum_json_string(spec, "model", ""), relative, db);
    kept_free(&kept);
    fum_pipeline_destroy(&pipe);
    fum_model_destroy(&model);
    return relative <= 1e-3 && db >= 50;
}

static void run_all(const struct context *c, const char *name) {
    struct golden golden = {0};
    int index = 0, bad = 0;
    const cJSON *spec;
    golden_open(&golden, name);
    cJSON_ArrayForEach(spec, golden.cases) bad += !run_case(c, &golden, index++, spec);
    assert_true(index > 0);
    assert_int_equal(bad, 0);
    golden_close(&golden);
    assert_int_equal(fum_device_validation_messages(c->device), 0);
}

static void seamless_pictures_match_diffusers(void **state) {
    run_all(*state, "seamless");
}

static void freeu_matches_diffusers(void **state) {
    run_all(*state, "freeu");
}

static void step_caches_match_diffusers(void **state) {
    run_all(*state, "step_cache");
}

// Decodes in bands of a few rows and as a whole, and compares.
static void compare_bands(fum_pipeline *pipe, enum fum_seamless seamless) {
    enum { HEIGHT = 24, WIDTH = 12, COUNT = 3 * 4 * HEIGHT * WIDTH };
    struct fum_error err = {0};
    static float latents[4 * HEIGHT * WIDTH], whole[COUNT], bands[COUNT];
    for (size_t i = 0; i < sizeof latents / sizeof *latents; i++)
        latents[i] = 2 * sinf((float)i * 0.7f + (float)(i % 13));
    pipe->seamless = seamless;
    ok(fum_decode_values(pipe, &(struct fum_latents){latents, HEIGHT, WIDTH}, whole, &err), &err);
    struct fum_bands small = {.height = HEIGHT, .width = WIDTH, .room = 1};
    ok(fum_bands_decode(pipe, &small, latents, bands, &err), &err);
    double relative = relative_rms(bands, whole, COUNT);
    print_message("axes %d: bands %.1e from the whole\n", (int)seamless, relative);
    assert_true(relative < 1e-5);
}

static void bands_of_a_seamless_picture_have_no_seams(void **state) {
    const struct context *c = *state;
    fum_model *model = open_model(tiny_path());
    fum_pipeline *pipe = open_pipeline(c->device, model, FUM_PRECISION_F32, NULL);
    for (int axes = FUM_SEAMLESS_NONE; axes <= FUM_SEAMLESS_XY; axes++)
        compare_bands(pipe, (enum fum_seamless)axes);
    fum_pipeline_destroy(&pipe);
    fum_model_destroy(&model);
}

// Tiles would show, so that limits that neither the whole nor bands fit are an error.
static void a_seamless_picture_is_never_tiled(void **state) {
    (void)state;
    struct fum_error err = {0};
    fum_device *device = open_device(true);
    fum_model *model = open_model(tiny_path());
    limits_of(device)->max_binding = 64 << 10;
    fum_pipeline *pipe = open_pipeline(device, model, FUM_PRECISION_F32, NULL);
    static float latents[4 * 24 * 32], values[3 * 4 * 24 * 32];
    pipe->seamless = FUM_SEAMLESS_X;
    assert_int_equal(fum_decode_values(pipe, &(struct fum_latents){latents, 24, 32}, values, &err),
                     FUM_ERR_UNSUPPORTED);
    if (!strstr(err.text, "tiles would leave seams")) fail_msg("%s", err.text);
    fum_pipeline_destroy(&pipe);
    fum_model_destroy(&model);
    fum_device_destroy(&device);
}

// What is compiled for one request serves another only if both change the same.
static void a_change_ends_with_its_request(void **state) {
    const struct context *c = *state;
    struct fum_error err = {0};
    struct kept first = {0}, changed = {0}, again = {0};
    fum_model *model = open_model(tiny_path());
    fum_pipeline *pipe = open_pipeline(c->device, model, FUM_PRECISION_F32, NULL);
    struct fum_generate_params params = {
        .prompt = "a red ship", .width = 16, .height = 16, .steps = 2, .on_image = keep};
    params.user = &first;
    ok(fum_generate(pipe, &params, &err), &err);
    params.seamless = FUM_SEAMLESS_XY;
    params.user = &changed;
    ok(fum_generate(pipe, &params, &err), &err);
    params.seamless = FUM_SEAMLESS_NONE;
    params.user = &again;
    ok(fum_generate(pipe, &params, &err), &err);
    assert_memory_equal(first.pixels, again.pixels, first.bytes);
    assert_memory_not_equal(first.pixels, changed.pixels, first.bytes);
    kept_free(&first);
    kept_free(&changed);
    kept_free(&again);
    fum_pipeline_destroy(&pipe);
    fum_model_destroy(&model);
}

static int set_up(void **state) {
    static struct context c;
    *state = &c;
    c.device = open_device(true);
    return 0;
}

static int tear_down(void **state) {
    struct context *c = *state;
    fum_device_destroy(&c->device);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(seamless_pictures_match_diffusers),
                                       cmocka_unit_test(freeu_matches_diffusers),
                                       cmocka_unit_test(step_caches_match_diffusers),
                                       cmocka_unit_test(bands_of_a_seamless_picture_have_no_seams),
                                       cmocka_unit_test(a_seamless_picture_is_never_tiled),
                                       cmocka_unit_test(a_change_ends_with_its_request)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
