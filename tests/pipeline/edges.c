// SPDX-License-Identifier: MIT
// Edges that a device finds are those of the host, bit for bit, and so those of OpenCV
// (tests/golden/canny.py).
#include "open.h"

#include "base/file.h"
#include "io/canny.h"
#include "io/loader.h"
#include "pipeline/edges.h"

static fum_device *device;

// Compares the device's edges with the host's.
static void compare(const struct fum_bitmap *from, double low, double high) {
    struct fum_error err = {0};
    struct fum_bitmap host = {0}, found = {0};
    const struct fum_edges_params params = {from, low, high};
    ok(fum_bitmap_canny(from, low, high, &host, &err), &err);
    ok(fum_edges_find(device, &params, &found, &err), &err);
    assert_int_equal(found.width, from->width);
    assert_int_equal(found.height, from->height);
    assert_int_equal(found.channels, 1);
    assert_memory_equal(found.pixels, host.pixels, (size_t)from->width * (size_t)from->height);
    fum_bitmap_free(&host);
    fum_bitmap_free(&found);
}

static void edges_are_those_of_the_host(void **state) {
    const fum_loader *golden = *state;
    int count = 0;
    for (char name[32]; snprintf(name, sizeof name, "%d.picture", count) > 0; count++) {
        const struct fum_loader_tensor *picture = fum_loader_find(golden, name);
        if (!picture) break;
        float thresholds[2];
        snprintf(name, sizeof name, "%d.thresholds", count);
        memcpy(thresholds, fum_loader_find(golden, name)->view.data, sizeof thresholds);
        const int64_t *dim = picture->view.dim;
        size_t bytes = (size_t)dim[0] * (size_t)dim[1] * (size_t)dim[2];
        uint8_t *pixels = malloc(bytes);
        memcpy(pixels, picture->view.data, bytes);
        compare(&(struct fum_bitmap){pixels, (int)dim[1], (int)dim[0], (int)dim[2]},
                (double)thresholds[0], (double)thresholds[1]);
        free(pixels);
    }
    assert_int_equal(count, 7);
    assert_int_equal(fum_device_validation_messages(device), 0);
}

// An edge that is strong at one end alone is followed over several runs.
static void long_edges_are_followed_to_their_end(void **state) {
    (void)state;
    enum { SIDE = 96, SLOPE = 12 };
    uint8_t pixels[SIDE * SIDE];
    struct fum_error err = {0};
    struct fum_bitmap edges = {0};
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            int rise = x < SLOPE ? 10 * (SLOPE - x) : 0;
            pixels[y * SIDE + x] = (uint8_t)(y < SIDE / 2 ? 100 : 130 + rise);
        }
    const struct fum_bitmap from = {pixels, SIDE, SIDE, 1};
    compare(&from, 50, 400);
    ok(fum_edges_find(device, &(struct fum_edges_params){&from, 50, 400}, &edges, &err), &err);
    int last = 0;
    for (int y = 0; y < SIDE; y++) last += edges.pixels[y * SIDE + SIDE - 1] == 255;
    assert_int_equal(last, 1); // at the far end of the weak edge
    fum_bitmap_free(&edges);
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
    device = open_device(true);
    return 0;
}

static int tear_down(void **state) {
    fum_loader *golden = *state;
    fum_loader_close(&golden);
    fum_device_destroy(&device);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(edges_are_those_of_the_host),
                                       cmocka_unit_test(long_edges_are_followed_to_their_end)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
