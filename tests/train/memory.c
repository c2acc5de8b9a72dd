// SPDX-License-Identifier: MIT
// Plans adapters of Stable Diffusion on devices that are only limits: the device memory of a step.
#define _DEFAULT_SOURCE // mkdtemp
#include "replayed.h"

#include "model/random_model.h"
#include "train/training.h"

static const double gib = 1 << 30;

static double total(const struct fum_training_size *size) {
    return (double)(size->activations + size->weights + size->parameters);
}

static fum_device *open_planning(const char *name) {
    struct fum_error err = {0};
    fum_device *device = NULL;
    ok(fum_device_create_planning(&device, name, &err), &err);
    return device;
}

// ---- the shapes of a real model ----

// A training of an adapter that has everything but a folder.
static void open_adapter(struct fum_training *t, const char *const *settings, int count) {
    struct fum_error err = {0};
    t->arena = fum_arena_create();
    t->recipe = fum_recipe_find("lora");
    t->config = fum_arena_alloc(t->arena, 1, t->recipe->config_size);
    t->width = t->height = 512;
    t->channels = 3;
    ok(fum_settings_create(&t->settings, t->arena, "lora", fum_recipe_text("lora"), &err), &err);
    for (int i = 0; i < count; i++) ok(fum_settings_assign(&t->settings, settings[i], &err), &err);
    ok(fum_train_read_options(t, &err), &err);
    t->ranks.count = 1;
    ok(fum_train_divide_batch(t, &err), &err);
    ok(fum_random_model_create(&t->model, "sd1.5", &err), &err);
    ok(t->recipe->configure(t, &err), &err);
}

static void close_adapter(struct fum_training *t) {
    fum_graph_destroy(&t->now->graph);
    fum_model_destroy(&t->model);
    fum_settings_free(&t->settings);
    fum_arena_destroy(&t->arena);
}

static double plan_adapter(const char *device, const char *const *settings, int count) {
    struct fum_error err = {0};
    struct fum_training_size size;
    struct fum_train_recording recording = {.width = 512, .height = 512};
    struct fum_training t = {.device = open_planning(device), .now = &recording};
    open_adapter(&t, settings, count);
    ok(fum_train_plan(&t, &size, &err), &err);
    close_adapter(&t);
    fum_device_destroy(&t.device);
    print_message("%s %s: activations %.2f GiB, weights %.2f, parameters %.2f\n", device,
                  settings[count - 1], (double)size.activations / gib, (double)size.weights / gib,
                  (double)size.parameters / gib);
    return total(&size) / gib;
}

// Rank 8, 512×512, batch 1, f16.
static void sd15_fits_small_devices(void **state) {
    static const char *const devices[] = {"amd-rdna2", "intel-xe"};
    static const char *const settings[] = {"train.precision=f16", "train.checkpointing=true"};
    (void)state;
    for (size_t i = 0; i < FUM_COUNT(devices); i++) {
        double all = plan_adapter(devices[i], settings, 1),
               blocks = plan_adapter(devices[i], settings, 2);
        if (!(all <= 4 && blocks <= 3.5 && blocks < all))
            fail_msg("%s: %.2f GiB, by blocks %.2f", devices[i], all, blocks);
    }
}

// ---- what a small one shows of them ----

static struct fum_training_size measure(struct replayed *r, const char *precision,
                                        const char *other) {
    struct fum_error err = {0};
    struct fum_training_size size;
    struct fum_training_params params = replayed_params(r, "planned");
    const char *settings[MAX_SETTINGS + 2];
    memcpy(settings, r->settings, r->num_settings * sizeof *settings);
    settings[params.num_settings++] = precision;
    if (other) settings[params.num_settings++] = other;
    params.settings = settings;
    fum_device *device = open_planning("amd-rdna2");
    ok(fum_training_measure(&size, device, &params, &err), &err);
    fum_device_destroy(&device);
    return size;
}

// Frozen weights have no copy in f32, and parameters none in f16.
static void weights_are_stored_once(void **state) {
    struct replayed r;
    char path[512];
    (void)state;
    const char *data = getenv("FUM_TEST_DATA");
    snprintf(path, sizeof path, "%s/train_lora.safetensors", data ? data : "tests/data");
    open_replayed(&r, path);
    struct fum_training_size wide = measure(&r, "train.precision=f32", NULL),
                             narrow = measure(&r, "train.precision=f16", NULL),
                             blocks =
                                 measure(&r, "train.precision=f16", "train.checkpointing=true");
    // Each small weight ends at an alignment.
    assert_true((double)narrow.weights < 0.75 * (double)wide.weights);
    assert_int_equal(narrow.parameters, wide.parameters);
    assert_true(blocks.activations < narrow.activations);
    assert_int_equal(blocks.weights, narrow.weights);
    assert_int_not_equal(access(replayed_path(&r, "planned"), F_OK), 0);
    close_replayed(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(sd15_fits_small_devices),
                                       cmocka_unit_test(weights_are_stored_once)};
    return cmocka_run_group_tests_name("train-memory", tests, NULL, NULL);
}
