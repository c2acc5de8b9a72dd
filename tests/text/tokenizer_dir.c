// SPDX-License-Identifier: MIT
// Tokenizer folders: of Stable Diffusion 1 and 2, of transformers 5, with added tokens, broken
// ones.
#define _POSIX_C_SOURCE 200809L
#define _DEFAULT_SOURCE // mkdtemp
#include "test.h"

#include "base/alloc.h"
#include "base/file.h"
#include "text/golden.h"
#include "text/tokenizer.h"

#include <unistd.h>

#define TOKEN(text) "{\"content\": \"" text "\", \"lstrip\": false, \"normalized\": true}"
#define SPECIALS                                                           \
    "{\"bos_token\": " TOKEN("<|startoftext|>") ", \"eos_token\": " TOKEN( \
        "<|endoftext|>") ", \"unk_token\": " TOKEN("<|endoftext|>") ", \"pad_token\": "

struct state {
    char model[1024], folder[1024];
    cJSON *golden;
};

static int setup(void **state) {
    static struct state s;
    *state = &s;
    s.golden = golden_load();
    snprintf(s.model, sizeof(s.model), "%s/models/emoji/tokenizer", getenv("FUM_SOURCE_ROOT"));
    snprintf(s.folder, sizeof(s.folder), "%s/fum-tokenizer-XXXXXX",
             getenv("TMPDIR") ? getenv("TMPDIR") : P_tmpdir);
    return mkdtemp(s.folder) ? 0 : -1;
}

static const char *const folder_files[] = {"vocab.json",
                                           "merges.txt",
                                           "tokenizer.json",
                                           "tokenizer_config.json",
                                           "special_tokens_map.json",
                                           "added_tokens.json"};

static void clear_folder(struct state *s) {
    for (size_t i = 0; i < sizeof(folder_files) / sizeof(folder_files[0]); i++) {
        char path[1200];
        snprintf(path, sizeof(path), "%s/%s", s->folder, folder_files[i]);
        unlink(path);
    }
}

static int teardown(void **state) {
    struct state *s = *state;
    cJSON_Delete(s->golden);
    clear_folder(s);
    rmdir(s->folder);
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

// The folders of Stable Diffusion 1 and 2: special tokens given as objects, the pad token another
// one.
static void ids_of_stable_diffusion_folders_match(void **state) {
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
        golden_check(s->golden, t, keys[i]);
        fum_tokenizer_destroy(&t);
    }
}

// What transformers 5 saves: tokenizer.json and no vocab.json.
static void ids_of_a_single_file_match(void **state) {
    struct state *s = *state;
    fum_tokenizer *t = NULL;
    clear_folder(s);
    copy_file(s, "tokenizer.json");
    assert_int_equal(fum_tokenizer_load_dir(&t, s->folder, NULL), FUM_OK);
    assert_int_equal(fum_tokenizer_max_length(t), 0); // no tokenizer_config.json: no limit is known
    golden_check(s->golden, t, "e");
    fum_tokenizer_destroy(&t);
}

static void added_tokens_are_whole(void **state) {
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

// An embedding of several vectors is called by its first token; written out by hand it stays as it
// is.
static void a_token_of_several_vectors_has_its_first_name(void **state) {
    static const struct {
        const char *text;
        int32_t ids[8];
        const char *cut;
    } cases[] = {
        {"a frida b", {2811, 320, 2813, 2814, 2815, 321, 2812, 2812}, NULL},
        {"a frida frida_1 frida_2 b", {2811, 320, 2813, 2814, 2815, 321, 2812, 2812}, NULL},
        {"frida_1", {2811, 2814, 2812, 2812, 2812, 2812, 2812, 2812}, NULL},
        {"lone a", {2811, 2816, 320, 2812, 2812, 2812, 2812, 2812}, NULL},
        {"a frida frida", {2811, 320, 2813, 2814, 2815, 2813, 2814, 2812}, "frida_2"},
    };
    struct state *s = *state;
    fum_tokenizer *t = NULL;
    const char *added =
        "{\"frida\": 2813, \"frida_1\": 2814, \"frida_2\": 2815, \"lone\": 2816, \"lone_2\": 2817}";
    clear_folder(s);
    copy_file(s, "vocab.json");
    copy_file(s, "merges.txt");
    write_file(s, "added_tokens.json", added, strlen(added));
    assert_int_equal(fum_tokenizer_load_dir(&t, s->folder, NULL), FUM_OK);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int32_t ids[8];
        struct fum_token_fit fit;
        size_t bytes = strlen(cases[i].text);
        assert_int_equal(
            fum_tokenizer_encode_prompt(t, &(struct fum_padded_text){cases[i].text, bytes, 8}, ids,
                                        &fit, NULL),
            FUM_OK);
        assert_memory_equal(ids, cases[i].ids, sizeof(ids));
        if (cases[i].cut)
            assert_non_null(strstr(fit.cut, cases[i].cut));
        else
            assert_null(fit.cut);
        fum_token_fit_free(&fit);
    }
    // What transformers' tokenizer gives stays as it is.
    struct fum_token_ids plain;
    assert_int_equal(fum_tokenizer_encode(t, "frida", 5, &plain, NULL), FUM_OK);
    assert_int_equal(plain.count, 3);
    fum_token_ids_free(&plain);
    fum_tokenizer_destroy(&t);
}

