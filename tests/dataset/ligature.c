// SPDX-License-Identifier: MIT
// Ligatures of a table GSUB that is written here, whole and damaged.
#include "test.h"

#include "data/ligature.h"

// Two lookups: ligatures of glyphs 5 and 9 (coverage by list) and, as an extension, of the glyphs
// 20 to 22 (coverage by range).
static const uint16_t table[] = {
    1, 0,  0,   0,  10,    // version, scripts, features, offset of the lookups
    2, 6,  58,             // at byte 10: two lookups
    4, 0,  1,   8,         // at 16: ligatures, no flags, one subtable
    1, 10, 2,   18, 32,    // at 24: format 1, coverage, two sets
    1, 2,  5,   9,         // at 34: glyphs 5 and 9; the first set is at 42
    1, 4,  100, 2,  6,     // glyph 100 for 5 6
    0, 0,                  // a gap; the second set is at 56
    1, 4,  101, 3,  7,  8, // glyph 101 for 9 7 8
};

static uint8_t bytes[200];
static size_t size;

static void put(uint16_t number) {
    bytes[size++] = (uint8_t)(number >> 8);
    bytes[size++] = (uint8_t)number;
}

static void make_table(void) {
    size = 0;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) put(table[i]);
    // The second lookup, at byte 10 + 58.
    assert_int_equal(size, 68);
    static const uint16_t extension[] = {
        7, 0, 1,   8,      // extensions, one subtable
        1, 4, 0,   8,      // format 1, of ligatures, 8 bytes on
        1, 8, 1,   18,     // format 1, coverage, one set
        2, 1, 20,  22, 0,  // a range from index 0
        1, 4, 102, 2,  21, // glyph 102 for 20 21
    };
    for (size_t i = 0; i < sizeof extension / sizeof *extension; i++) put(extension[i]);
}

static int find(const struct fum_gsub *gsub, int count, uint16_t a, uint16_t b, uint16_t c) {
    const uint16_t glyphs[3] = {a, b, c};
    return fum_gsub_find(gsub, glyphs, count);
}

static void ligatures_are_found(void **state) {
    (void)state;
    make_table();
    const struct fum_gsub gsub = {bytes, size};
    assert_int_equal(find(&gsub, 2, 5, 6, 0), 100);
    assert_int_equal(find(&gsub, 3, 9, 7, 8), 101);
    assert_int_equal(find(&gsub, 2, 20, 21, 0), 102);
    assert_int_equal(find(&gsub, 2, 9, 7, 0), 0);
    assert_int_equal(find(&gsub, 3, 5, 6, 6), 0);
    assert_int_equal(find(&gsub, 2, 6, 5, 0), 0);
    assert_int_equal(find(&gsub, 2, 21, 21, 0), 0);
    assert_int_equal(find(&(struct fum_gsub){NULL, 0}, 2, 5, 6, 0), 0);
}

// Damaged tables have other ligatures or none; the sanitizers watch.
static void damage_is_survived(void **state) {
    (void)state;
    uint64_t seed = 1;
    for (int round = 0; round < 3000; round++) {
        make_table();
        for (int i = 0; i < 3; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            bytes[(seed >> 33) % size] = (uint8_t)(seed >> 20);
        }
        size_t cut = round % 3 ? size : (seed >> 40) % size;
        uint8_t *copy = malloc(cut ? cut : 1);
        memcpy(copy, bytes, cut);
        int found = find(&(struct fum_gsub){copy, cut}, 2, 5, 6, 0);
        assert_in_range(found, 0, 0xffff);
        free(copy);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ligatures_are_found),
        cmocka_unit_test(damage_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
