// SPDX-License-Identifier: MIT
// Runs that start from pictures against diffusers: latents and pictures, in f32, with all draws
// from the seed.

#include "fits.h"

#include "base/macros.h"
#include "io/image.h"

// As in runs.c: the latents of random weights are not held to a bound in f16.
static const struct {
    enum fum_precision precision;
    double latents, picture;
} bounds[] = {{FUM_PRECISION_F32, 1e-3, 50}, {FUM_PRECISION_F16, 1, 35}};

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
    int which; // of the bounds
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
    o->pipe = open_pipeline(c->device, o->model, bounds[c->which].precision, NULL);
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

static void release(const struct fum_image_source *source) {
    fum_free((void *)(uintptr_t)source->data);
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
        .image_guidance = (float)fum_json_number(spec, "image_guidance", 0),
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
    bool good = fit.latents <= bounds[c->which].latents && fit.picture >= bounds[c->which].picture;
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
    bool inpaints = !strcmp(fum_json_string(spec, "task", ""), "inpaint");
    params.init_image = png_of(c, "picture");
    if (inpaints) params.mask = png_of(c, "mask");
    params.masked_padding = (int)fum_json_number(spec, "padding", 0);
    params.only_masked = params.masked_padding > 0;
    params.no_mask_composite = !params.only_masked; // as the reference has it
    params.user = &kept;
    bool good = !fum_generate(pipeline_of(c, fum_json_string(spec, "model", "")), &params, &err);
    if (!good) print_message("%3d: %s\n", index, err.text);
    good = good && compare(c, index, spec, &kept);
    release(&params.init_image);
    release(&params.mask);
    kept_free(&kept);
    return good;
}

static void close_models(struct context *c) {
    for (int i = 0; i < MODELS; i++) {
        fum_pipeline_destroy(&c->opened[i].pipe);
        fum_model_destroy(&c->opened[i].model);
    }
}

