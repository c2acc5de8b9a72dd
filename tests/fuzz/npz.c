// SPDX-License-Identifier: MIT
// Fuzzes the readers of zip archives and of NumPy's arrays, using libFuzzer: an input is an archive
// or an array. tests/io/npz.c calls it too.
#include "base/alloc.h"
#include "io/npy.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(enum fum_result result, const struct fum_npy *array,
                  const struct fum_error *err) {
    if (result ? array->values || !err->text[0] || strchr(err->text, '\n') : !array->values)
        abort();
}

static void try_array(const uint8_t *data, size_t size) {
    struct fum_error err = {0};
    struct fum_npy array;
    check(fum_npy_parse(&array, data, size, "fuzz.npy", &err), &array, &err);
    fum_npy_free(&array);
}

static void try_archive(const uint8_t *data, size_t size) {
    struct fum_view bytes = {.dtype = FUM_U8, .rank = 1, .dim = {(int64_t)size}, .data = data};
    struct fum_error err = {0};
    struct fum_npy array;
    struct fum_zip zip;
    fum_arena *arena = fum_arena_create();
    if (!arena) abort();
    enum fum_result result = fum_zip_open(&zip, arena, "fuzz.npz", &bytes, &err);
    if (result && !err.text[0]) abort();
    for (size_t i = 0; i < zip.count && !result; i++) {
        uint8_t *unpacked = NULL;
        if (!fum_zip_read(&zip, &zip.entries[i], 1 << 20, &unpacked, &err))
            try_array(unpacked, (size_t)zip.entries[i].bytes);
        fum_free(unpacked);
    }
    if (!result) {
        check(fum_npz_read(&array, &zip, "mu", &err), &array, &err);
        fum_npy_free(&array);
    }
    fum_arena_destroy(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size && data[0] == 0x93)
        try_array(data, size);
    else
        try_archive(data, size);
    return 0;
}
