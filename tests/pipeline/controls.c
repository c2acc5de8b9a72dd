// SPDX-License-Identifier: MIT
// Compares runs with ControlNets and with T2I-adapters with diffusers'
// (tests/golden/controlnets.py, t2i_adapters.py), and checks what is refused.
#define _XOPEN_SOURCE 700
#include "picture.h"

#include "base/file.h"
#include "golden.h"
#include "io/image.h"
#include "io/safetensors.h"

#include <unistd.h>

// A pixel of latents stands for 2 x 2 of the picture.
enum { MAX_NETS = 2, PATH = 1024, SIDE = 28, CHANNELS = 4, MAX_LATENTS = SIDE * SIDE };

// The golden runs of one of the scripts, with the folder of tests/data that has their models.
struct context {
    fum_device *device;
    const char *folder;
    struct golden golden;
};

// A request with its ControlNets.
struct request {
    struct fum_generate_params params;
    struct fum_control controls[MAX_NETS];
    char paths[MAX_NETS][PATH];
    uint8_t *pngs[MAX_NETS];
    float latents[MAX_LATENTS];
    int steps, maps;
    uint8_t map[SIDE * SIDE * 3]; // the last one
};

static size_t count_latents(const struct request *r) {
    return CHANNELS * (size_t)(r->params.width / 2) * (size_t)(r->params.height / 2);
}

static bool keep_latents(void *user, const struct fum_image *image) {
    struct request *r = user;
    assert_int_equal(image->latent_channels * image->latent_height * image->latent_width,
                     count_latents(r));
    memcpy(r->latents, image->latents, count_latents(r) * sizeof *r->latents);
    return true;
}

static bool keep_map(void *user, const struct fum_image *image) {
    struct request *r = user;
    assert_int_equal(image->index, r->maps % r->params.num_controls);
    assert_int_equal(image->width * image->height, r->params.width * r->params.height);
    memcpy(r->map, image->pixels, (size_t)(image->width * image->height * image->channels));
    r->maps++;
    return true;
}

// Makes a folder of links: the model `base` with the UNet `unet`.
static void compose(const struct context *c, char path[PATH], const char *base, const char *unet) {
    static const char *const names[] = {
        "model_index.json", "scheduler",   "text_encoder", "text_encoder_2",
        "tokenizer",        "tokenizer_2", "vae",          "unet"};
    snprintf(path, PATH, "%s/%s/%s", getenv("FUMAROLE_CACHE"), c->folder, base);
    assert_int_equal(fum_path_make_dirs(path, NULL), FUM_OK);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char from[PATH + 64], to[PATH + 64];
        snprintf(from, sizeof from, "%s/model-%s/%s", getenv("FUM_TEST_DATA"), base, names[i]);
        if (!strcmp(names[i], "unet"))
            snprintf(from, sizeof from, "%s/%s/%s", getenv("FUM_TEST_DATA"), c->folder, unet);
        snprintf(to, sizeof to, "%s/%s", path, names[i]);
        unlink(to);
        if (!access(from, R_OK)) assert_int_equal(symlink(from, to), 0);
    }
}

static const char *find_net(const struct context *c, const char *name, char path[PATH]) {
    snprintf(path, PATH, "%s/%s/%s%s", getenv("FUM_TEST_DATA"), c->folder, name,
             strcmp(name, "net-b") ? "" : ".safetensors");
    return path;
}

// Adds a ControlNet of a case with its picture as a PNG in memory.
static void add_control(struct request *r, const struct context *c, int index, const cJSON *spec) {
    int place = r->params.num_controls++;
    struct fum_error err = {0};
    char what[32];
    size_t bytes = 0;
    snprintf(what, sizeof what, "picture.%d", place);
    const struct fum_picture picture = {
        .pixels = golden_tensor(&c->golden, index, what)->view.data, 16, 16, 3, NULL};
    ok(fum_image_encode_png(&picture, &r->pngs[place], &bytes, &err), &err);
    r->controls[place] = (struct fum_control){
        .path = find_net(c, fum_json_string(spec, "net", ""), r->paths[place]),
        .image = {.data = r->pngs[place], .bytes = bytes},
        .strength = (float)fum_json_number(spec, "strength", 0),
        .start = (float)fum_json_number(spec, "start", 0),
        .end = (float)fum_json_number(spec, "end", 0),
    };
}

