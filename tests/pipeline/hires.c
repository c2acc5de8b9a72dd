// SPDX-License-Identifier: MIT
// Runs in two passes against diffusers (tests/golden/hires.py), and what they refuse.
#include "fits.h"

struct context {
    fum_device *device;
    fum_model *model;
    fum_pipeline *pipe;
    struct golden golden;
};

// A request of two passes.
struct two_passes {
    struct fum_generate_params first;
    struct fum_hires_params second;
};

static struct two_passes read_case(const cJSON *spec) {
    const cJSON *large = cJSON_GetObjectItem(spec, "large");
    return (struct two_passes){.first = {.prompt = fum_json_string(spec, "prompt", ""),
                                         .width = 16,
                                         .height = 16,
                                         .steps = (int)fum_json_number(spec, "steps", 0),
                                         .sampler = fum_json_string(spec, "sampler", NULL),
                                         .guidance = (float)fum_json_number(spec, "guidance", 0),
                                         .seed = (uint64_t)fum_json_number(spec, "seed", 0),
                                         .rng = FUM_RNG_CPU,
                                         .on_image = keep},
                               .second = {.width = cJSON_GetArrayItem(large, 0)->valueint,
                                          .height = cJSON_GetArrayItem(large, 1)->valueint,
                                          .steps = (int)fum_json_number(spec, "hires_steps", 0),
                                          .strength = fum_json_number(spec, "strength", 0),
                                          .upscaler = fum_json_string(spec, "upscaler", NULL)}};
}

static void two_passes_match_diffusers(void **state) {
    struct context *c = *state;
    int index = 0, bad = 0;
    const cJSON *spec;
    cJSON_ArrayForEach(spec, c->golden.cases) {
        struct fum_error err = {0};
        struct kept kept = {0};
        struct two_passes request = read_case(spec);
        request.first.hires = &request.second;
        request.first.user = &kept;
        ok(fum_generate(c->pipe, &request.first, &err), &err);
        assert_int_equal(kept.width, request.second.width);
        const struct fit fit = golden_fit(&c->golden, index, &kept);
        print_message("%s: latents %.2e, picture %.1f dB\n", request.second.upscaler, fit.latents,
                      fit.picture);
        bad += !(fit.latents <= 1e-3 && fit.picture >= 50);
        kept_free(&kept);
        index++;
    }
    assert_int_equal(bad, 0);
    assert_int_equal(fum_device_validation_messages(c->device), 0);
}

// Counts pictures and checks that they come in order, each with its own seed.
static bool count_in_order(void *user, const struct fum_image *image) {
    int *count = user;
    assert_int_equal(image->index, *count);
    assert_int_equal(image->seed, 9 + (uint64_t)*count);
    assert_int_equal(image->width, 40); // 2.5 times, down to a multiple
    assert_non_null(strstr(image->parameters, "Hires upscale: 2.5"));
    (*count)++;
    return true;
}

static bool preview_in_order(void *user, const struct fum_image *image, int step) {
    int *previews = user;
    (void)step;
    previews[image->index]++;
    return true;
}

static bool take(void *user, const struct fum_image *image) {
    (void)user;
    return image->pixels != NULL;
}

static void previews_of_both_passes_reach_the_caller(void **state) {
    struct context *c = *state;
    struct fum_error err = {0};
    int previews[2] = {0};
    const struct fum_hires_params second = {.steps = 2, .strength = 1};
    const struct fum_generate_params params = {.prompt = "a cat",
                                               .width = 16,
                                               .height = 16,
                                               .steps = 2,
                                               .count = 2,
                                               .hires = &second,
                                               .preview = FUM_PREVIEW_COLOURS,
                                               .on_preview = preview_in_order,
                                               .on_image = take,
                                               .user = previews};
    ok(fum_generate(c->pipe, &params, &err), &err);
    assert_true(previews[0] == 4 && previews[1] == 4);
}

static void several_pictures_keep_their_order(void **state) {
    struct context *c = *state;
    struct fum_error err = {0};
    int count = 0;
    char network[1024];
    snprintf(network, sizeof network, "%s/upscalers/srvgg_x2.safetensors", getenv("FUM_TEST_DATA"));
    const struct fum_hires_params second = {.scale = 2.5, .steps = 2, .upscaler = network};
    const struct fum_generate_params params = {.prompt = "a cat",
                                               .width = 16,
                                               .height = 16,
                                               .steps = 2,
                                               .seed = 9,
                                               .count = 3,
                                               .batch = 2,
                                               .hires = &second,
                                               .on_image = count_in_order,
                                               .user = &count};
    ok(fum_generate(c->pipe, &params, &err), &err);
    assert_int_equal(count, 3);
}

