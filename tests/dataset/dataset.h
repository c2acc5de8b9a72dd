// SPDX-License-Identifier: MIT
// Shared by the tests of src/data: small data sets that they write.
#ifndef TESTS_DATASET_H
#define TESTS_DATASET_H

#include "test.h"

#include "base/file.h"
#include "data/data.h"
#include "io/image.h"

// Returns "<cache of the tests>/dataset/<name>" from a ring of buffers, its folder made.
static inline const char *scratch(const char *name) {
    static char paths[16][600];
    static int next;
    char *path = paths[next++ % 16];
    const char *root = getenv("FUMAROLE_CACHE");
    snprintf(path, sizeof paths[0], "%s/dataset/%s", root ? root : ".", name);
    char *slash = strrchr(path, '/');
    *slash = 0;
    assert_int_equal(fum_path_make_dirs(path, NULL), FUM_OK);
    *slash = '/';
    return path;
}

static inline void write_file(const char *path, const void *bytes, size_t size) {
    struct fum_error err = {0};
    ok(fum_file_save(path, bytes, size, &err), &err);
}

static inline void write_text(const char *path, const char *text) {
    write_file(path, text, strlen(text));
}

// Writes a picture of one colour whose first pixel is black.
static inline void write_picture(const char *path, int width, int height, const uint8_t rgb[3]) {
    uint8_t *pixels = malloc((size_t)width * (size_t)height * 3);
    struct fum_error err = {0};
    for (int i = 0; i < width * height * 3; i++) pixels[i] = i < 3 ? 0 : rgb[i % 3];
    ok(fum_image_write_png(
           path,
           &(struct fum_picture){.pixels = pixels, .width = width, .height = height, .channels = 3},
           &err),
       &err);
    free(pixels);
}

// Opens a data set that must be good.
static inline fum_data *open_good(struct fum_data_settings settings) {
    fum_data *data = NULL;
    struct fum_error err = {0};
    ok(fum_data_open(&data, &settings, &err), &err);
    return data;
}

// Opens one that must be refused; returns the message from a buffer.
static inline const char *open_bad(struct fum_data_settings settings) {
    static char text[504];
    fum_data *data = NULL;
    struct fum_error err = {0};
    assert_int_not_equal(fum_data_open(&data, &settings, &err), FUM_OK);
    assert_null(data);
    snprintf(text, sizeof text, "%s", err.text);
    return text;
}

#define assert_contains(text, part)                                                      \
    do {                                                                                 \
        if (!strstr(text, part)) fail_msg("\"%s\" does not contain \"%s\"", text, part); \
    } while (0)

#endif
