// SPDX-License-Identifier: MIT
// Ids against transformers', decoding, cutting and padding, broken vocabularies, and running out of
// memory anywhere.
#include "test.h"

#include "base/alloc.h"
#include "text/bpe.h"
#include "text/golden.h"

#include <fumarole/tokenizer.h>

struct state {
    cJSON *golden;
    fum_tokenizer *emoji;
};

static int setup(void **state) {
    static struct state s;
    char path[1200];
    struct fum_error err;
    *state = &s;
    s.golden = golden_load();
    snprintf(path, sizeof(path), "%s/models/emoji/tokenizer", getenv("FUM_SOURCE_ROOT"));
    if (!fum_tokenizer_load_dir(&s.emoji, path, &err)) return 0;
    print_error("%s\n", err.text);
    return -1;
}

static int teardown(void **state) {
    struct state *s = *state;
    fum_tokenizer_destroy(&s->emoji);
    cJSON_Delete(s->golden);
    return 0;
}

static void ids_of_the_emoji_model_match(void **state) {
    struct state *s = *state;
    golden_check(s->golden, s->emoji, "e");
}

static void ids_decode_to_their_text(void **state) {
    struct state *s = *state;
    size_t checked = 0;
    const cJSON *row;
    cJSON_ArrayForEach(row, cJSON_GetObjectItemCaseSensitive(s->golden, "strings")) {
        const char *text = fum_json_string(row, "t", NULL),
                   *expected = fum_json_string(row, "d", NULL);
        if (!text || !expected) continue;
        struct fum_token_ids ids;
        char *decoded;
        assert_int_equal(fum_tokenizer_encode(s->emoji, text, strlen(text), &ids, NULL), FUM_OK);
        assert_int_equal(fum_tokenizer_decode(s->emoji, ids.ids + 1, ids.count - 2, &decoded, NULL),
                         FUM_OK);
        assert_string_equal(decoded, expected);
        fum_token_text_free(&decoded);
        fum_token_ids_free(&ids);
        checked++;
    }
    assert_true(checked > 300);
}

static void ids_are_padded(void **state) {
    struct state *s = *state;
    enum { LENGTH = 24 };
    size_t cut = 0;
    const cJSON *row;
    assert_int_equal(fum_tokenizer_max_length(s->emoji), LENGTH);
    cJSON_ArrayForEach(row, cJSON_GetObjectItemCaseSensitive(s->golden, "strings")) {
        const char *text = fum_json_string(row, "t", NULL),
                   *expected = fum_json_string(row, "cut", NULL);
        const cJSON *inner = cJSON_GetObjectItemCaseSensitive(row, "e");
        if (!text) continue;
        int32_t ids[LENGTH + 1] = {[LENGTH] = -7};
        struct fum_token_fit fit;
        int inside = cJSON_GetArraySize(inner), kept = inside < LENGTH - 2 ? inside : LENGTH - 2;
        assert_int_equal(
            fum_tokenizer_encode_padded(s->emoji, &(struct fum_padded_text){text, strlen(text), 0},
                                        ids, &fit, NULL),
            FUM_OK);
        assert_int_equal(fit.count, inside + 2);
        for (int i = 0; i < kept; i++)
            assert_int_equal(ids[i + 1], cJSON_GetArrayItem(inner, i)->valueint);
        for (int i = kept + 1; i < LENGTH; i++) assert_int_equal(ids[i], 2812);
        assert_int_equal(ids[LENGTH], -7);
        if (expected)
            assert_string_equal(fit.cut, expected);
        else
            assert_null(fit.cut);
        cut += !!expected;
        fum_token_fit_free(&fit);
    }
    assert_true(cut > 100);
    int32_t two[2];
    struct fum_error err;
    assert_int_equal(fum_tokenizer_encode_padded(s->emoji, &(struct fum_padded_text){"cat", 3, 2},
                                                 two, NULL, NULL),
                     FUM_OK);
    assert_int_equal(two[0], 2811);
    assert_int_equal(two[1], 2812);
    assert_int_equal(fum_tokenizer_encode_padded(s->emoji, &(struct fum_padded_text){"cat", 3, 1},
                                                 two, NULL, &err),
                     FUM_ERR_ARG);
}

