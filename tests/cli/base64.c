// SPDX-License-Identifier: MIT
// Base64 of every length, data URLs, and damaged texts.
#include "test.h"

#include "cli/base64.h"

static void bytes_of_every_length_come_back(void **state) {
    (void)state;
    unsigned char bytes[64];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)(i * 37 + 200);
    for (size_t n = 0; n <= sizeof bytes; n++) {
        void *back = NULL;
        size_t count = 0;
        char *text = cli_base64_encode(bytes, n);
        assert_non_null(text);
        assert_int_equal(strlen(text), (n + 2) / 3 * 4);
        assert_int_equal(cli_base64_decode(text, &back, &count), CLI_BASE64_GOOD);
        assert_int_equal(count, n);
        assert_memory_equal(back, bytes, n);
        free(back);
        free(text);
    }
}

static void texts_of_the_rfc_are_decoded(void **state) {
    (void)state;
    static const struct {
        const char *text, *bytes;
    } cases[] = {{"", ""},
                 {"Zg==", "f"},
                 {"Zg", "f"},
                 {"Zm8=", "fo"},
                 {"Zm9v\r\nYmFy", "foobar"},
                 {"data:image/png;base64,Zm9v", "foo"},
                 {"data:;base64,Zm9vYg==", "foob"},
                 {"-_8=", "\xfb\xff"},
                 {"+/8=", "\xfb\xff"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        void *back = NULL;
        size_t count = 0;
        assert_int_equal(cli_base64_decode(cases[i].text, &back, &count), CLI_BASE64_GOOD);
        assert_int_equal(count, strlen(cases[i].bytes));
        assert_memory_equal(back, cases[i].bytes, count);
        free(back);
    }
}

static void damaged_texts_are_refused(void **state) {
    (void)state;
    static const char *const texts[] = {
        "Z",      "Zm9vY",       "Zg=",  "Z===", "=Zg", "Zg==Zg==", "Zm!v", "http://host/a.png",
        "/a.png", "data:a,Zm9v", "data:"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        void *back = NULL;
        size_t count = 0;
        if (cli_base64_decode(texts[i], &back, &count) != CLI_BASE64_BAD)
            fail_msg("\"%s\" was decoded", texts[i]);
        assert_null(back);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_of_every_length_come_back),
        cmocka_unit_test(texts_of_the_rfc_are_decoded),
        cmocka_unit_test(damaged_texts_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
