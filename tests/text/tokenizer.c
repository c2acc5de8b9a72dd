// Ids against transformers' (tests/data/tokenizer.json, made by tests/golden/tokenizer.py), decoding, cutting and
// padding, folders of every kind, broken vocabularies, and running out of memory anywhere.
#define _POSIX_C_SOURCE 200809L
#define _DEFAULT_SOURCE // mkdtemp
#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"

#include <fumarole/tokenizer.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define TOKEN(text) "{\"content\": \"" text "\", \"lstrip\": false, \"normalized\": true}"
#define SPECIALS "{\"bos_token\": " TOKEN("<|startoftext|>") ", \"eos_token\": " TOKEN("<|endoftext|>") \
    ", \"unk_token\": " TOKEN("<|endoftext|>") ", \"pad_token\": "

struct state {
    char model[1024], folder[1024];
    cJSON *golden;
    fum_tokenizer *emoji;
};

static int setup(void **state) {
    struct state *s = calloc(1, sizeof(*s));
    char path[1200];
    struct fum_error err;
    snprintf(s->model, sizeof(s->model), "%s/models/emoji/tokenizer", getenv("FUM_SOURCE_ROOT"));
    snprintf(path, sizeof(path), "%s/tokenizer.json", getenv("FUM_TEST_DATA"));
    snprintf(s->folder, sizeof(s->folder), "%s/fum-tokenizer-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    *state = s;
    if (!mkdtemp(s->folder)) return -1;
    if (fum_json_read(&s->golden, path, &err) || fum_tokenizer_load_dir(&s->emoji, s->model, &err)) {
        print_error("%s\n", err.text);
        return -1;
    }
    return 0;
}

static const char *const folder_files[] = {"vocab.json", "merges.txt", "tokenizer.json", "tokenizer_config.json",
                                           "special_tokens_map.json", "added_tokens.json"};

static void clear_folder(struct state *s) {
    for (size_t i = 0; i < sizeof(folder_files) / sizeof(folder_files[0]); i++) {
        char path[1200];
        snprintf(path, sizeof(path), "%s/%s", s->folder, folder_files[i]);
        unlink(path);
    }
}

static int teardown(void **state) {
    struct state *s = *state;
    fum_tokenizer_destroy(&s->emoji);
    cJSON_Delete(s->golden);
    clear_folder(s);
    rmdir(s->folder);
    free(s);
    return 0;
}

static void write_file(struct state *s, const char *name, const char *text, size_t bytes) {
    char path[1200];
    snprintf(path, sizeof(path), "%s/%s", s->folder, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, bytes, f), bytes);
    assert_int_equal(fclose(f), 0);
}

static void copy_file(struct state *s, const char *name) {
    char path[1200], *text;
    size_t bytes;
    snprintf(path, sizeof(path), "%s/%s", s->model, name);
    assert_int_equal(fum_file_read(path, 64 << 20, &text, &bytes, NULL), FUM_OK);
    write_file(s, name, text, bytes);
    fum_free(text);
}

// The bytes of a golden string, in `buffer` where they are given in hexadecimal.
static const char *text_of(const cJSON *row, char *buffer, size_t *bytes) {
    const char *text = fum_json_string(row, "t", NULL), *hex = fum_json_string(row, "x", "");
    *bytes = text ? strlen(text) : strlen(hex) / 2;
    if (text) return text;
    for (size_t i = 0; i < *bytes; i++) {
        unsigned byte;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
        buffer[i] = (char)byte;
    }
    return buffer;
}

static bool same_ids(const struct fum_token_ids *ids, const cJSON *expected) {
    if (ids->count != (size_t)cJSON_GetArraySize(expected) + 2) return false;
    size_t i = 1;
    const cJSON *item;
    cJSON_ArrayForEach(item, expected) if (ids->ids[i++] != item->valueint) return false;
    return true;
}

