// SPDX-License-Identifier: MIT
// The benchmark: its statistics, its parts on the device at hand (briefly), and how it ends early.
#include "open.h"

#include "bench/bench.h"
#include "model/random_model.h"

static fum_device *device;

static void quartiles(void **state) {
    (void)state;
    static const double values[] = {9, 1, 4, 2, 3};
    struct fum_samples samples = {0};
    struct fum_bench_samples out;
    fum_arena *arena = fum_arena_create();
    for (int i = 0; i < 5; i++) assert_true(fum_samples_add(&samples, values[i]));
    assert_true(fum_samples_finish(&samples, arena, &out));
    assert_int_equal(out.count, 5);
    assert_true(out.median == 3 && out.low == 2 && out.high == 4);
    assert_true(out.values[0] == 9 && out.values[4] == 3); // in the order of measuring
    assert_true(fum_samples_add(&samples, 5));
    assert_true(fum_samples_finish(&samples, arena, &out));
    assert_true(out.median == 3.5 && fum_samples_median(&samples) == 3.5);
    fum_samples_free(&samples);
    assert_true(fum_samples_finish(&samples, arena, &out));
    assert_int_equal(out.count, 0);
    fum_arena_destroy(&arena);
}

static void in_order(const struct fum_bench_samples *s) {
    assert_true(s->count > 0);
    assert_true(s->low > 0 && s->low <= s->median && s->median <= s->high);
}

static struct fum_bench_report *measure(const struct fum_bench_params *params) {
    struct fum_error err = {0};
    struct fum_bench_report *report = NULL;
    ok(fum_bench(device, params, &report, &err), &err);
    assert_true(report->complete);
    return report;
}

static void limits(void **state) {
    (void)state;
    struct fum_bench_report *report =
        measure(&(struct fum_bench_params){.parts = FUM_BENCH_LIMITS, .repeats = 2});
    bool fma = false, copy = false;
    assert_int_equal(report->num_ops, 0);
    for (int i = 0; i < report->num_limits; i++) {
        const struct fum_bench_limit *l = &report->limits[i];
        assert_true(l->name && l->unit && l->what && l->value.count >= 2);
        if (!l->lower_is_better) in_order(&l->value);
        fma = fma || !strcmp(l->name, "fma f32");
        copy = copy || !strcmp(l->name, "copy");
    }
    assert_true(fma && copy);
    fum_bench_report_free(&report);
    assert_null(report);
}

static void one_op(void **state) {
    (void)state;
    struct fum_bench_report *report =
        measure(&(struct fum_bench_params){.parts = FUM_BENCH_OPS,
                                           .op = "layer_norm",
                                           .types = 1u << FUM_F32 | 1u << FUM_BF16,
                                           .seconds = 60,
                                           .repeats = 2});
    int types[FUM_DTYPE_COUNT] = {0};
    assert_true(report->num_ops > 0);
    for (int i = 0; i < report->num_ops; i++) {
        const struct fum_bench_op *op = &report->ops[i];
        assert_string_equal(op->op, "layer_norm");
        in_order(&op->seconds);
        in_order(&op->of_roof);
        assert_true(op->bytes > 0 && op->dispatches > 0);
        types[op->type]++;
    }
    assert_true(types[FUM_F32] > 0 && types[FUM_BF16] > 0);
    fum_bench_report_free(&report);
}

static void smallest_model(void **state) {
    (void)state;
    struct fum_bench_report *report =
        measure(&(struct fum_bench_params){.parts = FUM_BENCH_MODELS,
                                           .models = "emoji",
                                           .width = 64,
                                           .height = 32,
                                           .precision = FUM_PRECISION_F32,
                                           .seconds = 1,
                                           .repeats = 1});
    assert_int_equal(report->num_models, 1);
    const struct fum_bench_model *m = report->models;
    assert_null(m->note); // values were finite, all parts ran
    in_order(&m->text);
    in_order(&m->step);
    in_order(&m->decode);
    in_order(&m->encode);
    assert_true(m->width == 64 && m->height == 32 && m->type == FUM_F32 && m->steps == 20);
    assert_true(m->pictures > 0 && m->step_flops > 0 && m->dispatches > 0);
    assert_true(m->memory_peak >= m->planned_unet + m->planned_vae);
    fum_bench_report_free(&report);
}