// Draws two passes of two steps each.
static void draw_twice(struct context *c, const char *prompt, struct kept *kept) {
    struct fum_error err = {0};
    const struct fum_hires_params second = {.scale = 2, .strength = 1};
    const struct fum_generate_params params = {.prompt = prompt,
                                               .width = 16,
                                               .height = 16,
                                               .steps = 2,
                                               .hires = &second,
                                               .on_image = keep,
                                               .user = kept};
    ok(fum_generate(c->pipe, &params, &err), &err);
}

static void schedules_count_on_in_the_second_pass(void **state) {
    struct context *c = *state;
    struct kept kept[4] = {{0}};
    // The first two have no dog in any pass, the others in the second one alone.
    static const char *const prompts[] = {"a cat", "[a cat:a dog:4]", "[a cat:a dog:2]",
                                          "[a cat:a dog:1.0]"};
    for (int i = 0; i < 4; i++) draw_twice(c, prompts[i], &kept[i]);
    assert_memory_equal(kept[0].pixels, kept[1].pixels, kept[0].bytes);
    assert_memory_equal(kept[2].pixels, kept[3].pixels, kept[2].bytes);
    assert_int_not_equal(memcmp(kept[0].pixels, kept[2].pixels, kept[0].bytes), 0);
    for (int i = 0; i < 4; i++) kept_free(&kept[i]);
}

static bool has_seed_9(void *user, const struct fum_image *image, int step) {
    (void)user, (void)step;
    return image->seed == 9;
}

// Draws two passes of `count` pictures with this subseed, and keeps the last.
static void draw_varied(struct context *c, uint64_t subseed, int count, struct kept *kept) {
    struct fum_error err = {0};
    const struct fum_hires_params second = {.scale = 2, .strength = 1};
    const struct fum_generate_params params = {.prompt = "a cat",
                                               .width = 16,
                                               .height = 16,
                                               .steps = 2,
                                               .seed = 9,
                                               .subseed = subseed,
                                               .subseed_strength = 0.4,
                                               .count = count,
                                               .hires = &second,
                                               .preview = FUM_PREVIEW_COLOURS,
                                               .on_preview = has_seed_9,
                                               .on_image = keep,
                                               .user = kept};
    ok(fum_generate(c->pipe, &params, &err), &err);
}

static void variations_have_their_own_subseed_in_both_passes(void **state) {
    struct context *c = *state;
    struct kept second = {0}, alone = {0};
    draw_varied(c, 5, 2, &second);
    draw_varied(c, 6, 1, &alone);
    assert_memory_equal(second.latents, alone.latents, alone.latent_count * sizeof(float));
    kept_free(&second);
    kept_free(&alone);
}

static void bad_second_passes_are_refused_first(void **state) {
    struct context *c = *state;
    static const struct {
        struct fum_hires_params second;
        const char *says;
    } cases[] = {
        {{.scale = 0.5}, "hires scale 0.5 is not between"},
        {{.width = 33}, "a width of 33: it must be a multiple"},
        {{.strength = 1.5}, "hires strength 1.5"},
        {{.strength = 0.1, .steps = 2}, "leaves none to take"},
        {{.upscaler = "nowhere.pth"}, "nowhere.pth"},
        {{.width = FUM_MAX_SIDE / 8 * 8, .height = FUM_MAX_SIDE / 8 * 8}, "pixels; at most"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fum_error err = {0};
        struct kept kept = {0};
        const struct fum_generate_params params = {.prompt = "a cat",
                                                   .width = 16,
                                                   .height = 16,
                                                   .steps = 2,
                                                   .count = 2,
                                                   .hires = &cases[i].second,
                                                   .on_image = keep,
                                                   .user = &kept};
        assert_int_not_equal(fum_generate(c->pipe, &params, &err), FUM_OK);
        assert_int_not_equal(fum_generate_from(c->pipe, &params, 1, &err), FUM_OK);
        if (!strstr(err.text, cases[i].says)) fail_msg("%s", err.text);
        assert_int_equal(kept.count, 0);
    }
}

static int set_up(void **state) {
    static struct context c;
    char path[1024];
    *state = &c;
    golden_open(&c.golden, "hires");
    c.device = open_device(true);
    snprintf(path, sizeof path, "%s/model-sd1", getenv("FUM_TEST_DATA"));
    c.model = open_model(path);
    c.pipe = open_pipeline(c.device, c.model, FUM_PRECISION_F32, NULL);
    return 0;
}

static int tear_down(void **state) {
    struct context *c = *state;
    fum_pipeline_destroy(&c->pipe);
    fum_model_destroy(&c->model);
    fum_device_destroy(&c->device);
    golden_close(&c->golden);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_passes_match_diffusers),
        cmocka_unit_test(previews_of_both_passes_reach_the_caller),
        cmocka_unit_test(several_pictures_keep_their_order),
        cmocka_unit_test(schedules_count_on_in_the_second_pass),
        cmocka_unit_test(variations_have_their_own_subseed_in_both_passes),
        cmocka_unit_test(bad_second_passes_are_refused_first),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
