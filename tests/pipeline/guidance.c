// SPDX-License-Identifier: MIT
// Methods of guidance against diffusers' guiders (tests/golden/guidance.py), and requests that are
// refused.
#define _DEFAULT_SOURCE // mmap
#include "distance.h"
#include "golden.h"
#include "open.h"

#include <fumarole/pipeline.h>

#include <sys/mman.h>
#include <unistd.h>

enum { LATENTS = 4 * 8 * 8 };

struct context {
    fum_device *device;
    struct golden golden;
    char path[1024]; // of the model that is open
    fum_model *model;
    fum_pipeline *pipe;
};

static bool on_image(void *user, const struct fum_image *image) {
    memcpy(user, image->latents, LATENTS * sizeof(float));
    return true;
}

static void close_model(struct context *c) {
    fum_pipeline_destroy(&c->pipe);
    fum_model_destroy(&c->model);
    c->path[0] = 0;
}

static void open_model(struct context *c, const char *name) {
    struct fum_error err = {0};
    char path[sizeof c->path];
    snprintf(path, sizeof path, "%s/model-%s", getenv("FUM_TEST_DATA"), name);
    if (!strcmp(path, c->path)) return;
    close_model(c);
    strcpy(c->path, path);
    ok(fum_model_open(&c->model, &(struct fum_model_params){.path = path}, &err), &err);
    const struct fum_pipeline_params params = {.precision = FUM_PRECISION_F32};
    ok(fum_pipeline_create(&c->pipe, c->device, c->model, &params, &err), &err);
}

static float number(const cJSON *spec, const char *key) {
    return (float)fum_json_number(spec, key, 0);
}

static struct fum_guidance_params read_method(const cJSON *spec) {
    return (struct fum_guidance_params){
        .rescale = number(spec, "rescale"),
        .begin = number(spec, "begin"),
        .end = number(spec, "end"),
        .plus = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(spec, "plus")),
        .projected = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(spec, "projected")),
        .apg_eta = number(spec, "apg_eta"),
        .apg_momentum = number(spec, "apg_momentum"),
        .apg_norm = number(spec, "apg_norm"),
        .mimic_scale = number(spec, "mimic_scale"),
        .mimic_percentile = number(spec, "mimic_percentile"),
        .pag_scale = number(spec, "pag_scale"),
        .pag_layers = fum_json_string(spec, "pag_layers", NULL),
        .slg_scale = number(spec, "slg_scale"),
        .slg_layers = fum_json_string(spec, "slg_layers", NULL),
        .slg_begin = number(spec, "slg_begin"),
        .slg_end = number(spec, "slg_end")};
}

static void draw(struct context *c, int index, const cJSON *spec, float *latents) {
    struct fum_error err = {0};
    const struct fum_loader_tensor *noise = golden_tensor(&c->golden, index, "noise");
    struct fum_generate_params params = {.prompt = fum_json_string(spec, "prompt", ""),
                                         .negative = fum_json_string(spec, "negative", NULL),
                                         .width = 16,
                                         .height = 16,
                                         .steps = (int)fum_json_number(spec, "steps", 0),
                                         .sampler = fum_json_string(spec, "sampler", NULL),
                                         .guidance = number(spec, "guidance"),
                                         .guidance_method = read_method(spec),
                                         .noise = noise->view.data,
                                         .on_image = on_image,
                                         .user = latents};
    for (int i = 0; i < 4; i++) params.noise_shape[i] = (int)noise->view.dim[i];
    ok(fum_generate(c->pipe, &params, &err), &err);
}

static void methods_draw_what_diffusers_draws(void **state) {
    struct context *c = *state;
    const cJSON *spec;
    int index = 0, bad = 0;
    cJSON_ArrayForEach(spec, c->golden.cases) {
        float latents[LATENTS], again[LATENTS];
        open_model(c, fum_json_string(spec, "model", ""));
        draw(c, index, spec, latents);
        draw(c, index, spec, again); // states start as in the first run
        assert_memory_equal(latents, again, sizeof latents);
        double error = relative_rms(latents, golden_values(&c->golden, index, "latents"), LATENTS);
        if (!(error <= 1e-3)) bad++;
        print_message("%2d latents %.2e%s\n", index, error,
                      error <= 1e-3 ? "" : "  <-- out of bounds");
        index++;
    }
    assert_int_equal(bad, 0);
    assert_int_equal(fum_device_validation_messages(c->device), 0);
}

static void what_does_not_go_is_refused(void **state) {
    static const struct {
        struct fum_guidance_params method;
        const char *sampler, *says;
    } cases[] = {
        {{.rescale = 2}, "euler", "rescale 2 is not between"},
        {{.begin = 0.5F, .end = 0.25F}, "euler", "in order"},
        {{.mimic_scale = 2, .mimic_percentile = 2}, "euler", "quantile 2"},
        {{.plus = true}, "heun", "not of heun"},
        {{.pag_scale = 1, .slg_scale = 1}, "euler", "do not go together"},
        {{.pag_scale = 1, .pag_layers = "mid.block_9"}, "euler", "no layer of the UNet"},
    };
    struct context *c = *state;
    float latents[LATENTS];
    open_model(c, "train");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fum_error err = {0};
        const struct fum_generate_params params = {.prompt = "x",
                                                   .width = 16,
                                                   .height = 16,
                                                   .steps = 2,
                                                   .sampler = cases[i].sampler,
                                                   .guidance = 3,
                                                   .guidance_method = cases[i].method,
                                                   .on_image = on_image,
                                                   .user = latents};
        assert_int_not_equal(fum_generate(c->pipe, &params, &err), FUM_OK);
        if (!strstr(err.text, cases[i].says)) fail_msg("case %zu says '%s'", i, err.text);
    }
}

// Returns a copy of a text behind which no byte may be read.
static char *copy_to_edge(const char *text) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), bytes = strlen(text) + 1;
    char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(pages != MAP_FAILED && !mprotect(pages + page, page, PROT_NONE));
    return memcpy(pages + page - bytes, text, bytes);
}

static void short_names_of_layers_are_read_to_their_end(void **state) {
    static const char *const layers[] = {"u", "d,m", "dow", "up", "mi", "7"};
    struct context *c = *state;
    float latents[LATENTS];
    open_model(c, "train");
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
        struct fum_error err = {0};
        const struct fum_generate_params params = {
            .prompt = "x",
            .width = 16,
            .height = 16,
            .steps = 1,
            .guidance_method = {.pag_scale = 1, .pag_layers = copy_to_edge(layers[i])},
            .on_image = on_image,
            .user = latents};
        enum fum_result result = fum_generate(c->pipe, &params, &err);
        assert_int_equal(result, strcmp(layers[i], "up") ? FUM_ERR_UNSUPPORTED : FUM_OK);
    }
}

static int open_all(void **state) {
    static struct context c;
    golden_open(&c.golden, "guidance");
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
        cmocka_unit_test(methods_draw_what_diffusers_draws),
        cmocka_unit_test(what_does_not_go_is_refused),
        cmocka_unit_test(short_names_of_layers_are_read_to_their_end),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
