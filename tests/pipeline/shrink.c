// SPDX-License-Identifier: MIT
// Shortens weights while they are read, as when a model is downloaded again in place. This is an
// error on every way that weights take to the device, and finished pictures are kept.
#define _DEFAULT_SOURCE // mkdtemp, truncate
#include "picture.h"

#include "base/file.h"

#include <unistd.h>

static char folder[1024], unet[1200];
static uint64_t unet_bytes;

static int set_up(void **state) {
    (void)state;
    char command[4096];
    struct fum_file *file = NULL;
    struct fum_error err = {0};
    snprintf(folder, sizeof folder, "%s/fum-shrink-XXXXXX",
             getenv("TMPDIR") ? getenv("TMPDIR") : P_tmpdir);
    assert_non_null(mkdtemp(folder));
    snprintf(command, sizeof command, "cp -r '%s'/* '%s'", emoji_path(), folder);
    assert_int_equal(system(command), 0);
    snprintf(unet, sizeof unet, "%s/unet/diffusion_pytorch_model.safetensors", folder);
    ok(fum_file_open(&file, unet, &err), &err);
    unet_bytes = fum_file_size(file);
    fum_file_close(&file);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    char command[1200];
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    return system(command);
}

// When the file is cut.
enum when { BEFORE_LOADING, AFTER_A_STEP, AFTER_A_PICTURE };

struct run {
    enum when when;
    struct kept kept;
};

static void cut(void) {
    assert_int_equal(truncate(unet, (off_t)unet_bytes / 4), 0);
}

static bool on_step(void *user, int image, int step, int steps) {
    (void)image, (void)steps;
    struct run *run = user;
    if (run->when == AFTER_A_STEP && step == 1) cut();
    return true;
}

static bool on_image(void *user, const struct fum_image *image) {
    struct run *run = user;
    if (run->when == AFTER_A_PICTURE) cut();
    return keep(&run->kept, image);
}

static void shrinks(enum when when, uint64_t budget, unsigned without, int finished) {
    struct run run = {.when = when};
    struct fum_error err = {0};
    fum_device *device = NULL;
    fum_pipeline *pipe = NULL;
    if (fum_device_create_without(&device, &(struct fum_device_params){.validate = true}, without,
                                  &err)) {
        fprintf(stderr, "%s\n", err.text);
        exit(getenv("FUM_REQUIRE_DEVICE") ? 1 : 77);
    }
    fum_model *model = open_model(folder);
    struct fum_pipeline_params params = {.precision = FUM_PRECISION_F32, .memory_budget = budget};
    struct fum_generate_params g = {.prompt = "cat",
                                    .width = 32,
                                    .height = 32,
                                    .steps = 3,
                                    .count = 2,
                                    .on_step = on_step,
                                    .on_image = on_image,
                                    .user = &run};
    if (when == BEFORE_LOADING) cut();
    enum fum_result result = fum_pipeline_create(&pipe, device, model, &params, &err);
    if (!result) result = fum_generate(pipe, &g, &err);
    assert_int_equal(result, FUM_ERR_IO);
    if (!strstr(err.text, unet) || !strstr(err.text, "it now has ")) fail_msg("%s", err.text);
    assert_int_equal(run.kept.count, finished);
    kept_free(&run.kept);
    fum_pipeline_destroy(&pipe);
    assert_int_equal(fum_device_memory_used(device), 0);
    assert_int_equal(fum_device_validation_messages(device), 0);
    fum_device_destroy(&device);
    fum_model_destroy(&model);
    // Whole again: sparse, but of the same length.
    assert_int_equal(truncate(unet, (off_t)unet_bytes), 0);
}

static void while_loading(void **state) {
    (void)state;
    shrinks(BEFORE_LOADING, 0, 0, 0);
    shrinks(BEFORE_LOADING, 0, FUM_WITHOUT_UNIFIED, 0);
}

static void while_streaming(void **state) {
    (void)state;
    shrinks(AFTER_A_STEP, 12 << 20, 0, 0);
    shrinks(AFTER_A_STEP, 60 << 20, FUM_WITHOUT_UNIFIED, 0);
    shrinks(AFTER_A_PICTURE, 12 << 20, 0, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(while_loading),
                                       cmocka_unit_test(while_streaming)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
