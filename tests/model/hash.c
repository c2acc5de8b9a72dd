// SPDX-License-Identifier: MIT
// A model's hash against digests of its files made here, and the cache of large files.
#define _DEFAULT_SOURCE // mkdtemp, setenv, utimes
#include "test.h"

#include "model/model_hash.h"

#include "base/file.h"
#include "base/macros.h"
#include "base/sha256.h"
#include "model/components.h"

#include <sys/time.h>
#include <unistd.h>

enum { LARGE_BYTES = 65 << 20 };

static void digest(const void *data, size_t bytes, char text[FUM_SHA256_TEXT]) {
    struct fum_sha256 sha;
    fum_sha256_begin(&sha);
    fum_sha256_add(&sha, data, bytes);
    fum_sha256_end(&sha, text);
}

static void digest_file(const char *path, char text[FUM_SHA256_TEXT]) {
    char *data = NULL;
    size_t bytes = 0;
    struct fum_error err = {0};
    if (fum_file_read(path, 256 << 20, &data, &bytes, &err)) fail_msg("%s", err.text);
    digest(data, bytes, text);
    fum_free(data);
}

static void a_folder_is_its_files_in_order(void **state) {
    (void)state;
    static const char *const files[] = {"text_encoder/model", "unet/diffusion_pytorch_model",
                                        "vae/diffusion_pytorch_model"};
    char path[1200], digests[3 * FUM_SHA256_TEXT] = "", wanted[FUM_SHA256_TEXT];
    struct fum_error err = {0};
    struct fum_model_hash *hash = NULL;
    fum_model *model = NULL;
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/model-sd1/%s.safetensors", getenv("FUM_TEST_DATA"),
                 files[i]);
        digest_file(path, digests + strlen(digests));
    }
    digest(digests, strlen(digests), wanted);
    snprintf(path, sizeof path, "%s/model-sd1", getenv("FUM_TEST_DATA"));
    if (fum_model_open(&model, &(struct fum_model_params){.path = path}, &err))
        fail_msg("%s", err.text);
    assert_int_equal(fum_model_hash_begin(&hash, model, &err), FUM_OK);
    assert_string_equal(fum_model_hash_wait(hash, NULL, NULL), wanted);
    // once more: nothing changes
    assert_string_equal(fum_model_hash_wait(hash, NULL, NULL), wanted);
    fum_model_hash_end(&hash);
    assert_int_equal(fum_model_hash_begin(&hash, model, &err), FUM_OK);
    fum_model_hash_end(&hash); // stopped early
    fum_model_destroy(&model);
}

// Counts down the calls that go on.
static bool count_down(void *user) {
    int *calls = user;
    return --*calls > 0;
}

// Writes a safetensors file of one tensor of bytes `value`.
static void write_large(const char *path, int value) {
    char head[128];
    int n = snprintf(head, sizeof head,
                     "{\"t\":{\"dtype\":\"U8\",\"shape\":[%d],\"data_offsets\":[0,%d]}}",
                     LARGE_BYTES, LARGE_BYTES);
    uint8_t length[8] = {(uint8_t)n};
    char *data = malloc(LARGE_BYTES);
    assert_non_null(data);
    memset(data, value, LARGE_BYTES);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_true(fwrite(length, 1, 8, file) == 8 && fwrite(head, 1, (size_t)n, file) == (size_t)n);
    assert_true(fwrite(data, 1, LARGE_BYTES, file) == LARGE_BYTES);
    assert_int_equal(fclose(file), 0);
    free(data);
}

// The hash of a single file, through a model that is nothing but that file.
static void hash_file(const char *path, char text[FUM_SHA256_TEXT]) {
    struct fum_error err = {0};
    struct fum_model_hash *hash = NULL;
    fum_model model = {0};
    if (fum_loader_open(&model.file, path, &err)) fail_msg("%s", err.text);
    assert_int_equal(fum_model_hash_begin(&hash, &model, &err), FUM_OK);
    snprintf(text, FUM_SHA256_TEXT, "%s", fum_model_hash_wait(hash, NULL, NULL));
    fum_model_hash_end(&hash);
    fum_loader_close(&model.file);
}

