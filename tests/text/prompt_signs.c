// SPDX-License-Identifier: MIT
// Prompt grammar that is not understood: which signs are found, and no others.
#include "test.h"

#include "text/prompt_signs.h"

static const struct {
    const char *prompt, *list;
} cases[] = {
    {"", ""},
    {"a lovely cat, 4:3, e.g. :) or :-( or <3", "(x)"}, // "(" opens and is never closed
    {"smile :) 1) 2)", ""},
    {"a cat (sitting)", "(x)"},
    {"((masterpiece))", "(x)"},
    {"a (cat:1.9)", "(x:1.1)"},
    {"a (cat: -.5 )", "(x:1.1)"},
    {"a (cat:dog)", "(x)"},
    {"a (cat:.)", "(x)"},
    {"a ((cat):1.2)", "(x), (x:1.1)"},
    {"a \\(cat\\)", ""},
    {"a \\[cat\\]", ""},
    {"a (cat\\)", "(x)"},
    {"ends in a backslash \\", ""},
    {"a [cat]", "[x]"},
    {"a [cat", "[x]"},
    {"a cat]", ""},
    {"[cat:dog:0.5]", "[a:b:when]"},
    {"[cat:10]", "[a:b:when]"},
    {"[cat|dog]", "[a|b]"},
    {"[(cat|dog)]", "(x), [x]"},
    {"[(cat:1.2)|dog]", "(x:1.1), [a|b]"},
    {"cat | dog", ""},
    {"cat BREAK dog", "BREAK"},
    {"BREAK", "BREAK"},
    {"BREAKFAST, DAYBREAK, break", ""},
    {"cat AND dog", "AND"},
    {"cat:1 AND dog:1.5", "AND"},
    {"BAND, ANDROID, and, \xc3\x84NDERUNG, AND\xc3\x89", ""},
    {"cat <lora:foo:0.8>", "<lora:name:1>"},
    {"<hypernet:foo:1> <lora:a>", "<lora:name:1>, <type:name>"},
    {"<lora:> <lora:x <:x> <a b:c> 1<2:3", "<lora:name:1>"}, // [^>]+ reaches the next ">"
    {"a < b: c > d", ""},
    {"embedding:bad_hands", "embedding:name"},
    {"an embedding: what is it? myembedding:x", ""},
    {")([](:1.1)", "(x), (x:1.1), [x]"},
};

static void finds_the_signs_and_no_others(void **state) {
    (void)state;
    char list[200];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fum_prompt_signs_list(fum_prompt_signs(cases[i].prompt), list, sizeof list);
        if (strcmp(list, cases[i].list) != 0)
            fail_msg("'%s': '%s', not '%s'", cases[i].prompt, list, cases[i].list);
    }
}

static void a_short_buffer_is_terminated(void **state) {
    (void)state;
    char list[8];
    fum_prompt_signs_list(~0u, list, sizeof list);
    assert_string_equal(list, "(x), (x");
}

// Whatever is nested or repeated, a prompt of a megabyte takes no longer than its length.
static void long_prompts_take_linear_time(void **state) {
    (void)state;
    static const char *const parts[] = {"(",     "<a:", "[a:b:1",     ")",
                                        "(1:1.", "  ",  "embedding:", "AND "};
    const size_t length = 1 << 20;
    char *prompt = malloc(length + 1);
    assert_non_null(prompt);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        size_t part = strlen(parts[i]);
        for (size_t at = 0; at < length; at++) prompt[at] = parts[i][at % part];
        prompt[length] = 0;
        unsigned signs = fum_prompt_signs(prompt);
        assert_int_equal(signs != 0, i != 1 && i != 3 && i != 5);
    }
    free(prompt);
}

int main(void) {
    const struct CMUnitTest all[] = {
        cmocka_unit_test(finds_the_signs_and_no_others),
        cmocka_unit_test(a_short_buffer_is_terminated),
        cmocka_unit_test(long_prompts_take_linear_time),
    };
    return cmocka_run_group_tests(all, NULL, NULL);
}