// A word of a million letters must not take time that grows with its square, nor a million marks on
// one letter.
static void long_words_take_linear_time(void **state) {
    struct state *s = *state;
    const size_t bytes = FUM_TOKENIZER_MAX_BYTES;
    char *text = malloc(bytes + 1);
    struct fum_token_ids ids;
    struct fum_error err;
    double start = fum_time_now();
    memset(text, 'a', bytes + 1);
    assert_int_equal(fum_tokenizer_encode(s->emoji, text, bytes, &ids, NULL), FUM_OK);
    fum_token_ids_free(&ids);
    for (size_t i = 0; i + 4 <= bytes; i += 4)
        memcpy(text + i, "\xcc\x81\xcc\xa3", 4); // acute above, dot below
    assert_int_equal(fum_tokenizer_encode(s->emoji, text, bytes, &ids, NULL), FUM_OK);
    fum_token_ids_free(&ids);
    print_message("two texts of 1 MiB: %.0f ms\n", 1e3 * (fum_time_now() - start));
    assert_int_equal(fum_tokenizer_encode(s->emoji, text, bytes + 1, &ids, &err), FUM_ERR_ARG);
    free(text);
}

static void pieces_are_named(void **state) {
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

static void broken_files_are_refused(void **state) {
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
        enum fum_result result = fum_tokenizer_create(
            &t,
            &(struct fum_tokenizer_texts){cases[i].vocab, strlen(cases[i].vocab), cases[i].merges,
                                          strlen(cases[i].merges)},
            NULL, &err);
        assert_int_equal(result, FUM_ERR_FORMAT);
        assert_null(t);
        if (!strstr(err.text, cases[i].says))
            fail_msg("'%s' does not say '%s'", err.text, cases[i].says);
    }
}

// Pieces of a text that has no NUL after them are shown to their own end, in whole characters.
static void pieces_in_messages_end_in_whole_characters(void **state) {
    (void)state;
    static const char text[] = "abc\xe2\x82\xac and what follows";
    struct fum_bpe *bpe = NULL;
    struct fum_error err = {0};
    assert_int_equal(fum_bpe_begin(&bpe, 8, 1, &err), FUM_OK);
    assert_int_equal(fum_bpe_add_piece(bpe, (struct fum_bpe_text){text, 6}, 1, "vocab", &err),
                     FUM_OK);
    assert_int_equal(fum_bpe_add_piece(bpe, (struct fum_bpe_text){text, 6}, 2, "vocab", &err),
                     FUM_ERR_FORMAT);
    assert_string_equal(err.text, "vocab: piece 'abc\xe2\x82\xac' has two ids, 1 and 2");
    assert_int_equal(fum_bpe_add_piece(bpe, (struct fum_bpe_text){text, 3}, 1, "vocab", &err),
                     FUM_ERR_FORMAT);
    assert_string_equal(err.text, "vocab: id 1 is given twice, to 'abc\xe2\x82\xac' and 'abc'");
    assert_int_equal(fum_bpe_add_piece(bpe, (struct fum_bpe_text){text, 4}, -1, "vocab", &err),
                     FUM_ERR_FORMAT);
    assert_non_null(
        strstr(err.text, "vocab: piece 'abc\\xe2' has id -1, which is not a whole number"));
    fum_bpe_destroy(&bpe);
}