static void print_difference(const fum_tokenizer *t, const char *text, const struct fum_token_ids *ids,
                             const cJSON *expected) {
    char *wanted = cJSON_PrintUnformatted(expected);
    print_error("'%s'\n  expected %s\n  got     ", text, wanted);
    for (size_t i = 0; i < ids->count; i++) print_error(" %d(%s)", (int)ids->ids[i], fum_tokenizer_piece(t, ids->ids[i]));
    print_error("\n");
    free(wanted);
}

// Compares the whole list with the ids under `key` (or "e" where that is left out).
static void check_golden(const struct state *s, const fum_tokenizer *t, const char *key) {
    size_t strings = 0, wrong = 0;
    const cJSON *row;
    cJSON_ArrayForEach(row, cJSON_GetObjectItemCaseSensitive(s->golden, "strings")) {
        char buffer[512];
        size_t bytes;
        const char *text = text_of(row, buffer, &bytes);
        const cJSON *expected = cJSON_GetObjectItemCaseSensitive(row, key);
        if (!expected) expected = cJSON_GetObjectItemCaseSensitive(row, "e");
        struct fum_token_ids ids;
        assert_int_equal(fum_tokenizer_encode(t, text, bytes, &ids, NULL), FUM_OK);
        assert_int_equal(ids.ids[0], fum_tokenizer_start_id(t));
        assert_int_equal(ids.ids[ids.count - 1], fum_tokenizer_end_id(t));
        if (!same_ids(&ids, expected) && wrong++ < 10) print_difference(t, text, &ids, expected);
        fum_token_ids_free(&ids);
        strings++;
    }
    assert_int_equal(wrong, 0);
    assert_true(strings >= 2000);
}

static void test_golden_emoji(void **state) {
    struct state *s = *state;
    check_golden(s, s->emoji, "e");
}

static void test_golden_clip(void **state) {
    fum_tokenizer *t = NULL;
    struct fum_error err;
    enum fum_result result = fum_tokenizer_load_clip(&t, NULL, NULL, &err);
    if (result == FUM_ERR_IO) {
        print_message("skipped: %s\n", err.text);
        skip();
    }
    assert_int_equal(result, FUM_OK);
    assert_int_equal(fum_tokenizer_vocab_size(t), 49408);
    assert_int_equal(fum_tokenizer_find(t, "cat</w>"), 2368);
    assert_int_equal(fum_tokenizer_max_length(t), 77);
    double start = fum_time_now();
    check_golden(*state, t, "c");
    print_message("every string with the CLIP vocabulary: %.1f ms\n", 1e3 * (fum_time_now() - start));
    fum_tokenizer_destroy(&t);
    start = fum_time_now();
    assert_int_equal(fum_tokenizer_load_clip(&t, NULL, &(struct fum_tokenizer_params){.pad = "!"}, NULL), FUM_OK);
    print_message("loading the CLIP vocabulary: %.1f ms\n", 1e3 * (fum_time_now() - start));
    assert_int_equal(fum_tokenizer_pad_id(t), 0);
    fum_tokenizer_destroy(&t);
}

// The folders of Stable Diffusion 1 and 2: special tokens given as objects, the pad token another one.
static void test_golden_folders(void **state) {
    static const char *const maps[2] = {SPECIALS "\"<|endoftext|>\"}", SPECIALS "\"!\"}"};
    static const char *const keys[2] = {"s", "p"};
    struct state *s = *state;
    for (int i = 0; i < 2; i++) {
        fum_tokenizer *t = NULL;
        const char *config = "{\"model_max_length\": 77, \"pad_token\": \"<|endoftext|>\"}";
        clear_folder(s);
        copy_file(s, "vocab.json");
        copy_file(s, "merges.txt");
        write_file(s, "tokenizer_config.json", config, strlen(config));
        write_file(s, "special_tokens_map.json", maps[i], strlen(maps[i]));
        assert_int_equal(fum_tokenizer_load_dir(&t, s->folder, NULL), FUM_OK);
        assert_int_equal(fum_tokenizer_pad_id(t), i ? 0 : fum_tokenizer_end_id(t));
        assert_int_equal(fum_tokenizer_max_length(t), 77);
        check_golden(s, t, keys[i]);
        fum_tokenizer_destroy(&t);
    }
}