static void runs_in_f16_come_near(void **state) {
    struct context *c = *state;
    int index = 0, bad = 0;
    const cJSON *spec;
    if (!fum_device_get_info(c->device)->storage16) skip();
    close_models(c);
    c->which = 1;
    cJSON_ArrayForEach(spec, c->golden.cases) {
        if (index % 8 == 1) bad += !run_case(c, index, spec);
        index++;
    }
    close_models(c);
    c->which = 0;
    assert_int_equal(bad, 0);
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

// ---- what is kept, and what is refused ----

enum { SIDE = 16 };

// A grey ramp as a PNG, and a mask whose right half is white.
struct pictures {
    uint8_t ramp[3 * SIDE * SIDE], half[SIDE * SIDE];
    struct fum_image_source ramp_png, half_png, black_png;
};

static struct fum_image_source encode(const uint8_t *pixels, int channels) {
    struct fum_error err = {0};
    uint8_t *png = NULL;
    size_t bytes = 0;
    const struct fum_picture picture = {
        .pixels = pixels, .width = SIDE, .height = SIDE, .channels = channels};
    ok(fum_image_encode_png(&picture, &png, &bytes, &err), &err);
    return (struct fum_image_source){.data = png, .bytes = bytes};
}

static struct pictures make_pictures(void) {
    static const uint8_t black[SIDE * SIDE];
    struct pictures p;
    for (int i = 0; i < SIDE * SIDE; i++) {
        for (int c = 0; c < 3; c++) p.ramp[3 * i + c] = (uint8_t)(i + 40 * c);
        p.half[i] = i % SIDE >= SIDE / 2 ? 255 : 0;
    }
    p.ramp_png = encode(p.ramp, 3);
    p.half_png = encode(p.half, 1);
    p.black_png = encode(black, 1);
    return p;
}

static void release_pictures(struct pictures *p) {
    release(&p->ramp_png);
    release(&p->half_png);
    release(&p->black_png);
}

static struct fum_generate_params plain_request(const struct pictures *p, struct kept *kept) {
    return (struct fum_generate_params){.prompt = "a red ship",
                                        .steps = 3,
                                        .guidance = 2,
                                        .sampler = "euler",
                                        .init_image = p->ramp_png,
                                        .mask = p->half_png,
                                        .on_image = keep,
                                        .user = kept};
}

// Counts the pixels of a half of a picture that differ from the ramp.
static int count_changed(const struct kept *kept, const struct pictures *p, int from, int to) {
    int changed = 0;
    for (int y = 0; y < SIDE; y++)
        for (int x = from; x < to; x++)
            changed +=
                memcmp(kept->pixels + 3 * (y * SIDE + x), p->ramp + 3 * (y * SIDE + x), 3) != 0;
    return changed;
}

static void kept_pixels_are_the_pictures(void **state) {
    struct context *c = *state;
    struct fum_error err = {0};
    struct kept kept = {0};
    struct pictures p = make_pictures();
    struct fum_generate_params params = plain_request(&p, &kept);
    fum_pipeline *pipe = pipeline_of(c, "sd1");
    for (int fill = FUM_INPAINT_ORIGINAL; fill <= FUM_INPAINT_ZERO; fill++) {
        params.inpaint_fill = (enum fum_inpaint_fill)fill;
        ok(fum_generate(pipe, &params, &err), &err);
        assert_int_equal(kept.width, SIDE);
        assert_int_equal(count_changed(&kept, &p, 0, SIDE / 2), 0);
        assert_true(count_changed(&kept, &p, SIDE / 2, SIDE) > SIDE);
    }
    params.mask_invert = true;
    ok(fum_generate(pipe, &params, &err), &err);
    assert_int_equal(count_changed(&kept, &p, SIDE / 2, SIDE), 0);
    params.no_mask_composite = true;
    ok(fum_generate(pipe, &params, &err), &err);
    assert_true(count_changed(&kept, &p, SIDE / 2, SIDE) > SIDE);
    params.no_mask_composite = params.mask_invert = false;
    params.only_masked = true;
    params.masked_padding = 1;
    params.width = params.height = 2 * SIDE;
    ok(fum_generate(pipe, &params, &err), &err);
    assert_int_equal(kept.width, SIDE);
    assert_int_equal(count_changed(&kept, &p, 0, SIDE / 2), 0);
    assert_true(count_changed(&kept, &p, SIDE / 2, SIDE) > SIDE);
    kept_free(&kept);
    release_pictures(&p);
}

// A mask without white keeps all, as in diffusers and A1111.
static void a_black_mask_keeps_the_picture(void **state) {
    struct context *c = *state;
    struct fum_error err = {0};
    struct kept kept = {0};
    struct pictures p = make_pictures();
    struct fum_generate_params params = plain_request(&p, &kept);
    params.mask = p.black_png;
    for (int only_masked = 0; only_masked < 2; only_masked++) {
        params.only_masked = only_masked;
        ok(fum_generate(pipeline_of(c, "sd1"), &params, &err), &err);
        assert_int_equal(kept.width, SIDE);
        assert_int_equal(count_changed(&kept, &p, 0, SIDE), 0);
    }
    kept_free(&kept);
    release_pictures(&p);
}

static void a_canvas_grows(void **state) {
    struct context *c = *state;
    struct fum_error err = {0};
    struct kept kept = {0};
    struct pictures p = make_pictures();
    struct fum_generate_params params = plain_request(&p, &kept);
    params.mask = (struct fum_image_source){0};
    params.outpaint[0] = 8;
    params.outpaint[3] = 16;
    ok(fum_generate(pipeline_of(c, "sd1"), &params, &err), &err);
    assert_int_equal(kept.width, SIDE + 8);
    assert_int_equal(kept.height, SIDE + 16);
    for (int y = 0; y < SIDE; y++)
        assert_memory_equal(kept.pixels + 3 * (y * kept.width + 8), p.ramp + 3 * y * SIDE,
                            3 * SIDE);
    kept_free(&kept);
    release_pictures(&p);
}

// Draws with one thing changed. Each is one clear error.
static void refuse(struct context *c, const char *model, const struct fum_generate_params *params,
                   const char *says) {
    struct fum_error err = {0};
    assert_int_not_equal(fum_generate(pipeline_of(c, model), params, &err), FUM_OK);
    if (!strstr(err.text, says)) fail_msg("\"%s\" does not say \"%s\"", err.text, says);
}

static void bad_pictures_are_refused(void **state) {
    struct context *c = *state;
    struct kept kept = {0};
    struct pictures p = make_pictures();
    struct fum_generate_params params = plain_request(&p, &kept);
    params.mask_blur = INFINITY;
    refuse(c, "sd1", &params, "mask_blur is inf");
    params.mask_blur = 0;
    params.strength = 0.1;
    refuse(c, "sd1", &params, "leaves none to take");
    params.strength = -1;
    refuse(c, "sd1", &params, "a strength of 0 leaves no steps");
    params.strength = 0;
    params.max_pixels = 100;
    refuse(c, "sd1", &params, "outside the limits");
    params.max_pixels = 0;
    params.init_image = (struct fum_image_source){.path = "nowhere.png"};
    refuse(c, "sd1", &params, "nowhere.png");
    params.init_image = (struct fum_image_source){.data = "GIF89a", .bytes = 6};
    refuse(c, "sd1", &params, "not a picture");
    params.init_image = (struct fum_image_source){0};
    refuse(c, "sd1", &params, "needs a picture");
    params.mask = (struct fum_image_source){0};
    refuse(c, "inpaint", &params, "inpaints: give a picture");
    refuse(c, "edit", &params, "edits pictures: give one");
    assert_int_equal(kept.count, 0);
    release_pictures(&p);
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
    close_models(c);
    fum_device_destroy(&c->device);
    golden_close(&c->golden);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(runs_from_pictures_match_diffusers),
                                       cmocka_unit_test(runs_in_f16_come_near),
                                       cmocka_unit_test(kept_pixels_are_the_pictures),
                                       cmocka_unit_test(a_black_mask_keeps_the_picture),
                                       cmocka_unit_test(a_canvas_grows),
                                       cmocka_unit_test(bad_pictures_are_refused)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
