// SPDX-License-Identifier: MIT
// Shared by the io tests: cmocka's required includes and a folder for files that a test makes.
#ifndef TESTS_IO_H
#define TESTS_IO_H

#include "test.h"

#include "base/file.h"

// "<cache of the tests>/io/<name>", its folder made. From a ring of a few buffers.
static inline const char *scratch(const char *name) {
    static char paths[8][600];
    static int next;
    char *path = paths[next++ % 8];
    const char *root = getenv("FUMAROLE_CACHE");
    snprintf(path, sizeof paths[0], "%s/io/%s", root ? root : ".", name);
    char *slash = strrchr(path, '/');
    *slash = 0;
    assert_int_equal(fum_path_make_dirs(path, NULL), FUM_OK);
    *slash = '/';
    return path;
}

static inline void write_file(const char *path, const void *bytes, size_t size) {
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

// A view of an array: in_memory(type, rank, array, dimension, ...).
#define in_memory(type, dimensions, array, ...) \
    { .dtype = type, .rank = dimensions, .dim = {__VA_ARGS__}, .data = array }

#define assert_ok(result, err)                   \
    do {                                         \
        enum fum_result result_ = (result);      \
        if (result_) fail_msg("%s", (err).text); \
    } while (0)
#define assert_contains(text, part)                                                      \
    do {                                                                                 \
        if (!strstr(text, part)) fail_msg("\"%s\" does not contain \"%s\"", text, part); \
    } while (0)

#endif
