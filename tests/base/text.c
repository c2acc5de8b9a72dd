// SPDX-License-Identifier: MIT
// Text for terminals: what is escaped, what stays, and where a long text is cut.

#include "test.h"

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "base/utf8.h"

static const struct {
    const char *text, *shown;
} cases[] = {
    {"plain text, 'quoted' \\ and \"so\"", "plain text, 'quoted' \\ and \"so\""},
    {"a\nb\rc\td", "a\\nb\\rc\\td"},
    {"\x1b[31mred\x1b[0m\a\b", "\\x1b[31mred\\x1b[0m\\x07\\x08"},
    {"del\x7f", "del\\x7f"},
    {"\xc2\x80\xc2\x9b\xc2\x9f", "\\u0080\\u009b\\u009f"}, // C1
    {"\xc2\xa0 \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
     "\xc2\xa0 \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
    // writing direction
    {"\xe2\x80\xaa\xe2\x80\xae\xe2\x81\xa6\xe2\x81\xa9", "\\u202a\\u202e\\u2066\\u2069"},
    {"\xe2\x80\xa8\xe2\x80\xa9", "\\u2028\\u2029"}, // line and paragraph separators
    {"\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa",
     "\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa"},
    {"\xef\xbf\xbd", "\xef\xbf\xbd"}, // U+FFFD itself is text
    {"\xff\xfe x", "\\xff\\xfe x"},
    {"\x9b\x80", "\\x9b\\x80"},
    {"\xc0\x9b \xe0\x82\x9b", "\\xc0\\x9b \\xe0\\x82\\x9b"}, // longer than needed
    {"\xed\xa0\x80", "\\xed\\xa0\\x80"},                     // a surrogate
    {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},            // past U+10FFFF
    {"half \xe2\x82", "half \\xe2\\x82"},
    {"\xe2\x82\x1b", "\\xe2\\x82\\x1b"},
    {"", ""},
};

static void control_characters_are_escaped(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[128], again[128];
        size_t length = fum_text_escape(out, sizeof out, cases[i].text, strlen(cases[i].text));
        assert_string_equal(out, cases[i].shown);
        assert_int_equal(length, strlen(cases[i].shown));
        fum_text_escape(again, sizeof again, out, strlen(out));
        assert_string_equal(again, out); // twice is the same
    }
}

static void nul_is_shown(void **state) {
    (void)state;
    char out[32];
    assert_int_equal(fum_text_escape(out, sizeof out, "a\0b", 3), 6);
    assert_string_equal(out, "a\\x00b");
}

// Every size cuts between characters and between escapes, and never writes past its end.
static void every_size_cuts_between_characters(void **state) {
    (void)state;
    static const char text[] = "\xc3\xa9\x1b\xf0\x9f\x98\x80\xc2\x9b\n!";
    static const size_t ends[] = {0, 2, 6, 10, 16, 18, 19};
    size_t whole = fum_text_escape(NULL, 0, text, sizeof text - 1);
    assert_int_equal(whole, 19);
    for (size_t size = 1; size <= whole + 1; size++) {
        char *out = malloc(size);
        assert_int_equal(fum_text_escape(out, size, text, sizeof text - 1), whole);
        size_t used = strlen(out), k = 0;
        while (k + 1 < sizeof ends / sizeof *ends && ends[k + 1] < size) k++;
        assert_int_equal(used, ends[k]);
        free(out);
    }
}

static bool is_clean(const char *text) {
    size_t bytes = strlen(text), used;
    for (size_t i = 0; i < bytes; i += used) {
        uint32_t code = fum_utf8_next(text + i, bytes - i, &used);
        if (!fum_utf8_length(text + i, bytes - i) || code < 0x20 || (code >= 0x7f && code <= 0x9f))
            return false;
    }
    return true;
}

// A long name leaves the reason, which stands at the end of the message, in place.
static void a_long_name_leaves_the_reason_in_place(void **state) {
    (void)state;
    static const char *const units[] = {"x",    "\xe2\x82\xac", "\xf0\x9f\x98\x80",
                                        "\x1b", "\xff",         "\xc2\x9b"};
    char name[6000];
    struct fum_error err;
    for (size_t u = 0; u < sizeof units / sizeof *units; u++) {
        size_t step = strlen(units[u]);
        for (size_t length = 480 / step; length * step < 5000;
             length += length < 520 / step ? 1 : 700) {
            for (size_t i = 0; i < length; i++) memcpy(name + i * step, units[u], step);
            name[length * step] = 0;
            fum_error_set(&err, FUM_ERR_IO, "cannot open %s: Permission denied", name);
            assert_true(is_clean(err.text) && strlen(err.text) < sizeof err.text);
            assert_memory_equal(err.text, "cannot open ", 12);
            assert_string_equal(err.text + strlen(err.text) - 19, ": Permission denied");
        }
    }
    assert_non_null(strstr(err.text, "..."));
    assert_true(strlen(err.text) > sizeof err.text - 20); // the room is used
}

static void a_prefix_keeps_both_ends(void **state) {
    (void)state;
    char name[700];
    struct fum_error err;
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = 0;
    fum_error_set(&err, FUM_ERR_FORMAT, "tensor a\nb: damaged");
    fum_error_prefix(&err, "model %s", name);
    assert_int_equal(err.code, FUM_ERR_FORMAT);
    assert_memory_equal(err.text, "model nnn", 9);
    assert_string_equal(err.text + strlen(err.text) - 21, " tensor a\\nb: damaged");
}

static void keep_message(void *user, enum fum_log_level level, const char *message) {
    (void)level;
    strcpy(user, message);
}

static void log_lines_are_escaped(void **state) {
    (void)state;
    char got[1100], prompt[2000];
    struct fum_log log = {.fn = keep_message, .user = got};
    for (size_t i = 0; i + 3 < sizeof prompt; i += 3) memcpy(prompt + i, "\xe2\x82\xac", 4);
    fum_log(&log, FUM_LOG_WARN, "cut off: \"%s\" \x1b[2J", prompt);
    assert_true(is_clean(got));
    assert_string_equal(got + strlen(got) - 8, " \\x1b[2J");
    assert_true(strlen(got) < 1024 && strlen(got) > 1000);
}

static void shown_texts_are_cut_and_escaped(void **state) {
    (void)state;
    assert_string_equal(fum_text_show("conv\x1b[0m").text, "conv\\x1b[0m");
    assert_string_equal(fum_text_show_bytes("piece and more", 5).text, "piece");
    char name[400];
    for (size_t i = 0; i + 2 < sizeof name; i += 2) memcpy(name + i, "\xc3\xa9", 3);
    assert_true(is_clean(fum_text_show(name).text));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(control_characters_are_escaped),
        cmocka_unit_test(nul_is_shown),
        cmocka_unit_test(every_size_cuts_between_characters),
        cmocka_unit_test(a_long_name_leaves_the_reason_in_place),
        cmocka_unit_test(a_prefix_keeps_both_ends),
        cmocka_unit_test(log_lines_are_escaped),
        cmocka_unit_test(shown_texts_are_cut_and_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
