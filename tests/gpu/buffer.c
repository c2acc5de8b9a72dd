// SPDX-License-Identifier: MIT
// Bytes to the device and back, mapped and through staging.
#include "silu.h"

enum { LARGE = 17 * 1000 * 1000 + 3 };

static void fill(uint8_t *bytes, size_t count, uint32_t seed) {
    for (size_t i = 0; i < count; i++)
        bytes[i] = (uint8_t)((seed = seed * 1664525u + 1013904223u) >> 24);
}

static void round_trip(fum_device *device, uint64_t bytes) {
    struct fum_error err = {0};
    uint8_t *in = malloc(bytes + 1), *out = calloc(bytes + 1, 1);
    fill(in, bytes, (uint32_t)bytes);
    fum_buffer *buffer = make_buffer(device, bytes, "trip");
    assert_int_equal(fum_buffer_size(buffer), bytes);
    ok(fum_buffer_write(buffer, 0, in, bytes, &err), &err);
    ok(fum_buffer_read(buffer, 0, out, bytes, &err), &err);
    assert_memory_equal(in, out, bytes);
    if (bytes > 7) { // a window in the middle, unaligned
        ok(fum_buffer_write(buffer, 3, in, bytes - 7, &err), &err);
        ok(fum_buffer_read(buffer, 3, out, bytes - 7, &err), &err);
        assert_memory_equal(in, out, bytes - 7);
    }
    assert_int_equal(fum_buffer_write(buffer, 1, in, bytes, &err), FUM_ERR_ARG);
    assert_int_equal(fum_buffer_read(buffer, UINT64_MAX, out, 2, &err), FUM_ERR_ARG);
    assert_non_null(strstr(err.text, "trip"));
    fum_buffer_destroy(&buffer);
    free(in);
    free(out);
}

static void bytes_survive_round_trips(void **state) {
    (void)state;
    const uint64_t sizes[] = {0, 1, 15, 16, 17, 4097, LARGE, 2 * FUM_STAGING_BYTES + 1};
    const unsigned kinds[] = {0, FUM_WITHOUT_UNIFIED, FUM_WITHOUT_UNIFIED | FUM_WITHOUT_TIMELINE};
    for (int k = 0; k < 3; k++) {
        fum_device *device = open_without(kinds[k]);
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) round_trip(device, sizes[i]);
        assert_int_equal(fum_device_memory_used(device), 0);
        assert_true(fum_device_memory_peak(device) >= LARGE);
        fum_device_destroy(&device);
    }
}

static void host_buffers_are_mapped(void **state) {
    (void)state;
    fum_device *device = open_without(FUM_WITHOUT_UNIFIED);
    struct fum_error err = {0};
    fum_buffer *buffer = NULL;
    ok(fum_buffer_create(&buffer, device,
                         &(struct fum_buffer_params){64, FUM_BUFFER_HOST, "counter"}, &err),
       &err);
    assert_non_null(fum_buffer_map(buffer));
    memcpy(fum_buffer_map(buffer), "hello", 6);
    char text[6];
    ok(fum_buffer_read(buffer, 0, text, 6, &err), &err);
    assert_string_equal(text, "hello");
    fum_buffer_destroy(&buffer);
    fum_buffer_destroy(&buffer);
    fum_device_destroy(&device);
}

// Streams one buffer in pieces, and one that is never ended.
static void stream(unsigned without) {
    fum_device *device = open_without(without);
    struct fum_error err = {0};
    enum { PIECE = 1 << 20, PIECES = 5 };
    uint8_t *in = malloc(PIECE * PIECES), *out = malloc(PIECE * PIECES);
    fill(in, PIECE * PIECES, 1);
    fum_buffer *buffer = make_buffer(device, PIECE * PIECES, "weights");
    void *where = NULL;
    for (int i = 0; i < PIECES; i++) {
        ok(fum_buffer_upload_begin(buffer, (uint64_t)i * PIECE, PIECE, &where, &err), &err);
        memcpy(where, in + (size_t)i * PIECE, PIECE);
        assert_int_equal(fum_buffer_upload_begin(buffer, 0, 1, &where, &err), FUM_ERR_ARG);
        ok(fum_buffer_upload_end(buffer, &err), &err);
    }
    assert_int_equal(fum_buffer_upload_end(buffer, &err), FUM_ERR_ARG);
    assert_int_equal(fum_buffer_upload_begin(buffer, PIECE * PIECES, 1, &where, &err), FUM_ERR_ARG);
    ok(fum_buffer_read(buffer, 0, out, PIECE * PIECES, &err), &err);
    assert_memory_equal(in, out, PIECE * PIECES);
    ok(fum_buffer_upload_begin(buffer, 0, 16, &where, &err), &err);
    fum_buffer_destroy(&buffer); // gives its half of the ring back
    for (int i = 0; i < 3; i++) round_trip(device, 100);
    fum_device_destroy(&device);
    free(in);
    free(out);
}

