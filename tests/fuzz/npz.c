// SPDX-License-Identifier: MIT
// Fuzzes the readers of zip archives and of NumPy's arrays. An input that begins as an archive or
// an array does is one. Others choose damage to an archive of tests/data, or to an array that is
// made here, alone or in an archive. tests/io/npz.c calls it too.
#include "base/alloc.h"
#include "io/npy.h"
#include "samples.h"
#include "zip_made.h"

#include <stdio.h>
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

// ---- made files ----

static const char *pick(struct choices *c, const char *const *words, uint32_t count) {
    return words[choose(c, count)];
}
#define PICK(c, words) pick(c, words, sizeof words / sizeof *words)

// Puts one of the header's three entries.
static size_t put_entry(char *text, uint32_t which, struct choices *c) {
    static const char *const types[] = {"<f8", "<f4",  ">f8", ">f4", "=f8", "|f4",
                                        "<i8", "<c16", "",    "<f2", "|O",  "<U99999"},
                             *const orders[] = {"False", "True", "true", "0"},
                             *const shapes[] = {"(2, 3)",    "(6,)",
                                                "()",        "(3L, 2L)",
                                                "(1,)",      "(0, 5)",
                                                "(2, 3, 1)", "(1,1,1,1,1,1,1,1)",
                                                "(6",        "(1, , 2)",
                                                "(-1,)",     "(1,1,1,1,1,1,1,1,1)",
                                                "6",         "(9223372036854775807, 4)"};
    if (which == 0) return (size_t)sprintf(text, "'descr': '%s'", PICK(c, types));
    if (which == 1) return (size_t)sprintf(text, "'fortran_order': %s", PICK(c, orders));
    return (size_t)sprintf(text, "\"shape\": %s", PICK(c, shapes));
}

static size_t make_array(uint8_t *bytes, struct choices *c) {
    static const char *const seps[] = {", ", ",", "", ",,", " , "};
    char text[512] = "{";
    size_t used = 1, at;
    uint32_t version = 1 + choose(c, 3), first = choose(c, 3);
    for (uint32_t i = 0; i < 3; i++) {
        if (one_in(c, 32)) continue;
        used += put_entry(text + used, (first + i) % 3, c);
        used += (size_t)sprintf(text + used, "%s", i < 2 || one_in(c, 2) ? PICK(c, seps) : "");
    }
    if (!one_in(c, 32)) text[used++] = '}';
    text[used++] = '\n';
    memcpy(bytes, "\x93NUMPY", 6);
    bytes[6] = (uint8_t)(one_in(c, 16) ? choose(c, 256) : version);
    bytes[7] = 0;
    at = version == 1 ? 10 : 12;
    zip_made_put(bytes + 8, used, version == 1 ? 2 : 4);
    memcpy(bytes + at, text, used);
    for (size_t i = 0; i < 48; i++) bytes[at + used + i] = (uint8_t)(i * 29);
    size_t size = at + used + 48 - choose(c, 3) * 24;
    if (one_in(c, 4)) sample_change(bytes, &size, c);
    return size;
}

static void try_made_array(struct choices *c) {
    static uint8_t bytes[SAMPLE_MOST_BYTES];
    size_t size = make_array(bytes, c);
    uint8_t *exact = sample_copy(bytes, size);
    try_array(exact, size);
    free(exact);
}

static void try_made_archive(struct choices *c) {
    static const char *const names[] = {"mu.npy", "sigma.npy", "mu", "x/mu.npy", ""};
    static uint8_t array[SAMPLE_MOST_BYTES];
    static struct zip_made zip;
    zip.size = zip.directory_size = zip.count = 0;
    for (uint32_t n = 1 + choose(c, 3); n; n--) {
        size_t size = make_array(array, c);
        zip_made_add(&zip, PICK(c, names), array, size, one_in(c, 2));
    }
    zip_made_end(&zip, one_in(c, 4));
    if (one_in(c, 2)) sample_change(zip.bytes, &zip.size, c);
    uint8_t *exact = sample_copy(zip.bytes, zip.size);
    try_archive(exact, zip.size);
    free(exact);
}

static void try_damaged(struct choices *c) {
    static struct samples samples;
    size_t size = 0;
    if (!samples.count) {
        samples_add_file(&samples, "evaluate/fake.npz");
        samples_add_file(&samples, "evaluate/single.npz");
    }
    uint8_t *exact = sample_damage(&samples, c, &size);
    try_archive(exact, size);
    free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static void (*const kinds[])(struct choices *) = {try_made_array, try_made_archive,
                                                      try_damaged};
    struct choices c = {data, size, 0};
    if (size && data[0] == 0x93)
        try_array(data, size);
    else if (size && data[0] == 'P')
        try_archive(data, size);
    else
        kinds[choose(&c, 3)](&c);
    return 0;
}
