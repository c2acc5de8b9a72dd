// SPDX-License-Identifier: MIT
// JSON: refused memory is reported as that at every allocation, bad syntax as bad syntax, in any
// locale.

#include "test.h"

#include "base/alloc.h"
#include "base/json.h"
#include "base/json_syntax.h"

static const struct {
    const char *text;
    bool good;
} cases[] = {
    {"{}", true},
    {"[]", true},
    {" \t\r\n{ } ", true},
    {"\xef\xbb\xbf{\"a\": 1}", true},
    {"null", true},
    {"true", true},
    {"false", true},
    {"\"x\"", true},
    {"[1, 2.5, -3e-2, 0.5E+7, 1e9]", true},
    {"{\"a\": [1, {\"b\": \"c\\n\\u00e9\\ud83d\\ude00\"}], \"d\": null}", true},
    {"[1] and more", true},
    {"-1", true},
    {"[1.]", true},
    {"[01]", true},
    {"\"tab\tinside\"", true},
    {"", false},
    {"{", false},
    {"[", false},
    {"[1", false},
    {"[1,", false},
    {"[1,]", false},
    {"{\"a\"}", false},
    {"{\"a\":}", false},
    {"{\"a\": 1,}", false},
    {"{a: 1}", false},
    {"\"x", false},
    {"\"\\q\"", false},
    {"\"\\u12g4\"", false},
    {"\"\\ud83d\"", false},
    {"\"\\ud83d\\u0041\"", false},
    {"\"\\ude00\"", false},
    {"nul", false},
    {"-", false},
    {"[1 2]", false},
    {"[1.2.3]", false},
    {"[1e]", false},
    {"{\"a\" 1}", false},
    {"'a'", false},
    {"\"\\", false},
    {"+1", false},
    {"]", false},
};

// Valid JSON is well formed, and what cJSON does not take never is. (cJSON takes "\\u12g4".)
static void only_well_formed_json_is_accepted(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t bytes = strlen(cases[i].text);
        cJSON *json = cJSON_ParseWithLength(cases[i].text, bytes);
        bool well_formed = fum_json_well_formed(cases[i].text, bytes);
        if (well_formed != cases[i].good || (well_formed && !json)) fail_msg("%s", cases[i].text);
        cJSON_Delete(json);
    }
}

// Texts with random changes: what is well formed is taken by cJSON.
static void damaged_texts_that_are_well_formed_parse(void **state) {
    (void)state;
    static const char text[] =
        "{\"a\": [1, -2.5e3, {\"b\": \"c\\n\\u00e9\\ud83d\\ude00\"}], \"d\": null, \"e\": true}";
    static const char bytes[] = "{}[]\",:\\0e.-u n\xff";
    uint32_t seed = 1;
    for (int round = 0; round < 50000; round++) {
        char changed[sizeof text];
        memcpy(changed, text, sizeof text);
        size_t length = sizeof text - 1;
        for (int i = 0; i < 1 + round % 3; i++) {
            seed = seed * 1664525 + 1013904223;
            changed[(seed >> 8) % length] = bytes[(seed >> 24) % (sizeof bytes - 1)];
        }
        if (round % 4 == 0) length = (seed >> 12) % length;
        cJSON *json = cJSON_ParseWithLength(changed, length);
        if (!json && fum_json_well_formed(changed, length)) fail_msg("%.*s", (int)length, changed);
        cJSON_Delete(json);
    }
}

static void nested(char *text, size_t depth) {
    memset(text, '[', depth);
    memset(text + depth, ']', depth);
}

static void nesting_is_limited(void **state) {
    (void)state;
    char text[2002];
    for (size_t depth = 998; depth <= 1001; depth++) {
        nested(text, depth);
        cJSON *json = cJSON_ParseWithLength(text, 2 * depth);
        assert_int_equal(fum_json_well_formed(text, 2 * depth), json != NULL);
        cJSON_Delete(json);
    }
}

static long left; // allocations until all are refused
static bool refused;

static void *refusing_malloc(size_t bytes) {
    refused = refused || left-- <= 0;
    return refused ? NULL : malloc(bytes);
}

static void refused_memory_is_no_syntax_error(void **state) {
    (void)state;
    static const char text[] =
        "{\"betas\": [0.5, 1, -Infinity], \"name\": \"x\", \"deep\": {\"a\": null}}";
    struct fum_error err;
    cJSON *json = NULL;
    long n = -1;
    cJSON_InitHooks(&(cJSON_Hooks){refusing_malloc, free});
    do {
        left = ++n;
        refused = false;
        enum fum_result result = fum_json_parse(&json, text, sizeof text - 1, "config.json", &err);
        assert_int_equal(result, refused ? FUM_ERR_NOMEM : FUM_OK);
        if (refused) assert_non_null(strstr(err.text, "config.json: no memory"));
        cJSON_Delete(json);
    } while (refused);
    cJSON_InitHooks(NULL);
    assert_true(n > 15);
    fum_alloc_fail_after(0); // the copy of a text that cJSON refused
    assert_int_equal(fum_json_parse(&json, "[1, Infinity]", 13, "x", &err), FUM_ERR_NOMEM);
    fum_alloc_fail_after(-1);
    assert_int_equal(fum_json_parse(&json, "[1, Infinite]", 13, "x", &err), FUM_ERR_FORMAT);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(only_well_formed_json_is_accepted),
                                       cmocka_unit_test(damaged_texts_that_are_well_formed_parse),
                                       cmocka_unit_test(nesting_is_limited),
                                       cmocka_unit_test(refused_memory_is_no_syntax_error)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
