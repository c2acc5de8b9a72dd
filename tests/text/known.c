// SPDX-License-Identifier: MIT
// Known prompts: which words count, and what is suggested when none does.
#include "test.h"

#include "text/known.h"

#include <fumarole/model.h>

#include "base/alloc.h"
#include "base/json.h"

static const char *const prompts[] = {
    "cat face",         "grinning cat", "cat",         "smiling face with hearts",
    "Dog face",         "red heart",    "pizza",       "ox",
    "ab button (type)", "hot dog",      "crème brûlée"};
static const char *const keywords[] = {"pet puss",     "",    "", "", "",       "emotion",
                                       "cheese slice", "cow", "", "", "dessert"};
static const char *const words[] = {"kitten", "canine", "猫"};

enum { PROMPTS = sizeof(prompts) / sizeof(prompts[0]), WORDS = sizeof(words) / sizeof(words[0]) };

static const struct fum_known_params all = {prompts, keywords, PROMPTS, words, WORDS};

static int setup(void **state) {
    return fum_known_create((fum_known **)state, &all, NULL);
}

static int teardown(void **state) {
    fum_known_destroy((fum_known **)state);
    assert_null(*state);
    return 0;
}

static void known_words_are_found(void **state) {
    static const char *const yes[] = {"a smiling cat face",
                                      "CAT",
                                      "two cats",
                                      "pizzas!",
                                      "my ox and me, dog",
                                      "ox",
                                      " OX ",
                                      "un-cat-like",
                                      "Kitten",
                                      "猫",
                                      "a cre\xcc\x80me",
                                      "BRÛLÉE",
                                      "",
                                      "  \t",
                                      "hearts",
                                      "heart",
                                      "cheese",       // a keyword
                                      "the with and", // no word that says anything
                                      "with",
                                      "my ab",
                                      "42",
                                      "!!",
                                      "\xff\xfe",
                                      "es"};
    static const char *const no[] = {"submarine", "ox cart", "catt", "犬", "caf\xc3", "foxes"};
    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
        if (!fum_known_has(*state, yes[i])) fail_msg("'%s' is known", yes[i]);
    for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
        if (fum_known_has(*state, no[i])) fail_msg("'%s' is not known", no[i]);
}

static void check(const fum_known *known, const char *prompt, const char *first,
                  const char *second) {
    const char *found[5] = {0};
    size_t count = fum_known_suggest(known, prompt, found, 5);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++) assert_string_not_equal(found[i], found[j]);
    if (!count || strcmp(found[0], first) || (second && (count < 2 || strcmp(found[1], second))))
        fail_msg("'%s': %zu suggestions, '%s', '%s'", prompt, count, count ? found[0] : "",
                 count > 1 ? found[1] : "");
}

static void near_prompts_are_suggested(void **state) {
    const char *found[5];
    check(*state, "piza", "pizza", NULL);    // a letter missing
    check(*state, "a pziza", "pizza", NULL); // two swapped
    check(*state, "SMILLING", "smiling face with hearts", NULL);
    // a known word with an ending; the shortest prompts first
    check(*state, "catlike", "cat", "cat face");
    check(*state, "mitten", "kitten", NULL);
    check(*state, "creme", "crème brûlée", NULL);
    check(*state, "Doggy", "hot dog", "Dog face"); // as the caller spells them
    check(*state, "desert", "crème brûlée", NULL); // a keyword's prompt
    assert_int_equal(fum_known_suggest(*state, "a cat", found, 5), 0);
    assert_int_equal(fum_known_suggest(*state, "piza", found, 0), 0);
    assert_int_equal(fum_known_suggest(*state, "piza", found, 1), 1);
    // Another word is no other spelling, and where nothing is similar there is nothing to say.
    static const char *const others[] = {
        "qqqqqqqq",    "犬",  "cathedral", "carpet",
        "caterpillar", "42",  "pita",      "faces of stone and steel",
        "hearing",     "tact"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        size_t count = fum_known_suggest(*state, others[i], found, 5);
        if (count) fail_msg("'%s': '%s'", others[i], found[0]);
    }
}

