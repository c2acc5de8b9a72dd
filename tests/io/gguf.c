// SPDX-License-Identifier: MIT
// GGUF files and blocks of integers against gguf-py and ggml (tests/golden/gguf_files.py).
#include "io.h"

#include "base/block.h"
#include "io/loader.h"

#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *data_path(const char *name) {
    static char paths[4][600];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/gguf/%s", getenv("FUM_TEST_DATA"), name);
    return path;
}

static fum_loader *open_data(const char *name) {
    struct fum_error err = {0};
    fum_loader *loader = NULL;
    assert_ok(fum_loader_open(&loader, data_path(name), &err), err);
    return loader;
}

// ---- reading ----

static void assert_same_values(const struct fum_view *view, const struct fum_loader_tensor *t) {
    struct fum_error err = {0};
    uint64_t bytes = fum_view_bytes(view);
    assert_int_equal(view->dtype, t->view.dtype);
    assert_int_equal(view->rank, t->view.rank);
    for (int i = 0; i < view->rank; i++) assert_int_equal(view->dim[i], t->view.dim[i]);
    uint8_t *a = malloc((size_t)bytes), *b = malloc((size_t)bytes);
    assert_ok(fum_view_read(view, 0, bytes, a, &err), err);
    assert_ok(fum_view_read(&t->view, 0, bytes, b, &err), err);
    if (memcmp(a, b, (size_t)bytes)) fail_msg("tensor %s differs", t->name);
    // A part that begins and ends within blocks, behind a moved begin.
    if (view->blocks) {
        struct fum_view part = *view;
        fum_view_skip(&part, 4 * 37);
        assert_ok(fum_view_read(&part, 4 * 250, 4 * 333, a, &err), err);
        assert_memory_equal(a, b + 4 * 287, 4 * 333);
    }
    free(a);
    free(b);
}

static void reads_every_type_to_the_bit(void **state) {
    (void)state;
    struct fum_error err = {0};
    char *bytes = NULL;
    size_t size = 0;
    fum_loader *expected = open_data("types.safetensors"), *file = open_data("types.gguf"),
               *memory = NULL;
    assert_ok(fum_file_read(data_path("types.gguf"), 1 << 20, &bytes, &size, &err), err);
    assert_ok(fum_loader_open_memory(&memory, bytes, size, "memory", &err), err);
    assert_int_equal(fum_loader_count(file), fum_loader_count(expected));
    assert_string_equal(fum_loader_metadata(file, "general.architecture"), "sd1");
    assert_string_equal(fum_loader_metadata(file, "general.name"), "every type");
    for (size_t i = 0; i < fum_loader_count(expected); i++) {
        const struct fum_loader_tensor *t = fum_loader_at(expected, i);
        assert_same_values(&fum_loader_find(file, t->name)->view, t);
        assert_same_values(&fum_loader_find(memory, t->name)->view, t);
    }
    fum_loader_close(&file);
    fum_loader_close(&memory);
    fum_loader_close(&expected);
    fum_free(bytes);
}

// Blocks go from the file to where they are needed without a change.
static void hands_out_blocks_as_they_are(void **state) {
    (void)state;
    struct fum_error err = {0};
    fum_loader *file = open_data("types.gguf");
    for (int i = 0; fum_block_types[i]; i++) {
        const struct fum_block_type *type = fum_block_types[i];
        const struct fum_loader_tensor *t = fum_loader_find(file, type->title);
        struct fum_view view = t->view;
        assert_ptr_equal(view.blocks, type);
        assert_string_equal(t->type, type->title);
        view.dim[0] = 1; // the second row
        fum_view_skip(&view, 512 * sizeof(float));
        void *blocks = NULL;
        float got[512], expected[512];
        assert_ok(fum_view_load_blocks(&view, &blocks, &err), err);
        fum_blocks_read(type, view.block_data, 512 / (size_t)type->values, got);
        assert_ok(fum_view_read(&t->view, sizeof got, sizeof got, expected, &err), err);
        assert_memory_equal(got, expected, sizeof got);
        fum_free(blocks);
    }
    fum_loader_close(&file);
}

// ---- quantising ----

enum { ROWS = 24, COLUMNS = 256, VALUES = ROWS * COLUMNS, FIRST_USUAL = 7 };

static void read_source(float *values) {
    struct fum_error err = {0};
    fum_loader *loader = open_data("source.safetensors");
    const struct fum_view *view = &fum_loader_at(loader, 0)->view;
    assert_ok(fum_view_read(view, 0, VALUES * sizeof *values, values, &err), err);
    fum_loader_close(&loader);
}

static void rounds_as_ggml_to_the_byte(void **state) {
    (void)state;
    struct fum_error err = {0};
    float values[VALUES];
    read_source(values);
    fum_loader *rounded = open_data("rounded.safetensors");
    assert_int_equal(fum_loader_count(rounded), 5);
    for (size_t i = 0; i < fum_loader_count(rounded); i++) {
        const struct fum_loader_tensor *t = fum_loader_at(rounded, i);
        const struct fum_block_type *type = fum_block_find(t->name);
        uint8_t got[VALUES * 34 / 32], expected[VALUES * 34 / 32];
        fum_blocks_write(type, values, (size_t)(VALUES / type->values), got);
        assert_ok(fum_view_read(&t->view, 0, t->bytes, expected, &err), err);
        for (uint64_t b = 0; b < t->bytes; b++)
            if (got[b] != expected[b])
                fail_msg("%s: byte %d of block %d is %d, not %d", t->name, (int)b % type->bytes,
                         (int)b / type->bytes, got[b], expected[b]);
    }
    fum_loader_close(&rounded);
}

