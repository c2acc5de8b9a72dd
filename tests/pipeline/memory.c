// SPDX-License-Identifier: MIT
// Memory budgets: weights streamed beside the computation, parts that leave the device, decoding in
// bands. The device's own counter says whether the budget was kept.
#include "picture.h"

#include "pipeline/bands.h"
#include "pipeline/budget.h"

#define MIB(n) ((uint64_t)((n) * (1 << 20)))

struct outcome {
    struct kept kept;
    struct lines lines;
    struct fum_pipeline_stats stats;
    enum fum_result result;
    struct fum_error err;
};

static const char *weight_type;

// A run of the emoji model on a device of its own, with a budget in bytes (0: none).
static void generate(struct outcome *o, uint64_t budget, unsigned without, int count) {
    struct fum_device_params device_params = {.validate = true};
    fum_device *device = NULL;
    fum_pipeline *pipe = NULL;
    memset(o, 0, sizeof *o);
    if (fum_device_create_without(&device, &device_params, without, &o->err)) {
        fprintf(stderr, "%s\n", o->err.text);
        exit(getenv("FUM_REQUIRE_DEVICE") ? 1 : 77);
    }
    struct fum_log log = {keep_line, &o->lines, FUM_LOG_INFO};
    fum_model *model = open_model(emoji_path());
    struct fum_pipeline_params params = {.precision = FUM_PRECISION_F32,
                                         .memory_budget = budget,
                                         .weights = weight_type,
                                         .log = &log};
    ok(fum_pipeline_create(&pipe, device, model, &params, &o->err), &o->err);
    struct fum_generate_params g = {.prompt = "a smiling cat face",
                                    .width = 64,
                                    .height = 64,
                                    .steps = 3,
                                    .seed = 5,
                                    .count = count,
                                    .on_image = keep,
                                    .user = &o->kept};
    o->result = fum_generate(pipe, &g, &o->err);
    fum_pipeline_get_stats(pipe, &o->stats);
    fum_pipeline_destroy(&pipe);
    assert_int_equal(fum_device_memory_used(device), 0);
    assert_int_equal(fum_device_validation_messages(device), 0);
    fum_device_destroy(&device);
    fum_model_destroy(&model);
}

static void assert_same_picture(const struct outcome *a, const struct outcome *b) {
    assert_int_equal(a->kept.count, b->kept.count);
    assert_memory_equal(a->kept.latents, b->kept.latents, a->kept.latent_count * sizeof(float));
    assert_memory_equal(a->kept.pixels, b->kept.pixels, a->kept.bytes);
}

static struct outcome free_run; // without a budget

static int set_up(void **state) {
    (void)state;
    generate(&free_run, 0, 0, 1);
    ok(free_run.result, &free_run.err);
    return 0;
}

// Budgets below the weights: the same bits, and never a byte more than allowed.
static void budget(uint64_t bytes, unsigned without, const char *what) {
    struct outcome o;
    generate(&o, bytes, without, 1);
    ok(o.result, &o.err);
    print_message("%s, %.1f MiB: %.1f MiB at the most; UNet: %.1f MiB stay, %.1f MiB streamed at "
                  "every step in %d pieces\n",
                  what, (double)bytes / MIB(1), (double)o.stats.memory_peak / MIB(1),
                  (double)o.stats.unet.weight_bytes / MIB(1),
                  (double)o.stats.unet.streamed_bytes[FUM_STAGE_STEP] / MIB(1),
                  o.stats.unet.segments[FUM_STAGE_STEP]);
    assert_true(o.stats.memory_peak <= bytes);
    assert_true(o.stats.unet.streamed_bytes[FUM_STAGE_STEP] > 0);
    assert_true(o.stats.unet.segments[FUM_STAGE_STEP] > 2);
    assert_non_null(strstr(o.lines.text, "are streamed"));
    assert_same_picture(&free_run, &o);
    kept_free(&o.kept);
}

static void every_budget_gives_the_same_bits(void **state) {
    (void)state;
    print_message("no budget: %.1f MiB\n", (double)free_run.stats.memory_peak / MIB(1));
    assert_true(free_run.stats.memory_peak > MIB(40));
    budget(MIB(30), 0, "in place");
    budget(MIB(12), 0, "in place");
    // The staging ring and the kernel that repacks take 48 MiB of these.
    budget(MIB(60), FUM_WITHOUT_UNIFIED, "through the host's memory");
    budget(MIB(64), FUM_WITHOUT_UNIFIED | FUM_WITHOUT_TIMELINE,
           "through the host's memory, with fences");
}