static void check_unknown(const fum_known *known, const char *prompt, size_t count,
                          const char *expected) {
    char list[FUM_MODEL_UNKNOWN_BYTES];
    size_t unknown = fum_known_unknown(known, prompt, list, sizeof(list));
    if (unknown != count || strcmp(list, expected))
        fail_msg("'%s': %zu unknown words, '%s'", prompt, unknown, list);
}

static void unknown_words_are_listed(void **state) {
    check_unknown(*state, "a masterpiece of a cat, best quality", 3, "masterpiece, best, quality");
    check_unknown(*state, "masterpiece cat", 0, ""); // half of it is known
    check_unknown(*state, "submarine", 0, "");       // one word like none: another language, a name
    check_unknown(*state, "42", 0, "");
    check_unknown(*state, "", 0, "");
    check_unknown(*state, "piza", 1, "piza");
    check_unknown(*state, "Über ÜBER blau, grün", 4, "über, blau, grün");
    check_unknown(*state, "one two three four five six seven eight nine ten eleven twelve thirteen",
                  13, "one, two, three, four, five, six, seven, eight, nine, ten, …");
    check_unknown(*state, "ab button (type)", 0, "");
}

static void extreme_texts_are_read(void **state) {
    (void)state;
    fum_known *known = NULL;
    const char *found[5];
    assert_int_equal(fum_known_create(&known, &(struct fum_known_params){0}, NULL), FUM_OK);
    assert_true(fum_known_has(known, "anything"));
    assert_int_equal(fum_known_suggest(known, "anything", found, 5), 0);
    fum_known_destroy(&known);
    fum_known_destroy(&known);

    // Words alone; a word that is far too long; an empty prompt in the list.
    char letters[5001];
    memset(letters, 'x', 5000);
    letters[5000] = 0;
    const char *odd[] = {"", letters, "  "};
    struct fum_known_params params = {
        .prompts = odd, .prompt_count = 3, .words = words, .word_count = WORDS};
    assert_int_equal(fum_known_create(&known, &params, NULL), FUM_OK);
    assert_true(fum_known_has(known, letters));
    letters[4999] = 0;
    assert_false(fum_known_has(known, letters));
    check(known, "kiten", "kitten", NULL);
    fum_known_destroy(&known);
    params = (struct fum_known_params){
        .prompts = odd, .prompt_count = 1, .words = odd + 2, .word_count = 1};
    assert_int_equal(fum_known_create(&known, &params, NULL), FUM_OK);
    assert_true(fum_known_has(known, ""));
    assert_true(fum_known_has(known, "cat")); // as no word is known
    fum_known_destroy(&known);
    params = (struct fum_known_params){.words = words, .word_count = WORDS};
    assert_int_equal(fum_known_create(&known, &params, NULL), FUM_OK);
    assert_int_equal(fum_known_suggest(known, "qqqqqq", found, 5), 0);
    fum_known_destroy(&known);
}

// Lists as long as allowed take no time that a user would notice; longer ones are left alone.
static void long_lists_take_no_time(void **state) {
    (void)state;
    enum { LENGTH = 28 };
    fum_known *known = NULL;
    const char *found[5];
    size_t count = FUM_KNOWN_MAX_TEXTS;
    char *letters = malloc((count + 1) * (LENGTH + 1));
    const char **texts = malloc((count + 1) * sizeof(*texts));
    assert_true(letters && texts);
    for (size_t i = 0; i <= count; i++) {
        char *text = letters + i * (LENGTH + 1);
        memset(text, 'x', LENGTH);
        text[LENGTH] = 0;
        for (size_t j = 0, rest = i; j < 4; j++, rest /= 26)
            text[LENGTH - 1 - j] = (char)('a' + rest % 26);
        texts[i] = text;
    }
    struct fum_known_params params = {
        .prompts = texts, .prompt_count = count, .words = texts, .word_count = count};
    assert_int_equal(fum_known_create(&known, &params, NULL), FUM_OK);
    assert_int_equal(
        fum_known_suggest(known, "xxxxxxxxxxxxxxxxxxxxxxxxxxxx yyyyyyyyyyyyyyyyyyyyyyyyyyyyyy",
                          found, 5),
        5);
    fum_known_destroy(&known);
    params.prompt_count++;
    assert_int_equal(fum_known_create(&known, &params, NULL), FUM_OK);
    assert_int_equal(fum_known_suggest(known, "xxxxxxxxxxxxxxxxxxxxxxxxxxxx", found, 5), 0);
    fum_known_destroy(&known);
    free(texts);
    free(letters);
}

