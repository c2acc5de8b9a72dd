// SPDX-License-Identifier: MIT
// The 49,408-piece CLIP vocabulary, when it is installed (scripts/clip-vocab); skipped when it is
// not.
#define _XOPEN_SOURCE 700
#include "test.h"

#include "base/file.h"
#include "text/golden.h"

#include <unistd.h>

static void ids_match_transformers(void **state) {
    (void)state;
    cJSON *golden = golden_load();
    fum_tokenizer *t = NULL;
    struct fum_error err;
    if (fum_tokenizer_load_clip(&t, NULL, NULL, &err)) fail_msg("%s", err.text);
    assert_int_equal(fum_tokenizer_vocab_size(t), 49408);
    assert_int_equal(fum_tokenizer_find(t, "cat</w>"), 2368);
    assert_int_equal(fum_tokenizer_max_length(t), 77);
    double start = fum_time_now();
    golden_check(golden, t, "c");
    print_message("every string with the CLIP vocabulary: %.1f ms\n",
                  1e3 * (fum_time_now() - start));
    fum_tokenizer_destroy(&t);
    start = fum_time_now();
    assert_int_equal(
        fum_tokenizer_load_clip(&t, NULL, &(struct fum_tokenizer_params){.pad = "!"}, NULL),
        FUM_OK);
    print_message("loading the CLIP vocabulary: %.1f ms\n", 1e3 * (fum_time_now() - start));
    assert_int_equal(fum_tokenizer_pad_id(t), 0);
    fum_tokenizer_destroy(&t);
    cJSON_Delete(golden);
}

static void a_missing_vocabulary_names_its_places(void **state) {
    (void)state;
    fum_tokenizer *t = NULL;
    struct fum_error err;
    char path[1200];
    snprintf(path, sizeof(path), "%s/fum-clip-XXXXXX",
             getenv("TMPDIR") ? getenv("TMPDIR") : P_tmpdir);
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "title\na b</w>\n", 14), 14);
    close(fd);
    assert_int_equal(fum_tokenizer_load_clip(&t, path, NULL, &err), FUM_ERR_FORMAT);
    assert_non_null(strstr(err.text, "fumarole-clip-vocab"));
    unlink(path);
    assert_int_equal(fum_tokenizer_load_clip(&t, path, NULL, &err), FUM_ERR_IO);
    const char *old = getenv("FUMAROLE_CLIP_VOCAB");
    char *kept = old ? strdup(old) : NULL;
    setenv("FUMAROLE_CLIP_VOCAB", path, 1);
    assert_int_equal(fum_tokenizer_load_clip(&t, NULL, NULL, &err), FUM_ERR_IO);
    assert_non_null(strstr(err.text, "fumarole-clip-vocab"));
    if (kept)
        setenv("FUMAROLE_CLIP_VOCAB", kept, 1);
    else
        unsetenv("FUMAROLE_CLIP_VOCAB");
    free(kept);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(ids_match_transformers)};
    const struct CMUnitTest without[] = {cmocka_unit_test(a_missing_vocabulary_names_its_places)};
    fum_tokenizer *t = NULL;
    struct fum_error err;
    if (cmocka_run_group_tests_name("without the vocabulary", without, NULL, NULL)) return 1;
    if (fum_tokenizer_load_clip(&t, NULL, NULL, &err) == FUM_ERR_IO) {
        print_message("skipped: %s\n", err.text);
        return 77;
    }
    fum_tokenizer_destroy(&t);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