// The smallest budget is named, and works.
static void the_smallest_budget_is_named_and_works(void **state) {
    (void)state;
    static const unsigned without[] = {0, FUM_WITHOUT_UNIFIED};
    for (int i = 0; i < 2; i++) {
        struct outcome o;
        unsigned long long mib = 0;
        generate(&o, MIB(1), without[i], 1);
        assert_int_equal(o.result, FUM_ERR_NOMEM);
        print_message("%s\n", o.err.text);
        const char *named = strstr(o.err.text, "the smallest that works is ");
        assert_non_null(named);
        assert_int_equal(sscanf(named, "the smallest that works is %lluMiB", &mib), 1);
        kept_free(&o.kept);
        budget(MIB(mib), without[i], "the smallest");
        generate(&o, MIB(mib - 1), without[i], 1);
        assert_int_equal(o.result, FUM_ERR_NOMEM);
        kept_free(&o.kept);
    }
}

// A part leaves the device and comes back.
static void parts_leave_the_device_and_come_back(void **state) {
    (void)state;
    struct outcome all, few;
    generate(&all, 0, 0, 2);
    generate(&few, MIB(12), 0, 2);
    ok(all.result, &all.err);
    ok(few.result, &few.err);
    assert_same_picture(&all, &few);
    assert_true(few.stats.memory_peak <= MIB(12));
    assert_non_null(strstr(few.lines.text, "unet leaves the device, to make room for vae"));
    kept_free(&all.kept);
    kept_free(&few.kept);
}

// A decoding that leaves the UNet where it was does not keep it there for good: what cannot do
// without its memory gets it.
static void a_decoding_keeps_the_unet_only_while_there_is_room(void **state) {
    (void)state;
    struct fum_error err = {0};
    struct kept kept = {0};
    fum_model *model = open_model(emoji_path());
    fum_device *device = open_device(true);
    fum_pipeline *pipe = NULL;
    struct fum_pipeline_params params = {.precision = FUM_PRECISION_F32, .memory_budget = MIB(56)};
    ok(fum_pipeline_create(&pipe, device, model, &params, &err), &err);
    struct fum_generate_params g = {
        .prompt = "cat", .width = 64, .height = 64, .steps = 1, .on_image = keep, .user = &kept};
    ok(fum_generate(pipe, &g, &err), &err);
    struct fum_component *encoder = &pipe->components[0];
    assert_true(pipe->unet->kept && pipe->unet->compiled.exe);        // else this tests nothing
    assert_true(fum_budget_room(encoder, MIB(20), MIB(1)) < MIB(20)); // streaming will do
    assert_non_null(pipe->unet->compiled.exe);
    assert_true(fum_budget_room(encoder, MIB(20), MIB(16)) >= MIB(16));
    kept_free(&kept);
    fum_pipeline_destroy(&pipe);
    fum_device_destroy(&device);
    fum_model_destroy(&model);
}

// Room for everything: nothing leaves, nothing is streamed. "auto" finds that much on any machine
// that runs this test.
static void with_room_for_everything_nothing_leaves(void **state) {
    (void)state;
    static const uint64_t budgets[] = {MIB(100), FUM_MEMORY_AUTO};
    for (int i = 0; i < 2; i++) {
        struct outcome o;
        generate(&o, budgets[i], 0, 1);
        ok(o.result, &o.err);
        assert_same_picture(&free_run, &o);
        assert_null(strstr(o.lines.text, "leaves"));
        assert_null(strstr(o.lines.text, "streamed"));
        if (i) assert_non_null(strstr(o.lines.text, "memory: a budget of"));
        kept_free(&o.kept);
    }
}

// Weights of 8 bits: less memory, nearly the same picture, and the same bits when they are
// streamed.
static void weights_of_8_bits_take_less_memory(void **state) {
    (void)state;
    struct outcome whole, streamed;
    weight_type = "q8_0";
    generate(&whole, 0, 0, 1);
    generate(&streamed, MIB(8), 0, 1);
    weight_type = NULL;
    ok(whole.result, &whole.err);
    ok(streamed.result, &streamed.err);
    assert_same_picture(&whole, &streamed);
    assert_true(streamed.stats.unet.streamed_bytes[FUM_STAGE_STEP] > 0);
    double error = 0;
    for (size_t i = 0; i < whole.kept.bytes; i++) {
        double d = (double)whole.kept.pixels[i] - free_run.kept.pixels[i];
        error += d * d / (double)whole.kept.bytes;
    }
    double psnr = 10 * log10(255.0 * 255.0 / error);
    print_message("q8_0: UNet's weights %.1f MiB of %.1f, PSNR %.1f dB\n",
                  (double)whole.stats.unet.weight_bytes / MIB(1),
                  (double)free_run.stats.unet.weight_bytes / MIB(1), psnr);
    assert_true(psnr >= 30);
    assert_true(whole.stats.unet.weight_bytes + MIB(10) < free_run.stats.unet.weight_bytes);
    kept_free(&whole.kept);
    kept_free(&streamed.kept);
}