static void make_request(struct request *r, const struct context *c, int index) {
    const cJSON *spec = cJSON_GetArrayItem(c->golden.cases, index), *net;
    int width = (int)fum_json_number(spec, "width", 16),
        height = (int)fum_json_number(spec, "height", 16);
    *r = (struct request){.params = {.prompt = fum_json_string(spec, "prompt", ""),
                                     .width = width,
                                     .height = height,
                                     .steps = (int)fum_json_number(spec, "steps", 0),
                                     .sampler = fum_json_string(spec, "sampler", NULL),
                                     .guidance = (float)fum_json_number(spec, "guidance", 0),
                                     .noise = golden_values(&c->golden, index, "noise"),
                                     .noise_shape = {1, CHANNELS, height / 2, width / 2},
                                     .on_image = keep_latents,
                                     .on_control = keep_map}};
    cJSON_ArrayForEach(net, cJSON_GetObjectItem(spec, "nets")) add_control(r, c, index, net);
}

static void free_request(struct request *r) {
    for (int i = 0; i < MAX_NETS; i++) fum_free(r->pngs[i]);
}

static enum fum_result draw(fum_pipeline *pipe, struct request *r, struct fum_error *err) {
    r->params.controls = r->controls;
    r->params.user = r;
    return fum_generate(pipe, &r->params, err);
}

static fum_pipeline *open_case(const struct context *c, int index, enum fum_precision precision,
                               fum_model **model) {
    const char *base = fum_json_string(cJSON_GetArrayItem(c->golden.cases, index), "base", "");
    char path[PATH];
    compose(c, path, base, strcmp(base, "sdxl") ? "unet-sd" : "unet-xl");
    *model = open_model(path);
    return open_pipeline(c->device, *model, precision, NULL);
}

static double find_error(const struct context *c, const struct request *r, int index) {
    return relative_rms(r->latents, golden_values(&c->golden, index, "latents"), count_latents(r));
}

static void compare_runs(const struct context *c, enum fum_precision precision, int count) {
    const double bound = precision == FUM_PRECISION_F32 ? 1e-3 : 1e-2;
    int bad = 0;
    assert_true(cJSON_GetArraySize(c->golden.cases) >= count);
    for (int i = 0; i < count; i++) {
        struct fum_error err = {0};
        fum_model *model = NULL;
        fum_pipeline *pipe = open_case(c, i, precision, &model);
        struct request r;
        make_request(&r, c, i);
        ok(draw(pipe, &r, &err), &err);
        print_message("%s %d: latents %.2e\n", c->folder, i, find_error(c, &r, i));
        bad += !(find_error(c, &r, i) <= bound);
        assert_int_equal(r.maps, r.params.num_controls);
        free_request(&r);
        fum_pipeline_destroy(&pipe);
        fum_model_destroy(&model);
    }
    assert_int_equal(bad, 0);
    assert_int_equal(fum_device_validation_messages(c->device), 0);
}

static void controlnets_match_diffusers(void **state) {
    compare_runs(*state, FUM_PRECISION_F32, 7);
}

static void adapters_match_diffusers(void **state) {
    compare_runs((struct context *)*state + 1, FUM_PRECISION_F32, 6);
}

// -40 dB of the latents is less than 35 dB of pictures allow.
static void both_match_in_f16(void **state) {
    struct context *contexts = *state;
    if (!fum_device_get_info(contexts->device)->storage16) skip();
    for (int i = 0; i < 2; i++) compare_runs(&contexts[i], FUM_PRECISION_F16, 1);
}

static void adapters_that_do_not_fit_are_refused(void **state) {
    const struct context *c = (struct context *)*state + 1;
    struct fum_error err = {0};
    struct request r;
    fum_model *model = NULL;
    fum_pipeline *pipe = open_case(c, 2, FUM_PRECISION_F32, &model);
    make_request(&r, c, 2);
    r.params.noise = NULL;
    r.params.width = 18;
    assert_int_equal(draw(pipe, &r, &err), FUM_ERR_ARG);
    assert_non_null(strstr(err.text, "multiples of 4, not 18 x 16"));
    r.params.width = 16;
    r.controls[0].path = find_net(c, "full", r.paths[0]);
    assert_int_equal(draw(pipe, &r, &err), FUM_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "for another family"));
    free_request(&r);
    fum_pipeline_destroy(&pipe);
    fum_model_destroy(&model);
}

