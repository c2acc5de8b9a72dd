// SPDX-License-Identifier: MIT
// Checks that the choices that measuring found are kept in memory and on disk, and that a wrong
// file is skipped.
#define _POSIX_C_SOURCE 200809L // mkdtemp

#include "test.h"

#include <fumarole/tuning.h>

#include "base/alloc.h"
#include "base/file.h"
#include "gpu/backend.h"

#include <unistd.h>

static int ignored, kept;

static void on_log(void *user, enum fum_log_level level, const char *message) {
    (void)user, (void)level;
    if (!strstr(message, "tuning")) return;
    if (strstr(message, "is ignored"))
        ignored++;
    else
        kept++;
}

static const struct fum_log quiet = {.fn = on_log, .level = FUM_LOG_INFO};
static char folder[] = "/tmp/fumarole-tuning-XXXXXX";

static fum_device *open_device(void) {
    struct fum_error err = {0};
    fum_device *device = NULL;
    if (fum_device_create(&device, &(struct fum_device_params){.log = &quiet, .cache_dir = folder},
                          &err)) {
        print_message("no device: %s\n", err.text);
        exit(getenv("FUM_REQUIRE_DEVICE") ? EXIT_FAILURE : 77);
    }
    return device;
}

static void choices_replace_each_other(void **state) {
    (void)state;
    fum_device *device = NULL;
    struct fum_error err;
    assert_int_equal(fum_device_create_planning(&device, "v3d", &err), FUM_OK);
    const struct fum_tuned some[] = {{9, 90, 0}, {3, 30, 0}, {UINT64_MAX, 1, 0}},
                           other = {3, 31, 0};
    fum_device_set_tuned(device, some, 3);
    fum_device_set_tuned(device, &other, 1);
    const struct fum_tuning *t = fum_device_tuning(device);
    assert_int_equal(fum_device_tuned(device), 3);
    assert_int_equal(fum_tuning_find(t, 3, 0), 31);
    assert_int_equal(fum_tuning_find(t, 9, 0), 90);
    assert_int_equal(fum_tuning_find(t, UINT64_MAX, 0), 1);
    assert_int_equal(fum_tuning_find(t, 4, 7), 7);
    assert_int_equal(fum_tuning_find(NULL, 4, 7), 7);
    for (int i = 0; i < 2 * FUM_MAX_TUNED; i++)
        fum_device_set_tuned(
            device, &(struct fum_tuned){(uint64_t)i * 7919 % 4096 + 100, (uint32_t)i, 0}, 1);
    assert_int_equal(fum_device_tuned(device), FUM_MAX_TUNED);
    // a planning device keeps nothing
    assert_int_equal(fum_device_save_tuning(device, &err), FUM_OK);
    assert_int_equal(fum_device_forget_tuning(device, &err), FUM_OK);
    assert_int_equal(fum_device_tuned(device), 0);
    fum_device_destroy(&device);
}

// Writes the bytes in place of the file, opens the device: is the file used?
static bool used(const char *path, const char *bytes, size_t size) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    ignored = kept = 0;
    fum_device *device = open_device();
    bool loaded = fum_device_tuned(device) > 0;
    assert_int_equal(ignored + kept, 1);
    assert_int_equal(loaded, kept);
    fum_device_destroy(&device);
    return loaded;
}

static void files_that_are_damaged(void **state) {
    (void)state;
    struct fum_error err = {0};
    const struct fum_tuned some[] = {{1, 2, 0}, {3, 4, 0}};
    fum_device *device = open_device();
    fum_device_set_tuned(device, some, 2);
    assert_int_equal(fum_device_save_tuning(device, &err), FUM_OK);
    char *path = fum_strdup(device->tuning_path), *bytes = NULL;
    fum_device_destroy(&device);
    size_t size = 0;
    assert_int_equal(fum_file_read(path, 4096, &bytes, &size, &err), FUM_OK);
    assert_true(used(path, bytes, size));
    for (size_t i = 0; i < size; i += i < 48 ? 5 : 3) { // any byte of the header or the choices
        bytes[i] ^= 0x10;
        if (used(path, bytes, size)) fail_msg("used although byte %zu is another", i);
        bytes[i] ^= 0x10;
    }
    static const size_t sizes[] = {0, 1, 40, 47, 48, 63, 64, 79};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (used(path, bytes, sizes[i]))
            fail_msg("used although only %zu bytes are left", sizes[i]);
    char *longer = calloc(1, 1 << 20);
    assert_non_null(longer);
    memcpy(longer, bytes, size);
    assert_false(used(path, longer, 1 << 20));
    assert_false(used(path, longer, size + 16));
    free(longer);
    assert_true(used(path, bytes, size));
    fum_free(bytes);
    unlink(path);
    fum_free(path);
}

static int results;
static void on_result(void *user, const struct fum_tune_result *r) {
    (void)user;
    results++;
    assert_true(r->choices >= 2 && r->before_seconds > 0 && r->after_seconds > 0);
    assert_true(r->after_seconds <= r->before_seconds);
    print_message("%s %s: %s %.3g s, then %s %.3g s\n", r->op, r->name, r->before,
                  r->before_seconds, r->after, r->after_seconds);
}

// The smallest shapes of a variant, measured on the device, kept and found again.
static void measure_and_keep(const char *variant, const char *op, enum fum_dtype type,
                             double most_flops) {
    struct fum_error err = {0};
    struct fum_tune_params params = {
        .op = op, .types = 1u << type, .most_flops = most_flops, .on_result = on_result};
    int measured = -1;
    fum_device *device = open_device();
    if (!fum_variant_usable(variant, fum_device_get_info(device), type)) {
        print_message("no %s here\n", variant);
        fum_device_destroy(&device);
        return;
    }
    results = 0;
    assert_int_equal(fum_device_force_variant(device, variant, &err), FUM_OK);
    if (fum_tune(device, &params, &measured, &err)) fail_msg("%s", err.text);
    assert_true(measured >= 1);
    assert_int_equal(results, measured);
    assert_int_equal(fum_device_tuned(device), measured);
    fum_device_destroy(&device);
    device = open_device();
    assert_int_equal(fum_device_tuned(device), measured);
    assert_int_equal(
        fum_tune(device, &(struct fum_tune_params){.op = "no such op"}, &measured, &err),
        FUM_ERR_ARG);
    assert_int_equal(fum_device_forget_tuning(device, &err), FUM_OK);
    fum_device_destroy(&device);
    device = open_device();
    assert_int_equal(fum_device_tuned(device), 0);
    fum_device_destroy(&device);
}

static void measured_and_kept(void **state) {
    (void)state;
    measure_and_keep("tiled", "matmul", FUM_F32, 8e6);
    measure_and_keep("f16", "matmul", FUM_F16, 5e6);
    measure_and_keep("coopmat", "matmul", FUM_F16, 5e6);
    measure_and_keep("coopmat", "attention", FUM_F16, 3e6);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(choices_replace_each_other),
        cmocka_unit_test(files_that_are_damaged),
        cmocka_unit_test(measured_and_kept),
    };
    if (!mkdtemp(folder)) return EXIT_FAILURE;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return failed || system(command) ? EXIT_FAILURE : EXIT_SUCCESS;
}