static void uploads_can_be_streamed(void **state) {
    (void)state;
    stream(0);
    stream(FUM_WITHOUT_UNIFIED);
}

static void too_large_buffers_are_refused(void **state) {
    (void)state;
    fum_device *device = open_without(0);
    const struct fum_device_info *info = fum_device_get_info(device);
    uint64_t limit =
        info->max_buffer < info->max_allocation ? info->max_buffer : info->max_allocation;
    struct fum_error err = {0};
    fum_buffer *buffer = NULL;
    assert_int_equal(
        fum_buffer_create(&buffer, device,
                          &(struct fum_buffer_params){limit + 1, FUM_BUFFER_DEVICE, "giant"}, &err),
        FUM_ERR_UNSUPPORTED);
    assert_null(buffer);
    assert_non_null(strstr(err.text, "giant"));
    fum_device_destroy(&device);
}

static void count_bytes(void *user, const struct fum_trace_event *event) {
    uint64_t *bytes = user;
    bytes[event->kind] += event->bytes;
    assert_true(event->end >= event->start);
    if (event->kind == FUM_TRACE_UPLOAD) assert_string_equal(event->label, "traced");
}

static void transfers_are_traced(void **state) {
    (void)state;
    fum_device *device = open_without(0);
    struct fum_error err = {0};
    uint64_t bytes[FUM_TRACE_ALLOC + 1] = {0};
    fum_device_set_trace(device, count_bytes, bytes);
    fum_buffer *buffer = make_buffer(device, 100, "traced");
    uint8_t data[100] = {0};
    ok(fum_buffer_write(buffer, 0, data, 60, &err), &err);
    ok(fum_buffer_read(buffer, 0, data, 40, &err), &err);
    fum_device_set_trace(device, NULL, NULL);
    ok(fum_buffer_read(buffer, 0, data, 40, &err), &err);
    assert_int_equal(bytes[FUM_TRACE_ALLOC], 100);
    assert_int_equal(bytes[FUM_TRACE_UPLOAD], 60);
    assert_int_equal(bytes[FUM_TRACE_READBACK], 40);
    fum_buffer_destroy(&buffer);
    fum_device_destroy(&device);
}

// No padded buffer is a power of two, no padded view has bits 8 to 15 clear, and there is room for
// the view.
static void padded_sizes_avoid_both_traits(void **state) {
    (void)state;
    const uint64_t sizes[] = {
        0,      16, 255, 256, 257, 768, 3840, 4096, 65280, 65536, 65792, 6553600, (1 << 24) - 256,
        1 << 28};
    const struct fum_device_info cpu = {.type = FUM_DEVICE_CPU},
                                 gpu = {.type = FUM_DEVICE_DISCRETE};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint64_t buffer = sizes[i] + fum_padding_slack(sizes[i]),
                 view = fum_padded_view(&cpu, sizes[i]);
        assert_true(buffer & (buffer - 1));
        assert_true(view >> 8 & 0xff);
        assert_true(view >= sizes[i] && view <= buffer && buffer <= sizes[i] + 2 * FUM_VIEW_SLACK);
        assert_int_equal(view % 16, sizes[i] % 16);
        assert_int_equal(fum_padded_view(&gpu, sizes[i]), sizes[i]);
    }
}

int main(void) {
    need_device();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_survive_round_trips),
        cmocka_unit_test(host_buffers_are_mapped),
        cmocka_unit_test(uploads_can_be_streamed),
        cmocka_unit_test(too_large_buffers_are_refused),
        cmocka_unit_test(transfers_are_traced),
        cmocka_unit_test(padded_sizes_avoid_both_traits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