// Weights leave with their ControlNet: the picture is the one without it.
static void a_pipeline_changes_its_controlnets(void **state) {
    struct context *c = *state;
    struct fum_error err = {0};
    fum_model *model = NULL;
    fum_pipeline *pipe = open_case(c, 0, FUM_PRECISION_F32, &model);
    struct request first, second, plain;
    char file[PATH + 64];
    make_request(&first, c, 0);
    make_request(&second, c, 1);
    plain = first;
    plain.params.num_controls = 0;
    ok(draw(pipe, &plain, &err), &err);
    assert_true(find_error(c, &plain, 0) > 1e-2);
    ok(draw(pipe, &first, &err), &err);
    assert_true(find_error(c, &first, 0) <= 1e-3);
    ok(draw(pipe, &second, &err), &err);
    assert_true(find_error(c, &second, 1) <= 1e-3);
    // The weights alone take the configuration of the model's UNet.
    snprintf(file, sizeof file, "%s/diffusion_pytorch_model.safetensors", first.paths[0]);
    first.controls[0].path = file;
    ok(draw(pipe, &first, &err), &err);
    assert_true(find_error(c, &first, 0) <= 1e-3);
    struct request none = plain;
    ok(draw(pipe, &none, &err), &err);
    assert_memory_equal(none.latents, plain.latents, sizeof none.latents);
    first.controls[0].strength = -1;
    ok(draw(pipe, &first, &err), &err);
    assert_true(relative_rms(first.latents, plain.latents, count_latents(&first)) <= 1e-5);
    free_request(&first);
    free_request(&second);
    fum_pipeline_destroy(&pipe);
    fum_model_destroy(&model);
}

// Makes a folder of the Hugging Face cache whose only revision is the ControlNet net-a.
static void make_cache(const struct context *c, char path[PATH]) {
    char net[PATH], to[PATH + 64];
    struct fum_error err = {0};
    snprintf(path, PATH, "%s/%s/models--x--net", getenv("FUMAROLE_CACHE"), c->folder);
    snprintf(to, sizeof to, "%s/refs/main", path);
    ok(fum_file_save(to, "abc\n", 4, &err), &err);
    snprintf(to, sizeof to, "%s/snapshots", path);
    ok(fum_path_make_dirs(to, &err), &err);
    snprintf(to, sizeof to, "%s/snapshots/abc", path);
    unlink(to);
    assert_int_equal(symlink(find_net(c, "net-a", net), to), 0);
}

static void a_controlnet_may_lie_in_the_cache(void **state) {
    const struct context *c = *state;
    struct fum_error err = {0};
    struct request r;
    fum_model *model = NULL;
    fum_pipeline *pipe = open_case(c, 0, FUM_PRECISION_F32, &model);
    make_request(&r, c, 0);
    make_cache(c, r.paths[0]);
    ok(draw(pipe, &r, &err), &err);
    assert_true(find_error(c, &r, 0) <= 1e-3);
    free_request(&r);
    fum_pipeline_destroy(&pipe);
    fum_model_destroy(&model);
}

// Encodes a picture of noise, or a mask that is white in a box, around which `cut` pixels are left.
static uint8_t *make_png(int channels, int cut, size_t *bytes) {
    enum { WHOLE = 32, BOX = 8, LAST = 24 };
    uint8_t pixels[WHOLE * WHOLE * 3], *png = NULL, *at = pixels;
    const int first = cut < 0 ? 0 : BOX - cut, last = cut < 0 ? WHOLE : LAST + cut;
    struct fum_error err = {0};
    for (int y = first; y < last; y++)
        for (int x = first; x < last; x++)
            for (int c = 0; c < channels; c++) {
                bool inside = y >= BOX && y < LAST && x >= BOX && x < LAST;
                *at++ = channels == 1 ? 255 * inside : (uint8_t)(x * x * 7 + y * 53 + c * 91);
            }
    const struct fum_picture picture = {
        .pixels = pixels, .width = last - first, .height = last - first, .channels = channels};
    ok(fum_image_encode_png(&picture, &png, bytes, &err), &err);
    return png;
}

// Draws the part around a mask. `cut`: whether the pictures are cut to it here.
static void draw_part(fum_pipeline *pipe, struct request *r, bool cut) {
    struct fum_error err = {0};
    struct fum_image_source *const to[] = {&r->controls[0].image, &r->params.init_image,
                                           &r->params.mask};
    uint8_t *pngs[3];
    for (int i = 0; i < 3; i++) {
        size_t bytes = 0;
        pngs[i] = make_png(i < 2 ? 3 : 1, cut ? 0 : -1, &bytes);
        *to[i] = (struct fum_image_source){.data = pngs[i], .bytes = bytes};
    }
    r->params.only_masked = !cut;
    r->params.masked_padding = cut ? 0 : -1;
    ok(draw(pipe, r, &err), &err);
    for (int i = 0; i < 3; i++) fum_free(pngs[i]);
}

// The picture of a ControlNet is cut as the picture that is drawn in part.
static void a_part_is_steered_by_its_part(void **state) {
    struct context *c = *state;
    fum_model *model = NULL;
    fum_pipeline *pipe = open_case(c, 0, FUM_PRECISION_F32, &model);
    struct request whole, part;
    make_request(&whole, c, 0);
    part = whole;
    draw_part(pipe, &part, true);
    draw_part(pipe, &whole, false);
    assert_memory_equal(whole.map, part.map, 16 * 16 * 3);
    assert_true(relative_rms(whole.latents, part.latents, count_latents(&part)) == 0);
    free_request(&whole);
    fum_pipeline_destroy(&pipe);
    fum_model_destroy(&model);
}

