// SPDX-License-Identifier: MIT
// Whole runs of the tiny models against diffusers: latents and pictures, in f32 and in f16, with
// the validation layer on.

#include "golden.h"
#include "picture.h"

// Relative RMS of the latents and PSNR of the picture that each storage type must reach (design.md,
// section 4). The tiny models have random weights, whose guided latents leave the range of a
// trained model's; f16 is held to the picture alone.
static const struct {
    enum fum_precision precision;
    const char *name;
    double latents, psnr;
} bounds[] = {{FUM_PRECISION_F32, "f32", 1e-3, 50}, {FUM_PRECISION_F16, "f16", 1, 35}};

struct run {
    const cJSON *spec;
    float *latents;
    uint8_t *pixels;
};

enum { MODELS = 7 };

struct context {
    fum_device *device;
    struct golden golden;
    fum_model *models[MODELS];
    fum_pipeline *pipes[MODELS];
};

static const char *const model_names[MODELS] = {"sd1",     "sd2", "sdxl", "emoji",
                                                "refiner", "odd", "least"};

static bool on_image(void *user, const struct fum_image *image) {
    struct run *run = user;
    size_t latents = (size_t)(image->latent_channels * image->latent_height * image->latent_width);
    size_t bytes = (size_t)(3 * image->width * image->height);
    run->latents = malloc(latents * sizeof *run->latents);
    run->pixels = malloc(bytes);
    memcpy(run->latents, image->latents, latents * sizeof *run->latents);
    memcpy(run->pixels, image->pixels, bytes);
    return true;
}

static double psnr(const uint8_t *a, const uint8_t *b, size_t count) {
    double error = 0;
    for (size_t i = 0; i < count; i++) error += (a[i] - b[i]) * (a[i] - b[i]);
    return error > 0 ? 10 * log10(255.0 * 255.0 * (double)count / error) : INFINITY;
}

static int model_index(const cJSON *spec) {
    const char *name = fum_json_string(spec, "model", "");
    for (int i = 0; i < MODELS; i++)
        if (!strcmp(model_names[i], name)) return i;
    fail_msg("runs.json names model \"%s\"", name);
    return 0;
}

static fum_pipeline *pipeline_of(struct context *c, int which, enum fum_precision precision) {
    struct fum_error err = {0};
    char path[1024];
    if (!strcmp(model_names[which], "emoji"))
        snprintf(path, sizeof path, "%s/models/emoji", getenv("FUM_SOURCE_ROOT"));
    else
        snprintf(path, sizeof path, "%s/model-%s", getenv("FUM_TEST_DATA"), model_names[which]);
    if (!c->models[which] &&
        fum_model_open(&c->models[which], &(struct fum_model_params){.path = path}, &err))
        fail_msg("%s", err.text);
    struct fum_pipeline_params params = {.precision = precision};
    if (!c->pipes[which] &&
        fum_pipeline_create(&c->pipes[which], c->device, c->models[which], &params, &err))
        fail_msg("%s", err.text);
    return c->pipes[which];
}

// Runs case `index`; prints a line; returns whether it is within its bounds.
static bool run_case(struct context *c, int index, const cJSON *spec, int which) {
    struct run run = {.spec = spec};
    struct fum_error err = {0};
    fum_pipeline *pipe = pipeline_of(c, model_index(spec), bounds[which].precision);
    const struct fum_loader_tensor *noise = golden_tensor(&c->golden, index, "noise"),
                                   *latents = golden_tensor(&c->golden, index, "latents");
    struct fum_generate_params params = {
        .prompt = fum_json_string(spec, "prompt", ""),
        .negative = fum_json_string(spec, "negative", NULL),
        .prompt_style = FUM_PROMPT_PLAIN, // diffusers cuts long prompts
        .width = (int)fum_json_number(spec, "width", 0),
        .height = (int)fum_json_number(spec, "height", 0),
        .steps = (int)fum_json_number(spec, "steps", 0),
        .sampler = fum_json_string(spec, "sampler", NULL),
        .schedule = fum_json_string(spec, "schedule", NULL),
        .timestep_spacing = fum_json_string(spec, "spacing", NULL),
        .guidance = (float)fum_json_number(spec, "guidance", 0),
        .eta = (float)fum_json_number(spec, "eta", 0),
        .clip_skip = (int)fum_json_number(spec, "clip_skip", 0),
        .seed = (uint64_t)fum_json_number(spec, "seed", 0),
        .rng = FUM_RNG_CPU,
        .noise = noise->view.data,
        .on_image = on_image,
        .user = &run,
    };
    for (int i = 0; i < 4; i++) params.noise_shape[i] = (int)noise->view.dim[i];
    if (fum_generate(pipe, &params, &err)) {
        print_message("case %d (%s): %s\n", index, params.sampler ? params.sampler : "default",
                      err.text);
        return false;
    }
    size_t count = (size_t)latents->bytes / sizeof(float),
           bytes = (size_t)(3 * params.width * params.height);
    double error = relative_rms(run.latents, latents->view.data, count);
    double db = psnr(run.pixels, golden_tensor(&c->golden, index, "picture")->view.data, bytes);
    bool good = error <= bounds[which].latents && db >= bounds[which].psnr;
    print_message(
        "%s %3d %-4s %-11s %s: latents %.2e, picture %.1f dB%s\n", bounds[which].name, index,
        fum_json_string(spec, "model", ""), params.sampler ? params.sampler : "default",
        params.schedule ? params.schedule : "", error, db, good ? "" : "  <-- out of bounds");
    free(run.latents);
    free(run.pixels);
    return good;
}