// What transformers 5 saves: tokenizer.json and no vocab.json.
static void test_golden_single_file(void **state) {
    struct state *s = *state;
    fum_tokenizer *t = NULL;
    clear_folder(s);
    copy_file(s, "tokenizer.json");
    assert_int_equal(fum_tokenizer_load_dir(&t, s->folder, NULL), FUM_OK);
    assert_int_equal(fum_tokenizer_max_length(t), 0); // no tokenizer_config.json: no limit is known
    check_golden(s, t, "e");
    fum_tokenizer_destroy(&t);
}

static void test_added_tokens(void **state) {
    struct state *s = *state;
    fum_tokenizer *t = NULL;
    const char *added = "{\"<Sks>\": 2813, \"<x y>\": 2814}";
    const int32_t expected[] = {2811, 320, 2813, 321, 2814, 2812};
    clear_folder(s);
    copy_file(s, "vocab.json");
    copy_file(s, "merges.txt");
    write_file(s, "added_tokens.json", added, strlen(added));
    assert_int_equal(fum_tokenizer_load_dir(&t, s->folder, NULL), FUM_OK);
    assert_int_equal(fum_tokenizer_vocab_size(t), 2815);
    assert_string_equal(fum_tokenizer_piece(t, 2814), "<x y>");
    struct fum_token_ids ids;
    const char *text = "a <SKS> b <X  Y>";
    assert_int_equal(fum_tokenizer_encode(t, text, strlen(text), &ids, NULL), FUM_OK);
    assert_int_equal(ids.count, 6);
    assert_memory_equal(ids.ids, expected, sizeof(expected));
    fum_token_ids_free(&ids);
    fum_tokenizer_destroy(&t);
}

static void test_decode(void **state) {
    struct state *s = *state;
    size_t checked = 0;
    const cJSON *row;
    cJSON_ArrayForEach(row, cJSON_GetObjectItemCaseSensitive(s->golden, "strings")) {
        const char *text = fum_json_string(row, "t", NULL), *expected = fum_json_string(row, "d", NULL);
        if (!text || !expected) continue;
        struct fum_token_ids ids;
        char *decoded;
        assert_int_equal(fum_tokenizer_encode(s->emoji, text, strlen(text), &ids, NULL), FUM_OK);
        assert_int_equal(fum_tokenizer_decode(s->emoji, ids.ids + 1, ids.count - 2, &decoded, NULL), FUM_OK);
        assert_string_equal(decoded, expected);
        fum_token_text_free(&decoded);
        fum_token_ids_free(&ids);
        checked++;
    }
    assert_true(checked > 300);
}

static void test_padded(void **state) {
    struct state *s = *state;
    enum { LENGTH = 24 };
    size_t cut = 0;
    const cJSON *row;
    assert_int_equal(fum_tokenizer_max_length(s->emoji), LENGTH);
    cJSON_ArrayForEach(row, cJSON_GetObjectItemCaseSensitive(s->golden, "strings")) {
        const char *text = fum_json_string(row, "t", NULL), *expected = fum_json_string(row, "cut", NULL);
        const cJSON *inner = cJSON_GetObjectItemCaseSensitive(row, "e");
        if (!text) continue;
        int32_t ids[LENGTH + 1] = {[LENGTH] = -7};
        struct fum_token_fit fit;
        int inside = cJSON_GetArraySize(inner), kept = inside < LENGTH - 2 ? inside : LENGTH - 2;
        assert_int_equal(fum_tokenizer_encode_padded(s->emoji, text, strlen(text), 0, ids, &fit, NULL), FUM_OK);
        assert_int_equal(fit.count, inside + 2);
        for (int i = 0; i < kept; i++) assert_int_equal(ids[i + 1], cJSON_GetArrayItem(inner, i)->valueint);
        for (int i = kept + 1; i < LENGTH; i++) assert_int_equal(ids[i], 2812);
        assert_int_equal(ids[LENGTH], -7);
        if (expected) assert_string_equal(fit.cut, expected);
        else assert_null(fit.cut);
        cut += !!expected;
        fum_token_fit_free(&fit);
    }
    assert_true(cut > 100);
    int32_t two[2];
    struct fum_error err;
    assert_int_equal(fum_tokenizer_encode_padded(s->emoji, "cat", 3, 2, two, NULL, NULL), FUM_OK);
    assert_int_equal(two[0], 2811);
    assert_int_equal(two[1], 2812);
    assert_int_equal(fum_tokenizer_encode_padded(s->emoji, "cat", 3, 1, two, NULL, &err), FUM_ERR_ARG);
}