// A file that replaces a component of a single file is none of the model's own.
static void replaced_components_do_not_count(void **state) {
    (void)state;
    static const char *const names[] = {"model-tiny-original/decoder.safetensors",
                                        "model-sd1/unet/diffusion_pytorch_model.safetensors"};
    char path[1024], wanted[FUM_SHA256_TEXT];
    struct fum_error err = {0};
    struct fum_model_hash *hash = NULL;
    fum_model model = {.num_components = 1};
    snprintf(path, sizeof path, "%s/%s", getenv("FUM_TEST_DATA"), names[0]);
    digest_file(path, wanted);
    if (fum_loader_open(&model.file, path, &err)) fail_msg("%s", err.text);
    snprintf(path, sizeof path, "%s/%s", getenv("FUM_TEST_DATA"), names[1]);
    if (fum_loader_open(&model.components[0].own_loader, path, &err)) fail_msg("%s", err.text);
    assert_int_equal(fum_model_hash_begin(&hash, &model, &err), FUM_OK);
    assert_string_equal(fum_model_hash_wait(hash, NULL, NULL), wanted);
    fum_model_hash_end(&hash);
    fum_loader_close(&model.components[0].own_loader);
    fum_loader_close(&model.file);
}

static void a_hash_to_find_is_checked(void **state) {
    (void)state;
    static const char *const wrong[] = {"", "0123abcd", "0123456789abcdefg", "0123456789ABCDEF"};
    for (size_t i = 0; i < FUM_COUNT(wrong); i++) {
        fum_model *model;
        struct fum_error err = {0};
        assert_int_equal(fum_model_open_hash(&model, NULL, wrong[i], &err), FUM_ERR_ARG);
        assert_null(model);
    }
}

// A wait that is cancelled gives nothing; the next one goes on from there.
static void waiting_can_be_cancelled(void **state) {
    (void)state;
    char path[1024], wanted[FUM_SHA256_TEXT];
    struct fum_error err = {0};
    struct fum_model_hash *hash = NULL;
    fum_model model = {0};
    snprintf(path, sizeof path, "%s/model-sd1/unet/diffusion_pytorch_model.safetensors",
             getenv("FUM_TEST_DATA"));
    digest_file(path, wanted);
    if (fum_loader_open(&model.file, path, &err)) fail_msg("%s", err.text);
    assert_int_equal(fum_model_hash_begin(&hash, &model, &err), FUM_OK);
    int calls = 1;
    const char *digest = fum_model_hash_wait(hash, count_down, &calls);
    assert_true(digest == NULL || calls == 1); // the thread may have been faster
    calls = 100;
    assert_string_equal(fum_model_hash_wait(hash, count_down, &calls), wanted);
    fum_model_hash_end(&hash);
    fum_loader_close(&model.file);
}

static void spoil_cache(const char *folder) {
    char command[1200];
    snprintf(command, sizeof command, "cd '%s' && sed -i 's/[0-9a-f]*$/%064d/' sha256-*.txt",
             folder, 0);
    assert_int_equal(system(command), 0);
}

// The digest of a large file is read from the cache until the file changes.
static void large_files_are_read_once(void **state) {
    (void)state;
    char folder[1024], path[1100], first[FUM_SHA256_TEXT], got[FUM_SHA256_TEXT],
        zeros[FUM_SHA256_TEXT];
    snprintf(folder, sizeof folder, "%s/fum-hash-XXXXXX",
             getenv("TMPDIR") ? getenv("TMPDIR") : P_tmpdir);
    assert_non_null(mkdtemp(folder));
    setenv("FUMAROLE_CACHE", folder, 1);
    snprintf(path, sizeof path, "%s/large.safetensors", folder);
    snprintf(zeros, sizeof zeros, "%064d", 0);
    write_large(path, 1);
    digest_file(path, first);
    hash_file(path, got);
    assert_string_equal(got, first);
    spoil_cache(folder);
    hash_file(path, got);
    assert_string_equal(got, zeros); // nothing but the cache says so
    const struct timeval long_ago[2] = {{1000000000, 0}, {1000000000, 0}};
    assert_int_equal(utimes(path, long_ago), 0);
    hash_file(path, got);
    assert_string_equal(got, first);
    write_large(path, 2);
    digest_file(path, first);
    hash_file(path, got);
    assert_string_equal(got, first);
    char command[1200];
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    assert_int_equal(system(command), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_folder_is_its_files_in_order),
                                       cmocka_unit_test(replaced_components_do_not_count),
                                       cmocka_unit_test(a_hash_to_find_is_checked),
                                       cmocka_unit_test(waiting_can_be_cancelled),
                                       cmocka_unit_test(large_files_are_read_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
