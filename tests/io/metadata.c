// SPDX-License-Identifier: MIT
// The parameters of pictures: fields and prompts, and long texts that take no longer than their
// length.
#include "test.h"

#include <fumarole/metadata.h>

#include <time.h>

enum { LONG = 1 << 20, MAX_FIELDS = 4096 };

static struct fum_metadata *parse(const char *text) {
    struct fum_metadata *m = NULL;
    struct fum_error err = {0};
    const clock_t begun = clock();
    ok(fum_metadata_parse(&m, text, &err), &err);
    assert_true(clock() - begun < 5 * CLOCKS_PER_SEC);
    return m;
}

static void fields_are_found_as_in_a1111(void **state) {
    (void)state;
    struct fum_metadata *m = parse("a cat\nNegative prompt: blue\nred\n"
                                   "!Steps: 20, x: 1, Sampler: Euler a,, Size-1: \"a, \\\"b\\\"\", "
                                   "no field, Steps: 30");
    assert_string_equal(m->prompt, "a cat");
    assert_string_equal(m->negative_prompt, "blue\nred");
    assert_int_equal(m->num_fields, 3);
    assert_string_equal(m->fields[0].key, "Steps");
    assert_string_equal(fum_metadata_find(m, "Steps"), "30");
    assert_string_equal(fum_metadata_find(m, "Sampler"), "Euler a");
    assert_string_equal(fum_metadata_find(m, "Size-1"), "a, \"b\"");
    fum_metadata_destroy(&m);
}

// Parses a piece that is repeated up to the length, and returns the number of fields.
static size_t parse_repeated(const char *piece, const char *end) {
    size_t bytes = strlen(piece);
    char *text = malloc(LONG + strlen(end) + 1);
    for (size_t i = 0; i < LONG; i++) text[i] = piece[i % bytes];
    memcpy(text + LONG, end, strlen(end) + 1);
    struct fum_metadata *m = parse(text);
    size_t fields = m->num_fields;
    fum_metadata_destroy(&m);
    free(text);
    return fields;
}

static void long_texts_take_no_longer_than_their_length(void **state) {
    (void)state;
    assert_int_equal(parse_repeated("a", ""), 0);
    assert_int_equal(parse_repeated("a ", "!"), 0);
    assert_int_equal(parse_repeated(" ", "!"), 0);
    assert_int_equal(parse_repeated("a:", ""), 0);
    assert_int_equal(parse_repeated("a\n", ""), 0);
    assert_int_equal(parse_repeated("ab:\"", ""), 0);
    assert_int_equal(parse_repeated("ab:1,", ""), 1);
}

static void fields_are_limited(void **state) {
    (void)state;
    char *text = malloc(16 * LONG), *to = text;
    for (int i = 0; i < LONG; i++) to += sprintf(to, "k%d:1,", i);
    struct fum_metadata *m = parse(text);
    assert_int_equal(m->num_fields, MAX_FIELDS);
    assert_string_equal(m->fields[MAX_FIELDS - 1].key, "k4095");
    fum_metadata_destroy(&m);
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_found_as_in_a1111),
        cmocka_unit_test(long_texts_take_no_longer_than_their_length),
        cmocka_unit_test(fields_are_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