// A ControlNet that works in a part of the steps takes as many dispatches as one that works in
// all of them.
static void start_and_end_record_nothing_anew(void **state) {
    struct context *c = *state;
    struct fum_error err = {0};
    struct fum_pipeline_stats stats[2];
    fum_model *model = NULL;
    fum_pipeline *pipe = open_case(c, 0, FUM_PRECISION_F32, &model);
    struct request r;
    make_request(&r, c, 0);
    ok(draw(pipe, &r, &err), &err);
    fum_pipeline_get_stats(pipe, &stats[0]);
    r.controls[0].start = 0.2f;
    r.controls[0].end = 0.8f;
    r.controls[0].preprocess = "canny:20:60";
    ok(draw(pipe, &r, &err), &err);
    fum_pipeline_get_stats(pipe, &stats[1]);
    assert_int_equal(stats[1].kernels, 0);
    assert_int_equal(stats[0].unet.dispatches[FUM_STAGE_STEP],
                     stats[1].unet.dispatches[FUM_STAGE_STEP]);
    for (size_t i = 0; i < sizeof r.map; i++) assert_true(r.map[i] == 0 || r.map[i] == 255);
    free_request(&r);
    fum_pipeline_destroy(&pipe);
    fum_model_destroy(&model);
}

static void what_does_not_fit_is_refused(void **state) {
    static const struct {
        const char *net, *preprocess;
        float start, end;
        const char *says;
    } cases[] = {
        {"net-xl", NULL, 0, 1, "is for another family than the model sd1"},
        {"unet-sd", NULL, 0, 1, "a UNet2DConditionModel, where --control-net takes"},
        {"net-a/config.json", NULL, 0, 1, "config.json"},
        {"unet-sd/diffusion_pytorch_model.safetensors", NULL, 0, 1, "not a ControlNet"},
        {"nothing", NULL, 0, 1, "nothing"},
        {"net-a", "sepia", 0, 1, "cannot be prepared by \"sepia\""},
        {"net-a", "canny:1", 0, 1, "cannot be prepared by \"canny:1\""},
        {"net-a", NULL, 0.5f, 0.4f, "from 0.5 to 0.4 of the steps"},
        {"net-a", NULL, -1, 1, "from -1 to 1"},
    };
    struct context *c = *state;
    fum_model *model = NULL;
    fum_pipeline *pipe = open_case(c, 0, FUM_PRECISION_F32, &model);
    struct request r;
    make_request(&r, c, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fum_error err = {0};
        struct fum_control *control = &r.controls[0];
        control->path = find_net(c, cases[i].net, r.paths[0]);
        control->preprocess = cases[i].preprocess;
        control->start = cases[i].start;
        control->end = cases[i].end;
        assert_true(draw(pipe, &r, &err) != FUM_OK);
        if (!strstr(err.text, cases[i].says)) fail_msg("%s", err.text);
    }
    struct fum_error err = {0};
    r.controls[0] = (struct fum_control){.path = find_net(c, "net-a", r.paths[0])};
    assert_int_equal(draw(pipe, &r, &err), FUM_ERR_ARG);
    assert_non_null(strstr(err.text, "needs a path and a picture"));
    free_request(&r);
    fum_pipeline_destroy(&pipe);
    fum_model_destroy(&model);
}

static int set_up(void **state) {
    static struct context contexts[] = {{.folder = "controls"}, {.folder = "t2i"}};
    fum_device *device = open_device(true);
    *state = contexts;
    for (int i = 0; i < 2; i++) {
        char name[32];
        snprintf(name, sizeof name, "%s/golden", contexts[i].folder);
        golden_open(&contexts[i].golden, name);
        contexts[i].device = device;
    }
    return 0;
}

static int tear_down(void **state) {
    struct context *contexts = *state;
    fum_device_destroy(&contexts[0].device);
    for (int i = 0; i < 2; i++) golden_close(&contexts[i].golden);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(controlnets_match_diffusers),
                                       cmocka_unit_test(adapters_match_diffusers),
                                       cmocka_unit_test(both_match_in_f16),
                                       cmocka_unit_test(adapters_that_do_not_fit_are_refused),
                                       cmocka_unit_test(a_pipeline_changes_its_controlnets),
                                       cmocka_unit_test(a_controlnet_may_lie_in_the_cache),
                                       cmocka_unit_test(a_part_is_steered_by_its_part),
                                       cmocka_unit_test(start_and_end_record_nothing_anew),
                                       cmocka_unit_test(what_does_not_fit_is_refused)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