// A word of a million letters must not take time that grows with its square, nor a million marks on one letter.
static void test_long_text(void **state) {
    struct state *s = *state;
    const size_t bytes = FUM_TOKENIZER_MAX_BYTES;
    char *text = malloc(bytes + 1);
    struct fum_token_ids ids;
    struct fum_error err;
    double start = fum_time_now();
    memset(text, 'a', bytes + 1);
    assert_int_equal(fum_tokenizer_encode(s->emoji, text, bytes, &ids, NULL), FUM_OK);
    fum_token_ids_free(&ids);
    for (size_t i = 0; i + 4 <= bytes; i += 4) memcpy(text + i, "\xcc\x81\xcc\xa3", 4); // acute above, dot below
    assert_int_equal(fum_tokenizer_encode(s->emoji, text, bytes, &ids, NULL), FUM_OK);
    fum_token_ids_free(&ids);
    print_message("two texts of 1 MiB: %.0f ms\n", 1e3 * (fum_time_now() - start));
    assert_int_equal(fum_tokenizer_encode(s->emoji, text, bytes + 1, &ids, &err), FUM_ERR_ARG);
    free(text);
}

static void test_pieces(void **state) {
    struct state *s = *state;
    assert_string_equal(fum_tokenizer_piece(s->emoji, 731), "cat</w>");
    assert_int_equal(fum_tokenizer_find(s->emoji, "cat</w>"), 731);
    assert_int_equal(fum_tokenizer_find(s->emoji, "no such piece"), -1);
    assert_int_equal(fum_tokenizer_find(s->emoji, ""), -1);
    assert_null(fum_tokenizer_piece(s->emoji, -1));
    assert_null(fum_tokenizer_piece(s->emoji, 2813));
    assert_int_equal(fum_tokenizer_vocab_size(s->emoji), 2813);
    assert_int_equal(fum_tokenizer_pad_id(s->emoji), 2812);
}

