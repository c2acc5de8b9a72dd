// Known prompts: which words count, and what is suggested when none does.
#include "text/known.h"

#include "base/alloc.h"
#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const prompts[] = {
    "cat face",         "grinning cat", "cat",         "smiling face with hearts",
    "Dog face",         "red heart",    "pizza",       "ox",
    "ab button (type)", "hot dog",      "crème brûlée"};
static const char *const words[] = {"kitten", "canine", "猫"};

enum { PROMPTS = sizeof(prompts) / sizeof(prompts[0]), WORDS = sizeof(words) / sizeof(words[0]) };

static int setup(void **state) {
    return fum_known_create((fum_known **)state, prompts, PROMPTS, words, WORDS, NULL);
}

static int teardown(void **state) {
    fum_known_destroy((fum_known **)state);
    assert_null(*state);
    return 0;
}

static void test_has(void **state) {
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
                                      "heart"};
    static const char *const no[] = {"submarine", "the with and", "ox cart", "my ab",   "catt", "\xff\xfe",
                                     "42",        "!!",           "犬",      "caf\xc3", "es",   "s",
                                     "foxes",     "with"};
    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
        if (!fum_known_has(*state, yes[i])) fail_msg("'%s' is known", yes[i]);
    for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
        if (fum_known_has(*state, no[i])) fail_msg("'%s' is not known", no[i]);
}

static void check(const fum_known *known, const char *prompt, const char *first, const char *second) {
    const char *found[5] = {0};
    size_t count = fum_known_suggest(known, prompt, found, 5);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++) assert_string_not_equal(found[i], found[j]);
    if (!count || strcmp(found[0], first) || (second && (count < 2 || strcmp(found[1], second))))
        fail_msg("'%s': %zu suggestions, '%s', '%s'", prompt, count, count ? found[0] : "",
                 count > 1 ? found[1] : "");
}

static void test_suggest(void **state) {
    const char *found[5];
    check(*state, "piza", "pizza", NULL);    // a letter missing
    check(*state, "a pziza", "pizza", NULL); // two swapped
    check(*state, "SMILLING", "smiling face with hearts", NULL);
    check(*state, "catlike", "cat", "cat face"); // a known word with an ending; the shortest prompts first
    check(*state, "mitten", "kitten", NULL);
    check(*state, "creme", "crème brûlée", NULL);
    check(*state, "Doggy", "hot dog", "Dog face"); // as the caller spells them
    assert_int_equal(fum_known_suggest(*state, "a cat", found, 5), 0);
    assert_int_equal(fum_known_suggest(*state, "piza", found, 0), 0);
    assert_int_equal(fum_known_suggest(*state, "piza", found, 1), 1);
    // Nothing is like it: some prompts, all different.
    assert_int_equal(fum_known_suggest(*state, "qqqqqqqq", found, 5), 5);
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < i; j++) assert_string_not_equal(found[i], found[j]);
    assert_int_equal(fum_known_suggest(*state, "犬", found, 5), 5);
}

static void test_extremes(void **state) {
    (void)state;
    fum_known *known = NULL;
    const char *found[5];
    assert_int_equal(fum_known_create(&known, NULL, 0, NULL, 0, NULL), FUM_OK);
    assert_true(fum_known_has(known, "anything"));
    assert_int_equal(fum_known_suggest(known, "anything", found, 5), 0);
    fum_known_destroy(&known);
    fum_known_destroy(&known);

    // Words alone; a word that is far too long; an empty prompt in the list.
    char letters[5001];
    memset(letters, 'x', 5000);
    letters[5000] = 0;
    const char *odd[] = {"", letters, "  "};
    assert_int_equal(fum_known_create(&known, odd, 3, words, WORDS, NULL), FUM_OK);
    assert_true(fum_known_has(known, letters));
    letters[4999] = 0;
    assert_false(fum_known_has(known, letters));
    check(known, "kiten", "kitten", NULL);
    fum_known_destroy(&known);
    assert_int_equal(fum_known_create(&known, odd, 1, odd + 2, 1, NULL), FUM_OK);
    assert_true(fum_known_has(known, ""));
    assert_false(fum_known_has(known, "cat"));
    fum_known_destroy(&known);
    assert_int_equal(fum_known_create(&known, NULL, 0, words, WORDS, NULL), FUM_OK);
    assert_int_equal(fum_known_suggest(known, "qqqqqq", found, 5),
                     0); // nothing alike and no prompts to offer
    fum_known_destroy(&known);
}

static void test_out_of_memory(void **state) {
    (void)state;
    const char *found[5];
    for (long n = 0, done = 0; !done; n++) {
        fum_known *known = NULL;
        fum_alloc_fail_after(n);
        enum fum_result result = fum_known_create(&known, prompts, PROMPTS, words, WORDS, NULL);
        size_t count = result ? 0 : fum_known_suggest(known, "piza", found, 5);
        fum_alloc_fail_after(-1);
        assert_true(result == FUM_OK || result == FUM_ERR_NOMEM);
        assert_true(n < 1000);
        done = count > 0;
        fum_known_destroy(&known);
    }
}

// The shipped model's list, as a person would try it.
static void test_emoji_model(void **state) {
    (void)state;
    static const char *const tries[] = {"smilling",     "elefant", "a spaceshp",
                                        "Quetzalcoatl", "cthulhu", "キツネ"};
    char path[1200];
    cJSON *json = NULL;
    fum_known *known = NULL;
    const char *texts[2][8192];
    size_t counts[2] = {0};
    snprintf(path, sizeof(path), "%s/models/emoji/fumarole.json", getenv("FUM_SOURCE_ROOT"));
    assert_int_equal(fum_json_read(&json, path, NULL), FUM_OK);
    for (int i = 0; i < 2; i++) {
        const cJSON *item;
        cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(json, i ? "words" : "prompts")) {
            assert_true(counts[i] < 8192);
            texts[i][counts[i]++] = item->valuestring;
        }
    }
    assert_int_equal(fum_known_create(&known, texts[0], counts[0], texts[1], counts[1], NULL), FUM_OK);
    for (size_t i = 0; i < counts[0]; i++) assert_true(fum_known_has(known, texts[0][i]));
    for (size_t i = 0; i < counts[1]; i++) assert_true(fum_known_has(known, texts[1][i]));
    assert_true(fum_known_has(known, "a smiling cat face"));
    for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
        const char *found[5];
        size_t count = fum_known_suggest(known, tries[i], found, 5);
        assert_true(count > 0);
        print_message("%s:", tries[i]);
        for (size_t j = 0; j < count; j++) print_message(" '%s'", found[j]);
        print_message("\n");
    }
    check(known, "elefant", "elephant", NULL);
    fum_known_destroy(&known);
    cJSON_Delete(json);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_has, setup, teardown),
        cmocka_unit_test_setup_teardown(test_suggest, setup, teardown),
        cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_emoji_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