static void run_all(struct context *c, int which) {
    int index = 0, bad = 0;
    const cJSON *spec;
    cJSON_ArrayForEach(spec, c->golden.cases) {
        // In f16 every fourth case: what differs there is rounding, not the sampler.
        if (which == 0 || index % 4 == 0 || model_index(spec) == 3)
            bad += !run_case(c, index, spec, which);
        index++;
    }
    assert_int_equal(bad, 0);
    assert_int_equal(fum_device_validation_messages(c->device), 0);
}

static void runs_in_f32_match_diffusers(void **state) {
    run_all(*state, 0);
}

static void runs_in_f16_match_diffusers(void **state) {
    struct context *c = *state;
    if (!fum_device_get_info(c->device)->storage16) skip();
    for (int i = 0; i < MODELS; i++) fum_pipeline_destroy(&c->pipes[i]);
    run_all(c, 1);
}

// The same request gives the same bits, and a picture does not depend on the batch it was made in.
struct batch {
    int count;
    uint8_t pixels[4][3 * 16 * 16];
};

static bool keep_all(void *user, const struct fum_image *image) {
    struct batch *kept = user;
    memcpy(kept->pixels[image->index], image->pixels, sizeof kept->pixels[0]);
    kept->count++;
    return true;
}

static void equal_requests_give_the_same_bits(void **state) {
    struct context *c = *state;
    struct fum_error err = {0};
    static struct batch kept[3];
    for (int i = 0; i < MODELS; i++) fum_pipeline_destroy(&c->pipes[i]);
    for (int run = 0; run < 3; run++) {
        kept[run] = (struct batch){0};
        struct fum_generate_params params = {.prompt = "a red ship",
                                             .width = 16,
                                             .height = 16,
                                             .steps = 3,
                                             .guidance = 5,
                                             .sampler = "euler_a",
                                             .seed = 7,
                                             .count = 3,
                                             .batch = run == 2 ? 2 : 1,
                                             .on_image = keep_all,
                                             .user = &kept[run]};
        if (fum_generate(pipeline_of(c, 0, FUM_PRECISION_F32), &params, &err))
            fail_msg("%s", err.text);
        assert_int_equal(kept[run].count, 3);
    }
    assert_memory_equal(kept[0].pixels, kept[1].pixels, sizeof kept[0].pixels);
    assert_memory_equal(kept[0].pixels, kept[2].pixels, sizeof kept[0].pixels);
    assert_memory_not_equal(kept[0].pixels[0], kept[0].pixels[1], sizeof kept[0].pixels[0]);
}

static int set_up(void **state) {
    static struct context c;
    *state = &c;
    golden_open(&c.golden, "runs");
    c.device = open_device(true);
    return 0;
}

static int tear_down(void **state) {
    struct context *c = *state;
    for (int i = 0; i < MODELS; i++) {
        fum_pipeline_destroy(&c->pipes[i]);
        fum_model_destroy(&c->models[i]);
    }
    fum_device_destroy(&c->device);
    golden_close(&c->golden);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(runs_in_f32_match_diffusers),
                                       cmocka_unit_test(runs_in_f16_match_diffusers),
                                       cmocka_unit_test(equal_requests_give_the_same_bits)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
