// SPDX-License-Identifier: MIT
// The parameters of pictures: fields and prompts, long texts that take no longer than their length,
// and compressed texts.
#include "test.h"

#include <fumarole/metadata.h>

#include <time.h>
#include <zlib.h>

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

// ---- compressed texts ----

struct png {
    uint8_t data[1 << 20];
    size_t bytes;
};

static void put(struct png *p, const void *data, size_t bytes) {
    assert_true(bytes <= sizeof p->data - p->bytes);
    memcpy(p->data + p->bytes, data, bytes);
    p->bytes += bytes;
}

// Adds the header of a picture of 1 x 1 grey pixel.
static void put_header(struct png *p) {
    static const uint8_t header[] = {0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0};
    put(p, "\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR", 16);
    put(p, header, sizeof header);
    put(p, "\x3a\x7e\x9b\x55", 4); // the checksum
}

// Adds a chunk of a compressed text that repeats a letter, without its last `missing` bytes.
static void put_text(struct png *p, char letter, size_t length, size_t missing) {
    static const char key[] = "parameters\0"; // and the zero of the method
    uint8_t *text = malloc(length), *compressed = malloc(compressBound(length));
    uLongf bytes = compressBound(length);
    memset(text, letter, length);
    assert_int_equal(compress(compressed, &bytes, text, length), Z_OK);
    size_t count = sizeof key + bytes - missing;
    const uint8_t size[4] = {0, (uint8_t)(count >> 16), (uint8_t)(count >> 8), (uint8_t)count};
    put(p, size, sizeof size);
    put(p, "zTXt", 4);
    put(p, key, sizeof key);
    put(p, compressed, bytes - missing);
    put(p, "sum.", 4);
    free(text);
    free(compressed);
}

// Checks the prompt of a picture with `count` damaged texts before a whole one.
static void check_damaged(int count, size_t length, const char *prompt) {
    struct png *p = calloc(1, sizeof *p);
    struct fum_metadata *m = NULL;
    struct fum_error err = {0};
    put_header(p);
    for (int i = 0; i < count; i++) put_text(p, 'a', length, 4);
    put_text(p, 'b', 3, 0);
    ok(fum_metadata_decode(&m, p->data, p->bytes, "a.png", &err), &err);
    assert_string_equal(m && m->prompt ? m->prompt : "", prompt);
    fum_metadata_destroy(&m);
    free(p);
}

static void damaged_texts_are_passed_up_to_a_limit(void **state) {
    (void)state;
    check_damaged(0, 0, "bbb");
    check_damaged(3, LONG, "bbb");
    check_damaged(17, LONG, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_found_as_in_a1111),
        cmocka_unit_test(long_texts_take_no_longer_than_their_length),
        cmocka_unit_test(fields_are_limited),
        cmocka_unit_test(damaged_texts_are_passed_up_to_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