// The same weights every time.
static void random_weights_repeat(void **state) {
    (void)state;
    struct fum_error err = {0};
    fum_model *models[2] = {NULL};
    struct fum_view views[2];
    for (int i = 0; i < 2; i++) {
        ok(fum_random_model_create(&models[i], "emoji", &err), &err);
        const struct fum_weight_source *source = &fum_model_get_view(models[i])->unet_weights;
        assert_true(source->find(source->user, "conv_in.weight", &views[i]));
        assert_false(source->find(source->user, "conv_in.wait", &views[i]));
    }
    assert_true(views[0].dim[0] == 64 && views[0].dim[1] == 4 && views[0].dim[2] == 3 &&
                views[0].dim[3] == 3);
    assert_memory_equal(views[0].data, views[1].data, 64 * 4 * 9 * 2);
    uint64_t parameters = fum_random_model_parameters(models[0]);
    assert_int_equal(parameters, 14344571); // as many as the shipped model has
    for (int i = 0; i < 2; i++) fum_model_destroy(&models[i]);
    ok(fum_random_model_create(&models[0], "sd1.5", &err), &err);
    // UNet, VAE, text
    assert_int_equal(fum_random_model_parameters(models[0]), 859520964 + 83653863 + 123060480);
    fum_model_destroy(&models[0]);
    assert_int_equal(fum_random_model_create(&models[0], "emojis", &err), FUM_ERR_ARG);
}

static bool stop_later(void *user) {
    int *left = user;
    return (*left)-- <= 0;
}

// At whatever point it is stopped, what was measured until then is there.
static void stopped(void **state) {
    (void)state;
    for (int after = 0; after < 60; after += after < 8 ? 4 : 26) {
        int left = after;
        struct fum_error err = {0};
        struct fum_bench_report *report = NULL;
        struct fum_bench_params params = {.op = "rms_norm",
                                          .models = "emoji",
                                          .width = 32,
                                          .repeats = 1,
                                          .user = &left,
                                          .cancel = stop_later};
        enum fum_result r = fum_bench(device, &params, &report, &err);
        if (r) {
            assert_int_equal(r, FUM_ERR_CANCELLED);
            assert_false(report->complete);
        }
        assert_non_null(report);
        fum_bench_report_free(&report);
    }
}

static void refusals(void **state) {
    (void)state;
    struct fum_error err = {0};
    struct fum_bench_report *report = NULL;
    assert_int_equal(
        fum_bench(device, &(struct fum_bench_params){.op = "no such op"}, &report, &err),
        FUM_ERR_ARG);
    assert_int_equal(fum_bench(device, &(struct fum_bench_params){.models = "sd9"}, &report, &err),
                     FUM_ERR_ARG);
    assert_int_equal(fum_bench(device,
                               &(struct fum_bench_params){
                                   .parts = FUM_BENCH_MODELS, .models = "emoji", .width = 31},
                               &report, &err),
                     FUM_ERR_ARG);
    assert_null(report);
    fum_device *planning = NULL;
    ok(fum_device_create_planning(&planning, "lavapipe", &err), &err);
    assert_int_equal(fum_bench(planning, NULL, &report, &err), FUM_ERR_UNSUPPORTED);
    fum_device_destroy(&planning);
}

int main(void) {
    need_device();
    device = open_without(0);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quartiles), cmocka_unit_test(limits),
        cmocka_unit_test(one_op),    cmocka_unit_test(smallest_model),
        cmocka_unit_test(stopped),   cmocka_unit_test(random_weights_repeat),
        cmocka_unit_test(refusals),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    fum_device_destroy(&device);
    return failed;
}
