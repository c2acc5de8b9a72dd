// SPDX-License-Identifier: MIT
// SHA-256 of the standard's examples, and the two ways to compute it against each other.
#include "test.h"

#include "base/sha256.h"

static const char *digest(const void *data, size_t bytes, size_t piece) {
    static char text[FUM_SHA256_TEXT];
    struct fum_sha256 sha;
    fum_sha256_begin(&sha);
    for (size_t at = 0; at < bytes; at += piece)
        fum_sha256_add(&sha, (const char *)data + at, piece < bytes - at ? piece : bytes - at);
    fum_sha256_end(&sha, text);
    return text;
}

static void examples_are_right(void **state) {
    (void)state;
    static char million[1000000];
    memset(million, 'a', sizeof million);
    static const char two_blocks[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    for (int use = 0; use < 2; use++) {
        fum_sha256_use_instructions(use);
        assert_string_equal(digest("", 0, 1),
                            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_string_equal(digest("abc", 3, 1),
                            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_string_equal(digest(two_blocks, 56, 56),
                            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
        assert_string_equal(digest(million, sizeof million, 4096),
                            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    }
}

static void pieces_and_instructions_do_not_matter(void **state) {
    (void)state;
    uint8_t data[300];
    uint32_t seed = 1;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)((seed = seed * 1664525 + 1013904223) >> 24);
    for (size_t bytes = 0; bytes <= sizeof data; bytes++) {
        char whole[FUM_SHA256_TEXT];
        fum_sha256_use_instructions(false);
        strcpy(whole, digest(data, bytes, sizeof data));
        fum_sha256_use_instructions(true);
        assert_string_equal(digest(data, bytes, sizeof data), whole);
        assert_string_equal(digest(data, bytes, 1 + bytes % 67), whole);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(examples_are_right),
                                       cmocka_unit_test(pieces_and_instructions_do_not_matter)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