// The device is lost, or memory runs out, at any call. The error comes back from whichever thread
// met it, and nothing is left behind.
static void failures_come_back_from_every_thread(void **state) {
    (void)state;
    static const unsigned without[] = {0, FUM_WITHOUT_UNIFIED};
    struct fum_device_params device_params = {.validate = true};
    fum_model *model = open_model(emoji_path());
    for (int way = 0; way < 2; way++) {
        int failures = 0;
        for (int after = 0, ended = 0; !ended; after += after / 3 + 37) {
            enum fum_injection what =
                failures % 2 ? FUM_INJECT_DEVICE_MEMORY : FUM_INJECT_DEVICE_LOST;
            struct fum_error err = {0};
            fum_device *device = NULL;
            fum_pipeline *pipe = NULL;
            struct kept kept = {0};
            ok(fum_device_create_without(&device, &device_params, without[way], &err), &err);
            struct fum_pipeline_params params = {.precision = FUM_PRECISION_F32,
                                                 .memory_budget = MIB(way ? 60 : 12)};
            ok(fum_pipeline_create(&pipe, device, model, &params, &err), &err);
            fum_device_inject(device, after, what);
            struct fum_generate_params g = {.prompt = "cat",
                                            .width = 64,
                                            .height = 64,
                                            .steps = 2,
                                            .on_image = keep,
                                            .user = &kept};
            enum fum_result result = fum_generate(pipe, &g, &err);
            ended = !result;
            if (result) {
                failures++;
                if (result != FUM_ERR_DEVICE && result != FUM_ERR_NOMEM) fail_msg("%s", err.text);
                assert_true(err.text[0]);
            }
            kept_free(&kept);
            fum_pipeline_destroy(&pipe);
            assert_int_equal(fum_device_memory_used(device), 0);
            fum_device_destroy(&device);
        }
        print_message("%d failures\n", failures);
        assert_true(failures >= 3);
    }
    fum_model_destroy(&model);
}

// ---- bands ----

struct bands_case {
    const char *model;
    int height, width; // latent pixels
    enum fum_precision precision;
    uint64_t room;
    double bound; // on the largest difference of values in [-1, 1]
};

static void bands(fum_device *device, const struct bands_case *c) {
    struct fum_error err = {0};
    fum_model *model = open_model(c->model);
    fum_pipeline *pipe = open_pipeline(device, model, c->precision, NULL);
    int factor = fum_vae_factor(&pipe->view->vae);
    size_t count = (size_t)(3 * factor * factor * c->height * c->width);
    size_t latents = (size_t)(pipe->view->vae.latent_channels * c->height * c->width);
    float *z = malloc(latents * sizeof *z), *whole = malloc(count * sizeof *whole),
          *banded = malloc(count * sizeof *banded);
    uint32_t state = 99;
    for (size_t i = 0; i < latents; i++) {
        state = state * 1664525u + 1013904223u;
        z[i] = ((float)(state >> 8) * 0x1p-24f - 0.5f) * 3;
    }
    ok(fum_decode_values(pipe, &(struct fum_latents){z, c->height, c->width}, whole, &err), &err);
    struct fum_pipeline_stats before, after;
    fum_pipeline_get_stats(pipe, &before);
    fum_compiled_clear(&pipe->vae->compiled);
    struct fum_bands in = {.height = c->height, .width = c->width, .room = c->room};
    ok(fum_bands_decode(pipe, &in, z, banded, &err), &err);
    fum_pipeline_get_stats(pipe, &after);
    double most = 0;
    for (size_t i = 0; i < count; i++) {
        double d = fabs((double)whole[i] - banded[i]);
        if (!(d <= most)) most = d;
    }
    print_message("%dx%d %s in %.0f KiB: activations %.0f KiB, whole %.0f KiB; largest difference "
                  "%.2g/255 (%.1f%% of the work)\n",
                  factor * c->width, factor * c->height,
                  c->precision == FUM_PRECISION_F32 ? "f32" : "f16", (double)c->room / 1024,
                  (double)after.vae.activation_bytes / 1024,
                  (double)before.vae.activation_bytes / 1024, most / 2 * 255,
                  100 * after.vae.flops[FUM_STAGE_STEP] / before.vae.flops[FUM_STAGE_STEP]);
    assert_string_equal(in.bad, "");
    assert_true(after.vae.activation_bytes < before.vae.activation_bytes);
    assert_true(most <= c->bound);
    free(z);
    free(whole);
    free(banded);
    fum_pipeline_destroy(&pipe);
    fum_model_destroy(&model);
}

