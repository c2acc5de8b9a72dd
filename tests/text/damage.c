// SPDX-License-Identifier: MIT
// Runs a fuzz target (tests/fuzz) over good inputs and thousands of damaged ones, the same every
// time. Bits are flipped, bytes are taken out, put in and moved, ends are cut off, two inputs are
// joined. The sanitizers watch.
#include "test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SEED(text) \
    { text, sizeof(text) - 1 }

enum { ROUNDS = 3000, MAX_BYTES = 4096 };

static const struct {
    const char *data;
    size_t size;
} seeds[] = {
    SEED(""),
    SEED("{\"a\": 0, \"b</w>\": 1, \"ab</w>\": 2, \"<|startoftext|>\": 3, \"<|endoftext|>\": "
         "4}\0#version: "
         "0.2\na b</w>\n"),
    SEED("{\"a\": 0, \"b\": 1, \"b</w>\": 5, \"ab\": 2, \"abab\": 7, \"<|startoftext|>\": 3, "
         "\"<|endoftext|>\": 4}\0a b\r\nab ab"),
    SEED(
        "{\"\\u00e9\": 0, \"\\ud83d\\ude00\": 1, \"<|startoftext|>\": 70, \"<|endoftext|>\": 4}\0"),
    SEED("{\"vocab\": {\"a\": 0, \"b\": 1, \"ab\": 2, \"b</w>\": 3, \"ab</w>\": 4}, \"merges\": "
         "[\"a b\", "
         "\"a b</w>\"]}"),
    SEED("{\"type\": \"BPE\", \"vocab\": {\"a\": 0, \"b\": 1, \"ab\": 2, \"aab\": 9}, \"merges\": "
         "[[\"a\", "
         "\"b\"], [\"a\", \"ab\"]]}"),
    SEED("A smiling cat's face, 42!! <|endoftext|> caf\xc3\xa9 e\xcc\x81 \xe7\x8c\xab "
         "\xf0\x9f\x98\x80 "
         "abcabcaaaaaa"),
    SEED("\xc4\xb0\xcc\x87\xcc\xa3\xcd\x85 \xea\xb0\x80\xe1\x86\xa8 "
         "\xf0\x91\x98\x9e\xf0\x91\x98\x9e "
         "\xed\xa0\x80 \xff\xfe\x00\x01 </w>"),
    SEED("<|startoftext|>!!<|ENDOFTEXT|>'s 's '' don't \xe3\x80\x80\xc2\xa0\xe2\x80\x8b\x1c\x85 "
         "abab##!! ## "
         "!!"),
};

static uint32_t next(uint64_t *state) { // an LCG with the high half as its answer
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 32);
}

static size_t damage(uint8_t *data, size_t size, uint64_t *random) {
    static const char *const hints[] = {
        "\"", "{",  "}",  "[",    "]",       ":",        ",",        "</w>",
        " ",  "\n", "-1", "1e99", "\\u0000", "\xcc\x81", "\xf0\x9f", "<|endoftext|>",
        "'s"};
    size_t at = size ? next(random) % size : 0;
    const char *hint = hints[next(random) % (sizeof(hints) / sizeof(hints[0]))];
    size_t length = strlen(hint), count;
    switch (next(random) % 5) {
    case 0:
        if (size) data[at] ^= (uint8_t)(1u << next(random) % 8);
        return size;
    case 1: return at;
    case 2: // a stretch taken out
        count = size ? 1 + next(random) % (size - at) : 0;
        memmove(data + at, data + at + count, size - at - count);
        return size - count;
    case 3: // something put in
        if (size + length > MAX_BYTES) return size;
        memmove(data + at + length, data + at, size - at);
        memcpy(data + at, hint, length);
        return size + length;
    default: // a stretch repeated
        count = (size - at) / 2;
        if (size + count > MAX_BYTES) return size;
        memmove(data + at + count, data + at, size - at);
        return size + count;
    }
}

// The target sees a copy of exactly this size, so that reading past its end is found.
static void run(const uint8_t *data, size_t size) {
    uint8_t *exact = malloc(size ? size : 1);
    assert_non_null(exact);
    memcpy(exact, data, size);
    assert_int_equal(LLVMFuzzerTestOneInput(exact, size), 0);
    free(exact);
}

static void damaged_inputs_are_refused_or_read(void **state) {
    (void)state;
    static uint8_t data[MAX_BYTES];
    const size_t count = sizeof(seeds) / sizeof(seeds[0]);
    uint64_t random = 20261121;
    for (size_t i = 0; i < count; i++) run((const uint8_t *)seeds[i].data, seeds[i].size);
    for (int round = 0; round < ROUNDS; round++) {
        size_t first = next(&random) % count, size = seeds[first].size;
        memcpy(data, seeds[first].data, size);
        if (next(&random) % 8 == 0) {
            size_t second = next(&random) % count;
            memcpy(data + size, seeds[second].data, seeds[second].size);
            size += seeds[second].size;
        }
        for (uint32_t n = 1 + next(&random) % 4; n; n--) size = damage(data, size, &random);
        run(data, size);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(damaged_inputs_are_refused_or_read)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
