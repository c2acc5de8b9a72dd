// SPDX-License-Identifier: MIT
// Loads weights in each way: written in place by several threads, through the staging ring and a
// kernel, and through the ring by the host. All give the same bytes, of every type, for every
// value that the type has.

#include "test.h"

#include <math.h>

#include "base/dtype.h"
#include "gpu/backend.h"
#include "weights/store.h"
#include "weights/tensors.h"

static bool progress(void *user, uint64_t done, uint64_t total) {
    uint64_t *last = user;
    assert_true(done <= total);
    assert_true(done >= last[0]);
    last[0] = done;
    last[1] = total;
    return true;
}

// A NaN may keep other bits of itself on another way.
static bool same(const uint8_t *a, const uint8_t *b, enum fum_dtype type, size_t count) {
    size_t size = fum_dtype_size(type);
    for (size_t i = 0; i < count; i++) {
        float f[2];
        if (!memcmp(a + i * size, b + i * size, size)) continue;
        fum_convert_to_f32(&f[0], a + i * size, type, 1);
        fum_convert_to_f32(&f[1], b + i * size, type, 1);
        if (f[0] == f[0] || f[1] == f[1]) return false;
    }
    return true;
}

static void load(fum_device *device, struct file *file, enum fum_dtype storage, const char *way) {
    struct fum_error err = {0};
    fum_weights *weights = NULL;
    struct fum_weight list[COUNT];
    uint64_t last[2] = {0};
    for (int i = 0; i < COUNT; i++) list[i] = weight_at(i, storage);
    struct fum_weights_params params = {.device = device,
                                        .source = {.find = find, .user = file},
                                        .label = "test",
                                        .on_progress = progress,
                                        .user = last};
    if (fum_weights_create(&weights, &params, &err) || fum_weights_load(weights, list, COUNT, &err))
        fail_msg("%s", err.text);
    assert_true(last[0] == last[1] && last[0] > 0);
    for (int i = 0; i < COUNT; i++) {
        struct fum_view view;
        struct fum_binding at = fum_weights_find(weights, &list[i]);
        const struct fum_shape *s = &tensors[i].shape;
        int64_t rows = fum_shape_rows(s), row = fum_shape_row_quads(s) * 4;
        uint8_t *want = calloc(1, at.bytes), *got = calloc(1, at.bytes);
        find(file, tensors[i].name, &view);
        fum_pack_rows(&list[i], &view, &(struct fum_pack_target){want, storage, row, 0, rows});
        if (fum_buffer_read(at.buffer, at.offset, got, at.bytes, &err)) fail_msg("%s", err.text);
        if (!same(got, want, storage, (size_t)(rows * row)))
            fail_msg("%s: %s from %s to %s differs from what the host packs", way, tensors[i].name,
                     fum_dtype_name(file->type), fum_dtype_name(storage));
        free(want);
        free(got);
    }
    fum_weights_destroy(&weights);
}

static void weights_arrive_by_every_way(void **state) {
    (void)state;
    static const unsigned ways[] = {0, FUM_WITHOUT_UNIFIED,
                                    FUM_WITHOUT_UNIFIED | FUM_WITHOUT_TIMELINE};
    static const char *const names[] = {"in place", "by the kernel", "by the kernel, with fences"};
    static const enum fum_dtype types[] = {FUM_F32, FUM_F16, FUM_BF16};
    size_t bytes = 4 * 3 * 3 * 640 * 512 + 64;
    struct file file = {.data = malloc(bytes)};
    uint32_t random = 7;
    for (size_t i = 0; i < bytes; i++)
        file.data[i] = (uint8_t)((random = random * 1664525u + 1013904223u) >> 24);
    for (int way = 0; way < 3; way++) {
        struct fum_error err = {0};
        fum_device *device = NULL;
        if (fum_device_create_without(&device, &(struct fum_device_params){.validate = true},
                                      ways[way], &err)) {
            fprintf(stderr, "%s\n", err.text);
            exit(getenv("FUM_REQUIRE_DEVICE") ? 1 : 77);
        }
        for (int from = 0; from < 3; from++)
            for (int to = 0; to < 3; to++) {
                file.type = types[from];
                load(device, &file, types[to], names[way]);
            }
        assert_int_equal(fum_device_memory_used(device), 0);
        assert_int_equal(fum_device_validation_messages(device), 0);
        fum_device_destroy(&device);
    }
    free(file.data);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(weights_arrive_by_every_way)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