static void bands_match_the_whole(void **state) {
    (void)state;
    char tiny[1024], emoji[1024];
    snprintf(tiny, sizeof tiny, "%s", tiny_path());
    snprintf(emoji, sizeof emoji, "%s", emoji_path());
    // 1/255 of the picture's range is 2/255 here.
    const struct bands_case cases[] = {
        {tiny, 24, 32, FUM_PRECISION_F32, 300 << 10, 1e-4},
        {tiny, 17, 5, FUM_PRECISION_F32, 1, 1e-4},
        {tiny, 24, 32, FUM_PRECISION_F16, 150 << 10, 0.004},
        {emoji, 16, 16, FUM_PRECISION_F32, 2 << 20, 1e-4},
        {emoji, 16, 24, FUM_PRECISION_F32, 1, 1e-4},
        {emoji, 16, 16, FUM_PRECISION_F16, 1, 0.004},
    };
    fum_device *device = open_device(true);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (cases[i].precision != FUM_PRECISION_F16 || fum_device_get_info(device)->storage16)
            bands(device, &cases[i]);
    assert_int_equal(fum_device_memory_used(device), 0);
    assert_int_equal(fum_device_validation_messages(device), 0);
    fum_device_destroy(&device);
}

// The budget chooses bands by itself, keeps to it with weights and all, and a device without
// host-visible memory does the same. vae_tiling forces the same way where the whole would fit.
static void the_budget_chooses_bands(void **state) {
    (void)state;
    static const struct {
        unsigned without;
        uint64_t budget; // 0: forced
    } cases[] = {{0, MIB(4)}, {0, MIB(3)}, {FUM_WITHOUT_UNIFIED, MIB(48 + 4)}, {0, 0}};
    enum { SIDE = 16, PIXELS = 3 * 8 * SIDE * 8 * SIDE };
    float *z = calloc(4 * SIDE * SIDE, sizeof *z), *whole = malloc(PIXELS * sizeof *whole),
          *values = malloc(PIXELS * sizeof *values);
    fum_model *model = open_model(emoji_path());
    for (int i = 0; i < 4 * SIDE * SIDE; i++) z[i] = sinf((float)i * 0.7f) * 2;
    for (int i = -1; i < (int)(sizeof cases / sizeof *cases); i++) {
        struct fum_error err = {0};
        struct lines lines = {0};
        struct fum_log log = {keep_line, &lines, FUM_LOG_INFO};
        fum_device *device = NULL;
        fum_pipeline *pipe = NULL;
        ok(fum_device_create_without(&device, &(struct fum_device_params){.validate = true},
                                     i < 0 ? 0 : cases[i].without, &err),
           &err);
        struct fum_pipeline_params params = {.precision = FUM_PRECISION_F32, .log = &log};
        if (i >= 0) params.memory_budget = cases[i].budget, params.vae_tiling = !cases[i].budget;
        ok(fum_pipeline_create(&pipe, device, model, &params, &err), &err);
        ok(fum_decode_values(pipe, &(struct fum_latents){z, SIDE, SIDE}, i < 0 ? whole : values,
                             &err),
           &err);
        struct fum_pipeline_stats stats;
        fum_pipeline_get_stats(pipe, &stats);
        assert_int_equal(pipe->decoder.way, i < 0 ? FUM_DECODE_WHOLE : FUM_DECODE_BANDS);
        double most = 0;
        for (int k = 0; k < PIXELS && i >= 0; k++)
            most = fmax(most, fabs((double)whole[k] - (double)values[k]));
        assert_true(most <= 1e-4);
        if (i >= 0) {
            assert_non_null(strstr(lines.text, "in bands of rows"));
            print_message("budget %.0f MiB: %.1f MiB at the most, largest difference %.2g\n",
                          (double)cases[i].budget / MIB(1), (double)stats.memory_peak / MIB(1),
                          most);
            if (cases[i].budget) assert_true(stats.memory_peak <= cases[i].budget);
        }
        fum_pipeline_destroy(&pipe);
        assert_int_equal(fum_device_memory_used(device), 0);
        assert_int_equal(fum_device_validation_messages(device), 0);
        fum_device_destroy(&device);
    }
    free(z);
    free(whole);
    free(values);
    fum_model_destroy(&model);
}

static int tear_down(void **state) {
    (void)state;
    kept_free(&free_run.kept);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_budget_gives_the_same_bits),
        cmocka_unit_test(the_smallest_budget_is_named_and_works),
        cmocka_unit_test(parts_leave_the_device_and_come_back),
        cmocka_unit_test(a_decoding_keeps_the_unet_only_while_there_is_room),
        cmocka_unit_test(with_room_for_everything_nothing_leaves),
        cmocka_unit_test(weights_of_8_bits_take_less_memory),
        cmocka_unit_test(failures_come_back_from_every_thread),
        cmocka_unit_test(bands_match_the_whole),
        cmocka_unit_test(the_budget_chooses_bands)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