static void test_broken(void **state) {
    (void)state;
    static const struct {
        const char *vocab, *merges, *says;
    } cases[] = {
        {"", "", "not valid JSON"},
        {"[1, 2]", "", "one JSON object"},
        {"{}", "", "one JSON object"},
        {"{\"a\": 0", "", "not valid JSON"},
        {"{\"a\": 0, \"b\": 0}", "", "given twice"},
        {"{\"a\": 0, \"a\": 1}", "", "two ids"},
        {"{\"a\": \"0\"}", "", "not a number"},
        {"{\"a\": -1}", "", "whole number"},
        {"{\"a\": 1.5}", "", "whole number"},
        {"{\"a\": 1e300}", "", "whole number"},
        {"{\"a\": 2147483648}", "", "whole number"},
        {"{\"\": 0}", "", "0 bytes"},
        {"{\"a\": 0, \"b\": 1}", "", "no piece '<|startoftext|>'"},
        {"{\"a\": 0, \"b\": 1}", "a b", "do the two files belong together"},
        {"{\"a\": 0, \"b\": 1}", "a c", "do the two files belong together"},
        {"{\"a\": 0, \"ab\": 1}", "ab", "not two pieces"},
        {"{\"a\": 0, \"ab\": 1}", "a  b", "not two pieces"},
        {"{\"a\": 0, \"ab\": 1}", " a", "do the two files belong together"},
        {"{\"a\": 0, \"ab\": 1}", "#version: 0.2\n\na b c\n", "merge 1 is 'a b c'"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fum_tokenizer *t = NULL;
        struct fum_error err = {0};
        enum fum_result result = fum_tokenizer_create(&t, cases[i].vocab, strlen(cases[i].vocab), cases[i].merges,
                                                      strlen(cases[i].merges), NULL, &err);
        assert_int_equal(result, FUM_ERR_FORMAT);
        assert_null(t);
        if (!strstr(err.text, cases[i].says)) fail_msg("'%s' does not say '%s'", err.text, cases[i].says);
    }
}

// A vocabulary that lacks most bytes: those become the unknown token, one each.
static void test_unknown(void **state) {
    (void)state;
    const char *vocab = "{\"a\": 0, \"b</w>\": 1, \"ab</w>\": 2, \"<|startoftext|>\": 3, \"<|endoftext|>\": 4}";
    const int32_t expected[] = {3, 2, 4, 4, 0, 4, 1, 4};
    fum_tokenizer *t = NULL;
    struct fum_token_ids ids;
    assert_int_equal(fum_tokenizer_create(&t, vocab, strlen(vocab), "a b</w>\r\n", 9, NULL, NULL), FUM_OK);
    assert_int_equal(fum_tokenizer_encode(t, "ab zz ac b", 10, &ids, NULL), FUM_OK);
    assert_int_equal(ids.count, 8);
    assert_memory_equal(ids.ids, expected, sizeof(expected));
    fum_token_ids_free(&ids);
    fum_tokenizer_destroy(&t);
    fum_tokenizer_destroy(&t);
}

static void test_broken_folders(void **state) {
    static const struct {
        const char *name, *text, *says;
    } cases[] = {
        {"tokenizer_config.json", "{", "tokenizer_config.json: not valid JSON"},
        {"tokenizer_config.json", "{\"model_max_length\": 1}", "2 or more"},
        {"tokenizer_config.json", "{\"bos_token\": \"<begin>\"}", "no piece '<begin>'"},
        {"tokenizer_config.json", "{\"added_tokens_decoder\": {\"5\": {\"content\": \"<x>\"}}}", "has id 5, which is that of"},
        {"tokenizer_config.json", "{\"added_tokens_decoder\": {\"9000\": {\"content\": \"<x>\", \"lstrip\": true}}}", "lstrip"},
        {"tokenizer_config.json", "{\"added_tokens_decoder\": {\"99999999\": {\"content\": \"<x>\"}}}", "no id"},
        {"tokenizer_config.json", "{\"added_tokens_decoder\": {\"9000\": 3}}", "no content"},
        {"added_tokens.json", "{\"<x>\": \"y\"}", "added_tokens.json is not"},
        {"added_tokens.json", "{\"\": 9000}", "none empty"},
        {"tokenizer.json", "{\"added_tokens\": [{\"id\": -4, \"content\": \"<x>\"}]}", "no id"},
    };
    struct state *s = *state;
    struct fum_error err;
    fum_tokenizer *t = NULL;
    clear_folder(s);
    assert_int_equal(fum_tokenizer_load_dir(&t, s->folder, &err), FUM_ERR_IO);
    assert_non_null(strstr(err.text, "neither vocab.json"));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        clear_folder(s);
        copy_file(s, "vocab.json");
        copy_file(s, "merges.txt");
        write_file(s, cases[i].name, cases[i].text, strlen(cases[i].text));
        assert_int_not_equal(fum_tokenizer_load_dir(&t, s->folder, &err), FUM_OK);
        assert_null(t);
        if (!strstr(err.text, cases[i].says)) fail_msg("'%s' does not say '%s'", err.text, cases[i].says);
    }
}