// A byte order mark before either file changes nothing.
static void byte_order_marks_change_nothing(void **state) {
    (void)state;
    static const char vocab[] = "\xef\xbb\xbf{\"a\": 0, \"b</w>\": 1, \"ab</w>\": 2, "
                                "\"<|startoftext|>\": 3, \"<|endoftext|>\": 4}";
    static const char *const merges[] = {"\xef\xbb\xbf#version: 0.2\na b</w>\n", "\xef\xbb\xbf"
                                                                                 "a b</w>"};
    for (int i = 0; i < 2; i++) {
        fum_tokenizer *t = NULL;
        struct fum_token_ids ids = {0};
        struct fum_error err = {0};
        if (fum_tokenizer_create(&t,
                                 &(struct fum_tokenizer_texts){vocab, sizeof vocab - 1, merges[i],
                                                               strlen(merges[i])},
                                 NULL, &err))
            fail_msg("%s", err.text);
        assert_int_equal(fum_tokenizer_encode(t, "ab", 2, &ids, NULL), FUM_OK);
        assert_int_equal(ids.count, 3);
        assert_int_equal(ids.ids[1], 2);
        fum_token_ids_free(&ids);
        fum_tokenizer_destroy(&t);
    }
}

// A vocabulary that lacks most bytes: those become the unknown token, one each.
static void missing_bytes_become_the_unknown_token(void **state) {
    (void)state;
    const char *vocab =
        "{\"a\": 0, \"b</w>\": 1, \"ab</w>\": 2, \"<|startoftext|>\": 3, \"<|endoftext|>\": 4}";
    const int32_t expected[] = {3, 2, 4, 4, 0, 4, 1, 4};
    fum_tokenizer *t = NULL;
    struct fum_token_ids ids;
    assert_int_equal(
        fum_tokenizer_create(
            &t, &(struct fum_tokenizer_texts){vocab, strlen(vocab), "a b</w>\r\n", 9}, NULL, NULL),
        FUM_OK);
    assert_int_equal(fum_tokenizer_encode(t, "ab zz ac b", 10, &ids, NULL), FUM_OK);
    assert_int_equal(ids.count, 8);
    assert_memory_equal(ids.ids, expected, sizeof(expected));
    fum_token_ids_free(&ids);
    fum_tokenizer_destroy(&t);
    fum_tokenizer_destroy(&t);
}

// Whatever allocation fails, the answer is "out of memory", and nothing leaks (the sanitizers
// look).
static void out_of_memory_is_an_error(void **state) {
    (void)state;
    const char *vocab =
        "{\"a\": 0, \"b</w>\": 1, \"ab</w>\": 2, \"<|startoftext|>\": 3, \"<|endoftext|>\": 4}";
    const char *text = "ab \xcc\x81\xc4\xb0 <|endoftext|> b";
    for (long n = 0, done = 0; !done; n++) {
        assert_true(n < 1000);
        fum_tokenizer *t = NULL;
        struct fum_token_fit fit = {0};
        int32_t ids[4];
        fum_alloc_fail_after(n);
        enum fum_result result = fum_tokenizer_create(
            &t, &(struct fum_tokenizer_texts){vocab, strlen(vocab), "a b</w>", 7}, NULL, NULL);
        if (!result)
            result = fum_tokenizer_encode_padded(
                t, &(struct fum_padded_text){text, strlen(text), 4}, ids, &fit, NULL);
        fum_alloc_fail_after(-1);
        assert_true(result == FUM_OK || result == FUM_ERR_NOMEM);
        done = result == FUM_OK;
        fum_token_fit_free(&fit);
        fum_tokenizer_destroy(&t);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_of_the_emoji_model_match),
        cmocka_unit_test(ids_decode_to_their_text),
        cmocka_unit_test(ids_are_padded),
        cmocka_unit_test(long_words_take_linear_time),
        cmocka_unit_test(pieces_are_named),
        cmocka_unit_test(broken_files_are_refused),
        cmocka_unit_test(missing_bytes_become_the_unknown_token),
        cmocka_unit_test(out_of_memory_is_an_error),
        cmocka_unit_test(pieces_in_messages_end_in_whole_characters),
        cmocka_unit_test(byte_order_marks_change_nothing),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