static void out_of_memory_is_an_error(void **state) {
    (void)state;
    const char *found[5];
    for (long n = 0, done = 0; !done; n++) {
        fum_known *known = NULL;
        fum_alloc_fail_after(n);
        enum fum_result result = fum_known_create(&known, &all, NULL);
        size_t count = result ? 0 : fum_known_suggest(known, "piza", found, 5);
        fum_alloc_fail_after(-1);
        assert_true(result == FUM_OK || result == FUM_ERR_NOMEM);
        assert_true(n < 1000);
        done = count > 0;
        fum_known_destroy(&known);
    }
}

// The shipped model's lists, as a person would try them.
static void the_shipped_model_knows_its_prompts(void **state) {
    (void)state;
    char path[1200];
    cJSON *json = NULL;
    fum_known *known = NULL;
    const char *texts[2][8192];
    size_t counts[2] = {0};
    snprintf(path, sizeof(path), "%s/models/emoji/fumarole.json", getenv("FUM_SOURCE_ROOT"));
    assert_int_equal(fum_json_read(&json, path, NULL), FUM_OK);
    for (int i = 0; i < 2; i++) {
        const cJSON *item;
        cJSON_ArrayForEach(item,
                           cJSON_GetObjectItemCaseSensitive(json, i ? "keywords" : "prompts")) {
            assert_true(counts[i] < 8192);
            texts[i][counts[i]++] = item->valuestring;
        }
    }
    assert_int_equal(counts[0], counts[1]);
    struct fum_known_params params = {
        .prompts = texts[0], .keywords = texts[1], .prompt_count = counts[0]};
    assert_int_equal(fum_known_create(&known, &params, NULL), FUM_OK);
    for (int i = 0; i < 2; i++)
        for (size_t j = 0; j < counts[i]; j++) assert_true(fum_known_has(known, texts[i][j]));
    assert_true(fum_known_has(known, "a smiling cat face"));
    assert_true(fum_known_has(known, "doctor")); // a keyword of "health worker"
    check(known, "elefant", "elephant", NULL);
    check(known, "smilling", "smiling face", NULL);
    check(known, "a spaceshp", "comet", "rocket"); // by a keyword of theirs
    check(known, "docter", "pill", NULL);          // by its keyword
    static const char *const silent[] = {"katze",   "42",     "Quetzalcoatl",
                                         "cthulhu", "キツネ", "haus",
                                         "vogel",   "hund",   "a masterpiece of a cat"};
    for (size_t i = 0; i < sizeof(silent) / sizeof(silent[0]); i++) {
        const char *found[5];
        size_t count = fum_known_suggest(known, silent[i], found, 5);
        if (count) fail_msg("'%s': '%s'", silent[i], found[0]);
        check_unknown(known, silent[i], 0, "");
    }
    check_unknown(known, "masterpiece, ultra detailed photograph of a cat", 4,
                  "masterpiece, ultra, detailed, photograph");
    fum_known_destroy(&known);
    cJSON_Delete(json);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(known_words_are_found, setup, teardown),
        cmocka_unit_test_setup_teardown(near_prompts_are_suggested, setup, teardown),
        cmocka_unit_test_setup_teardown(unknown_words_are_listed, setup, teardown),
        cmocka_unit_test(extreme_texts_are_read),
        cmocka_unit_test(long_lists_take_no_time),
        cmocka_unit_test(out_of_memory_is_an_error),
        cmocka_unit_test(the_shipped_model_knows_its_prompts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
