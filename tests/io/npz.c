// SPDX-License-Identifier: MIT
// Archives and arrays of NumPy: what was written comes back, and damage ends in an error. Archives
// that NumPy wrote are read by tests/evaluate.
#include "io.h"

#include "base/alloc.h"
#include "io/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const double mean[3] = {1, -2.5, 1e300}, square[9] = {1, 2, 3, 4, 5, 6, 7, 8, 1.0 / 3};

static char *write_archive(size_t *size) {
    const struct fum_npz_array arrays[] = {{"mu", mean, 1, {3}}, {"sigma", square, 2, {3, 3}}};
    const char *path = scratch("arrays.npz");
    struct fum_error err = {0};
    char *bytes = NULL;
    assert_ok(fum_npz_write(path, arrays, 2, &err), err);
    assert_ok(fum_file_read(path, 1 << 20, &bytes, size, &err), err);
    return bytes;
}

static void arrays_come_back(void **state) {
    (void)state;
    struct fum_error err = {0};
    struct fum_npy array;
    struct fum_zip zip;
    size_t size = 0;
    char *bytes = write_archive(&size);
    struct fum_view view = {.dtype = FUM_U8, .rank = 1, .dim = {(int64_t)size}, .data = bytes};
    fum_arena *arena = fum_arena_create();
    assert_ok(fum_zip_open(&zip, arena, "arrays.npz", &view, &err), err);
    assert_int_equal(zip.count, 2);
    assert_ok(fum_npz_read(&array, &zip, "sigma", &err), err);
    assert_int_equal(array.rank, 2);
    assert_int_equal(array.dim[1], 3);
    assert_memory_equal(array.values, square, sizeof square);
    fum_npy_free(&array);
    assert_ok(fum_npz_read(&array, &zip, "mu", &err), err);
    assert_int_equal(array.count, 3);
    assert_memory_equal(array.values, mean, sizeof mean);
    fum_npy_free(&array);
    assert_int_equal(fum_npz_read(&array, &zip, "nu", &err), FUM_ERR_FORMAT);
    assert_contains(err.text, "no array \"nu\"");
    fum_arena_destroy(&arena);
    fum_free(bytes);
}

// Makes an array of four bytes from a header's text.
static void assert_array_refused(int version, const char *header, const char *says) {
    struct fum_error err = {0};
    struct fum_npy array;
    uint8_t bytes[256] = "\x93NUMPY";
    size_t length = strlen(header), prefix = version == 1 ? 10 : 12;
    bytes[6] = (uint8_t)version;
    bytes[8] = (uint8_t)length;
    memcpy(bytes + prefix, header, length);
    assert_int_not_equal(fum_npy_parse(&array, bytes, prefix + length + 4, "x.npy", &err), FUM_OK);
    assert_contains(err.text, says);
    assert_null(array.values);
}

static void odd_arrays_are_refused(void **state) {
    (void)state;
    static const char rest[] = "'fortran_order': False, 'shape': (1,)}";
    char header[128];
    static const struct {
        const char *type, *says;
    } types[] = {{"<i4", "only f4 and f8"}, {"<f2", "only f4 and f8"}, {"<c8", "only f4 and f8"},
                 {"f", "only f4 and f8"},   {"", "only f4 and f8"},    {"<f8", "found 4"}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        snprintf(header, sizeof header, "{'descr': '%s', %s", types[i].type, rest);
        assert_array_refused(1, header, types[i].says);
    }
    assert_array_refused(4, "{}", "version 4");
    assert_array_refused(2, "{}", "header is not that");
    assert_array_refused(1, "{'descr': [('a', '<f4')]}", "header is not that");
    assert_array_refused(1, "{'descr': '<f4', 'shape': (1,)}", "header is not that");
    assert_array_refused(
        3, "{'descr': '<f4', 'fortran_order': True, 'shape': (4294967296, 4294967296)}",
        "overflows");
    assert_array_refused(3, "{'descr': '<f4', 'fortran_order': True, 'shape': (-1,)}",
                         "header is not that");
}

static void damage_ends_in_an_error(void **state) {
    (void)state;
    size_t size = 0;
    uint32_t seed = 3;
    char *bytes = write_archive(&size);
    for (size_t n = 0; n <= size; n++) {
        uint8_t *copy = malloc(n ? n : 1);
        assert_non_null(copy);
        memcpy(copy, bytes, n);
        LLVMFuzzerTestOneInput(copy, n);
        free(copy);
    }
    for (int i = 0; i < 20000; i++) {
        seed = seed * 1664525 + 1013904223;
        size_t at = (seed >> 8) % size;
        char old = bytes[at];
        bytes[at] = (char)(i % 2 ? bytes[at] ^ (1 << (seed & 7)) : (int)(seed >> 16));
        LLVMFuzzerTestOneInput((uint8_t *)bytes, size);
        if (i % 8) bytes[at] = old; // some damage adds up
        if (i % 500 == 0) {
            fum_free(bytes);
            bytes = write_archive(&size);
        }
    }
    fum_free(bytes);
}

int main(void) {
    const struct CMUnitTest list[] = {
        cmocka_unit_test(arrays_come_back),
        cmocka_unit_test(odd_arrays_are_refused),
        cmocka_unit_test(damage_ends_in_an_error),
    };
    return cmocka_run_group_tests(list, NULL, NULL);
}