// A word of an embedding counts in any case, and only as a whole word, for all its ids.
static void a_word_stands_for_its_ids(void **state) {
    static const struct {
        const char *text;
        int32_t ids[8];
    } cases[] = {
        {"a Frida b", {2811, 320, 3000, 3001, 321, 2812, 2812, 2812}},
        {"(FRIDA)", {2811, -1, 3000, 3001, -1, 2812, 2812, 2812}},
        {"b", {2811, 321, 2812, 2812, 2812, 2812, 2812, 2812}},
        {"frida_1", {2811, 3000, 3001, -1, -1, 2812, 2812, 2812}},
    };
    struct state *s = *state;
    fum_tokenizer *t = NULL;
    assert_int_equal(fum_tokenizer_load_dir(&t, s->model, NULL), FUM_OK);
    assert_int_equal(fum_tokenizer_add_word(t, "Frida", 3000, 2, NULL), FUM_OK);
    assert_int_equal(fum_tokenizer_add_word(t, "rid", 4000, 1, NULL), FUM_OK);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int32_t ids[8];
        struct fum_token_fit fit;
        const struct fum_padded_text text = {cases[i].text, strlen(cases[i].text), 8};
        assert_int_equal(fum_tokenizer_encode_prompt(t, &text, ids, &fit, NULL), FUM_OK);
        for (int k = 0; k < 8; k++) // -1: whatever piece
            if (cases[i].ids[k] >= 0) assert_int_equal(ids[k], cases[i].ids[k]);
        fum_token_fit_free(&fit);
    }
    struct fum_token_ids inside;
    assert_int_equal(fum_tokenizer_encode(t, "afrida fridas", 13, &inside, NULL), FUM_OK);
    for (size_t i = 0; i < inside.count; i++) assert_true(inside.ids[i] < 3000);
    fum_token_ids_free(&inside);
    assert_int_equal(fum_tokenizer_vocab_size(t), 4001);
    fum_tokenizer_destroy(&t);
}

static void broken_folders_are_refused(void **state) {
    static const struct {
        const char *name, *text, *says;
    } cases[] = {
        {"tokenizer_config.json", "{", "tokenizer_config.json: not valid JSON"},
        {"tokenizer_config.json", "{\"model_max_length\": 1}", "2 or more"},
        {"tokenizer_config.json", "{\"bos_token\": \"<begin>\"}", "no piece '<begin>'"},
        {"tokenizer_config.json", "{\"added_tokens_decoder\": {\"5\": {\"content\": \"<x>\"}}}",
         "has id 5, which belongs to"},
        {"tokenizer_config.json",
         "{\"added_tokens_decoder\": {\"9000\": {\"content\": \"<x>\", \"lstrip\": true}}}",
         "lstrip"},
        {"tokenizer_config.json",
         "{\"added_tokens_decoder\": {\"99999999\": {\"content\": \"<x>\"}}}", "no id"},
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
        if (!strstr(err.text, cases[i].says))
            fail_msg("'%s' does not say '%s'", err.text, cases[i].says);
    }
}

// Whatever allocation fails, the answer is "out of memory", and nothing leaks (the sanitizers
// look).
static void out_of_memory_is_an_error(void **state) {
    struct state *s = *state;
    const char *vocab =
        "{\"a\": 0, \"b</w>\": 1, \"ab</w>\": 2, \"<|startoftext|>\": 3, \"<|endoftext|>\": 4}";
    const char *added = "{\"<x>\": 5}";
    clear_folder(s);
    write_file(s, "vocab.json", vocab, strlen(vocab));
    write_file(s, "merges.txt", "a b</w>", 7);
    write_file(s, "added_tokens.json", added, strlen(added));
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
        cmocka_unit_test(ids_of_stable_diffusion_folders_match),
        cmocka_unit_test(ids_of_a_single_file_match),
        cmocka_unit_test(a_word_stands_for_its_ids),
        cmocka_unit_test(added_tokens_are_whole),
        cmocka_unit_test(a_token_of_several_vectors_has_its_first_name),
        cmocka_unit_test(broken_folders_are_refused),
        cmocka_unit_test(out_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