// The root of the mean squared error that ggml's reference has on the usual rows.
static const struct {
    const char *type;
    double error;
} ggml_errors[] = {{"q2_K", 0.014352581},
                   {"q3_K", 0.0074929784},
                   {"q4_K", 0.0035383806},
                   {"q5_K", 0.0017697827},
                   {"q6_K", 0.00087616807}};

static void errors_of_k_types_are_at_most_ggmls(void **state) {
    (void)state;
    float values[VALUES], got[VALUES];
    uint8_t blocks[ROWS * 210];
    read_source(values);
    for (size_t i = 0; i < sizeof ggml_errors / sizeof *ggml_errors; i++) {
        const struct fum_block_type *type = fum_block_find(ggml_errors[i].type);
        fum_blocks_write(type, values, ROWS, blocks);
        fum_blocks_read(type, blocks, ROWS, got);
        double sum = 0;
        int first = FIRST_USUAL * COLUMNS;
        for (int k = first; k < VALUES; k++)
            sum += (double)(got[k] - values[k]) * (double)(got[k] - values[k]);
        double error = sqrt(sum / (VALUES - first));
        if (!(error <= 1.05 * ggml_errors[i].error))
            fail_msg("%s: error %g, ggml has %g", type->name, error, ggml_errors[i].error);
        for (int k = COLUMNS; k < 2 * COLUMNS; k++) assert_true(got[k] == 0);
    }
}

// Blocks that are read and written again keep their values.
static void nonfinite_values_are_not_lost(void **state) {
    (void)state;
    for (int i = 0; fum_block_types[i]; i++) {
        const struct fum_block_type *type = fum_block_types[i];
        float values[FUM_BLOCK_MAX_VALUES] = {1, INFINITY, -2}, got[FUM_BLOCK_MAX_VALUES];
        uint8_t block[FUM_BLOCK_MAX_BYTES];
        fum_blocks_write(type, values, 1, block);
        fum_blocks_read(type, block, 1, got);
        assert_true(isnan(got[1]));
    }
}

// ---- damage ----

// Gives the target a copy of exactly `size` bytes, so that the address sanitizer sees a read past
// its end.
static void try_bytes(const char *bytes, size_t size) {
    uint8_t *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void damage_ends_in_an_error(void **state) {
    (void)state;
    char *bytes = NULL;
    size_t size = 0;
    uint32_t seed = 7;
    struct fum_error err = {0};
    assert_ok(fum_file_read(data_path("types.gguf"), 1 << 20, &bytes, &size, &err), err);
    for (size_t n = 4; n < size; n += 1 + n / 64) try_bytes(bytes, n);
    for (int i = 0; i < 4000; i++) {
        seed = seed * 1664525 + 1013904223;
        size_t at = 4 + (seed >> 8) % 1500; // in the header
        char old = bytes[at];
        bytes[at] = (char)(i % 2 ? bytes[at] ^ (1 << (seed & 7)) : (int)(seed >> 16));
        try_bytes(bytes, size);
        if (i % 8) bytes[at] = old; // some damage adds up
    }
    fum_free(bytes);
}

static void other_versions_are_refused_by_name(void **state) {
    (void)state;
    static const struct {
        uint8_t version[4];
        const char *says;
    } cases[] = {{{1, 0, 0, 0}, "GGUF version 1;"}, {{0, 0, 0, 3}, "big-endian"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t bytes[24] = "GGUF";
        struct fum_error err = {0};
        fum_loader *l = NULL;
        memcpy(bytes + 4, cases[i].version, 4);
        assert_int_equal(fum_loader_open_memory(&l, bytes, sizeof bytes, "old", &err),
                         FUM_ERR_UNSUPPORTED);
        assert_contains(err.text, cases[i].says);
    }
}

static void memory_may_run_out_anywhere(void **state) {
    (void)state;
    enum fum_result result = FUM_ERR_NOMEM;
    for (long n = 0; result; n++) {
        struct fum_error err = {0};
        fum_loader *l = NULL;
        fum_alloc_fail_after(n);
        result = fum_loader_open(&l, data_path("types.gguf"), &err);
        fum_alloc_fail_after(-1);
        if (result) assert_int_equal(result, FUM_ERR_NOMEM);
        assert_true(!result == (l != NULL));
        fum_loader_close(&l);
    }
}

int main(void) {
    const struct CMUnitTest list[] = {
        cmocka_unit_test(reads_every_type_to_the_bit),
        cmocka_unit_test(hands_out_blocks_as_they_are),
        cmocka_unit_test(rounds_as_ggml_to_the_byte),
        cmocka_unit_test(errors_of_k_types_are_at_most_ggmls),
        cmocka_unit_test(nonfinite_values_are_not_lost),
        cmocka_unit_test(damage_ends_in_an_error),
        cmocka_unit_test(other_versions_are_refused_by_name),
        cmocka_unit_test(memory_may_run_out_anywhere),
    };
    return cmocka_run_group_tests(list, NULL, NULL);
}