static void test_missing_clip(void **state) {
    struct state *s = *state;
    fum_tokenizer *t = NULL;
    struct fum_error err;
    char path[1200];
    snprintf(path, sizeof(path), "%s/none", s->folder);
    assert_int_equal(fum_tokenizer_load_clip(&t, path, NULL, &err), FUM_ERR_IO);
    const char *old = getenv("FUMAROLE_CLIP_VOCAB");
    char *kept = old ? strdup(old) : NULL;
    setenv("FUMAROLE_CLIP_VOCAB", path, 1);
    assert_int_equal(fum_tokenizer_load_clip(&t, NULL, NULL, &err), FUM_ERR_IO);
    assert_non_null(strstr(err.text, "scripts/clip-vocab"));
    if (kept) setenv("FUMAROLE_CLIP_VOCAB", kept, 1);
    else unsetenv("FUMAROLE_CLIP_VOCAB");
    free(kept);
    clear_folder(s);
    write_file(s, "merges.txt", "title\na b</w>\n", 14);
    snprintf(path, sizeof(path), "%s/merges.txt", s->folder);
    assert_int_equal(fum_tokenizer_load_clip(&t, path, NULL, &err), FUM_ERR_FORMAT);
    assert_non_null(strstr(err.text, "scripts/clip-vocab"));
}

// Whatever allocation fails, the answer is "out of memory", and nothing leaks (the sanitizers look).
static void test_out_of_memory(void **state) {
    struct state *s = *state;
    const char *vocab = "{\"a\": 0, \"b</w>\": 1, \"ab</w>\": 2, \"<|startoftext|>\": 3, \"<|endoftext|>\": 4}";
    const char *text = "ab \xcc\x81\xc4\xb0 <|endoftext|> b";
    for (long n = 0, done = 0; !done; n++) {
        assert_true(n < 1000);
        fum_tokenizer *t = NULL;
        struct fum_token_fit fit = {0};
        int32_t ids[4];
        fum_alloc_fail_after(n);
        enum fum_result result = fum_tokenizer_create(&t, vocab, strlen(vocab), "a b</w>", 7, NULL, NULL);
        if (!result) result = fum_tokenizer_encode_padded(t, text, strlen(text), 4, ids, &fit, NULL);
        fum_alloc_fail_after(-1);
        assert_true(result == FUM_OK || result == FUM_ERR_NOMEM);
        done = result == FUM_OK;
        fum_token_fit_free(&fit);
        fum_tokenizer_destroy(&t);
    }
    clear_folder(s);
    write_file(s, "vocab.json", vocab, strlen(vocab));
    write_file(s, "merges.txt", "a b</w>", 7);
    for (long n = 0, done = 0; !done; n++) {
        assert_true(n < 1000);
        fum_tokenizer *t = NULL;
        fum_alloc_fail_after(n);
        enum fum_result result = fum_tokenizer_load_dir(&t, s->folder, NULL);
        fum_alloc_fail_after(-1);
        assert_true(result == FUM_OK || result == FUM_ERR_NOMEM);
        done = result == FUM_OK;
        fum_tokenizer_destroy(&t);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_emoji),   cmocka_unit_test(test_golden_clip),
        cmocka_unit_test(test_golden_folders), cmocka_unit_test(test_golden_single_file),
        cmocka_unit_test(test_added_tokens),   cmocka_unit_test(test_decode),
        cmocka_unit_test(test_padded),         cmocka_unit_test(test_long_text),
        cmocka_unit_test(test_pieces),         cmocka_unit_test(test_broken),
        cmocka_unit_test(test_unknown),        cmocka_unit_test(test_broken_folders),
        cmocka_unit_test(test_missing_clip),   cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
