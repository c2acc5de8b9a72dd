// SPDX-License-Identifier: MIT
// Compares edges with those that OpenCV finds (tests/golden/canny.py).
#include "test.h"

#include "base/alloc.h"
#include "base/file.h"
#include "io/canny.h"
#include "io/loader.h"

static const struct fum_view *find(const fum_loader *golden, int index, const char *what) {
    char name[32];
    snprintf(name, sizeof name, "%d.%s", index, what);
    const struct fum_loader_tensor *tensor = fum_loader_find(golden, name);
    return tensor ? &tensor->view : NULL;
}

static void edges_are_those_of_opencv(void **state) {
    const fum_loader *golden = *state;
    int index = 0;
    for (const struct fum_view *picture; (picture = find(golden, index, "picture")); index++) {
        const uint8_t *expected = find(golden, index, "edges")->data;
        float thresholds[2];
        memcpy(thresholds, find(golden, index, "thresholds")->data, sizeof thresholds);
        int height = (int)picture->dim[0], width = (int)picture->dim[1];
        uint8_t *pixels = malloc((size_t)height * (size_t)width * (size_t)picture->dim[2]);
        memcpy(pixels, picture->data, (size_t)height * (size_t)width * (size_t)picture->dim[2]);
        const struct fum_bitmap from = {pixels, width, height, (int)picture->dim[2]};
        struct fum_bitmap edges = {0};
        struct fum_error err = {0};
        ok(fum_bitmap_canny(&from, (double)thresholds[0], (double)thresholds[1], &edges, &err),
           &err);
        assert_int_equal(edges.channels, 1);
        assert_memory_equal(edges.pixels, expected, (size_t)height * (size_t)width);
        fum_bitmap_free(&edges);
        free(pixels);
    }
    assert_int_equal(index, 7);
}

static int set_up(void **state) {
    static char *bytes;
    struct fum_error err = {0};
    fum_loader *golden = NULL;
    size_t count = 0;
    char path[1024];
    snprintf(path, sizeof path, "%s/canny.safetensors", getenv("FUM_TEST_DATA"));
    ok(fum_file_read(path, 1 << 20, &bytes, &count, &err), &err);
    ok(fum_loader_open_memory(&golden, bytes, count, path, &err), &err);
    *state = golden;
    return 0;
}

static int tear_down(void **state) {
    fum_loader *golden = *state;
    fum_loader_close(&golden);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(edges_are_those_of_opencv)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
