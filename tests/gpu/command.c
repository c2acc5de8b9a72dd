// SPDX-License-Identifier: MIT
// Recording and running: results, barriers, timestamps, tickets.
#define _POSIX_C_SOURCE 200809L
#include "silu.h"

#include "base/file.h"

#include <time.h>

enum { BYTES = 4096, FLOATS = BYTES / 4 };

static void a_dispatch_computes(void **state) {
    (void)state;
    const unsigned kinds[] = {0, FUM_WITHOUT_TIMELINE, FUM_WITHOUT_UNIFIED | FUM_WITHOUT_TIMELINE};
    for (int kind = 0; kind < 3; kind++) {
        fum_device *device = open_without(kinds[kind]);
        struct fum_error err = {0};
        float x[FLOATS], y[FLOATS];
        for (int i = 0; i < FLOATS; i++) x[i] = (float)(i - FLOATS / 2) / 32;
        fum_buffer *a = make_buffer(device, BYTES, "x"), *b = make_buffer(device, BYTES, "y");
        ok(fum_buffer_write(a, 0, x, BYTES, &err), &err);
        fum_command *command = make_command(device, "chain");
        const fum_kernel *kernel = silu_kernel(device);
        add_silu(command, kernel, at(a, 0), at(b, 0), BYTES);
        add_silu(command, kernel, at(b, 0), at(a, 0), BYTES);
        ok(fum_command_copy(command,
                            &(struct fum_buffer_copy){
                                .src = a, .dst = b, .dst_offset = BYTES / 2, .bytes = BYTES / 2},
                            &err),
           &err);
        ok(fum_command_end(command, &err), &err);
        assert_int_equal(fum_command_dispatches(command), 2);
        assert_int_equal(fum_command_barriers(command), 2);
        run(device, command);
        ok(fum_buffer_read(b, 0, y, BYTES, &err), &err);
        for (int i = 0; i < FLOATS / 2; i++) {
            float once = silu(x[i]), twice = silu(once);
            assert_true(fabsf(y[i] - once) <= 1e-5f * (1 + fabsf(once)));
            assert_true(fabsf(y[FLOATS / 2 + i] - twice) <= 1e-5f * (1 + fabsf(twice)));
        }
        fum_command_destroy(&command);
        fum_buffer_destroy(&a);
        fum_buffer_destroy(&b);
        fum_device_destroy(&device);
    }
}

// The same accesses give the same counts on a real device and on a planning one.
static void count_barriers(fum_device *device) {
    struct fum_error err = {0};
    const fum_kernel *kernel = silu_kernel(device);
    fum_buffer *a = make_buffer(device, 2 * BYTES, "a"), *b = make_buffer(device, 2 * BYTES, "b");
    fum_buffer *c = make_buffer(device, 2 * BYTES, "c");
    fum_command *command = make_command(device, "count");
    add_silu(command, kernel, at(a, 0), at(b, 0), BYTES);
    add_silu(command, kernel, at(a, 0), at(c, 0), BYTES);         // reads what is read
    add_silu(command, kernel, at(a, BYTES), at(b, BYTES), BYTES); // another half
    assert_int_equal(fum_command_barriers(command), 0);
    add_silu(command, kernel, at(b, BYTES), at(c, BYTES), BYTES); // read after write
    assert_int_equal(fum_command_barriers(command), 1);
    // c was written before that barrier, a read before it
    add_silu(command, kernel, at(c, 0), at(a, BYTES), BYTES);
    assert_int_equal(fum_command_barriers(command), 1);
    add_silu(command, kernel, at(a, 0), at(c, 0), BYTES); // write after read
    assert_int_equal(fum_command_barriers(command), 2);
    add_silu(command, kernel, at(b, 0), at(c, 0), BYTES); // write after write
    assert_int_equal(fum_command_barriers(command), 3);
    add_silu(command, kernel, at(b, 0), at(a, 0), 0); // nothing
    assert_int_equal(fum_command_barriers(command), 3);
    ok(fum_command_copy(
           command,
           &(struct fum_buffer_copy){.src = c, .src_offset = BYTES - 16, .dst = a, .bytes = 16},
           &err),
       &err); // one byte range overlaps
    assert_int_equal(fum_command_barriers(command), 4);
    add_silu(command, kernel, at(b, 0), at(b, 0), BYTES); // in place, against itself
    assert_int_equal(fum_command_barriers(command), 4);
    assert_int_equal(fum_command_dispatches(command), 9);
    ok(fum_command_end(command, &err), &err);
    fum_command_destroy(&command);
    fum_buffer_destroy(&a);
    fum_buffer_destroy(&b);
    fum_buffer_destroy(&c);
}

static void barriers_stand_only_between_conflicts(void **state) {
    (void)state;
    fum_device *device = open_without(0);
    count_barriers(device);
    fum_device_destroy(&device);
    struct fum_error err = {0};
    ok(fum_device_create_planning(&device, "amd-rdna2", &err), &err);
    count_barriers(device);
    fum_device_destroy(&device);
}

// An empty window at the very end of a buffer, and in an empty buffer.
static void empty_windows_are_bound(void **state) {
    (void)state;
    fum_device *device = open_without(0);
    struct fum_error err = {0};
    fum_buffer *a = make_buffer(device, 4096, "a"), *none = make_buffer(device, 0, "none");
    fum_command *command = make_command(device, "empty");
    add_silu(command, silu_kernel(device), at(a, 4096), at(none, 0), 0);
    ok(fum_command_end(command, &err), &err);
    run(device, command);
    fum_command_destroy(&command);
    fum_buffer_destroy(&a);
    fum_buffer_destroy(&none);
    fum_device_destroy(&device);
}

static void wrong_calls_are_refused(void **state) {
    (void)state;
    fum_device *device = open_without(0);
    struct fum_error err = {0};
    const fum_kernel *kernel = silu_kernel(device);
    fum_buffer *a = make_buffer(device, BYTES, "a");
    fum_command *command = make_command(device, "bad");
    uint32_t quads = 1, groups[3] = {1, 1, 1}, none[3] = {1, 0, 1}, many[3] = {1, UINT32_MAX, 1};
    struct fum_binding fine[] = {{a, 0, 16, false}, {a, 64, 16, true}};
    struct fum_binding outside[] = {{a, 0, 16, false}, {a, BYTES, 16, true}};
    struct fum_binding crooked[] = {{a, 1, 16, false}, {a, 64, 16, true}};
    struct fum_binding absent[] = {{a, 0, 16, false}, {NULL, 0, 16, true}};
    assert_int_equal(
        fum_command_dispatch(
            command, &(struct fum_kernel_call){kernel, outside, &quads, groups, "node"}, &err),
        FUM_ERR_ARG);
    assert_non_null(strstr(err.text, "node"));
    assert_int_equal(
        fum_command_dispatch(
            command, &(struct fum_kernel_call){kernel, crooked, &quads, groups, "node"}, &err),
        FUM_ERR_ARG);
    assert_int_equal(
        fum_command_dispatch(
            command, &(struct fum_kernel_call){kernel, absent, &quads, groups, "node"}, &err),
        FUM_ERR_ARG);
    assert_int_equal(
        fum_command_dispatch(command, &(struct fum_kernel_call){kernel, fine, &quads, none, "node"},
                             &err),
        FUM_ERR_ARG);
    assert_int_equal(
        fum_command_dispatch(command, &(struct fum_kernel_call){kernel, fine, &quads, many, "node"},
                             &err),
        FUM_ERR_UNSUPPORTED);
    assert_int_equal(
        fum_command_copy(
            command, &(struct fum_buffer_copy){.src = a, .dst = a, .dst_offset = 8, .bytes = 16},
            &err),
        FUM_ERR_ARG);
    assert_int_equal(
        fum_command_copy(
            command, &(struct fum_buffer_copy){.src = a, .src_offset = BYTES, .dst = a, .bytes = 1},
            &err),
        FUM_ERR_ARG);
    assert_int_equal(fum_command_submit(command, NULL, &err), FUM_ERR_ARG);
    ok(fum_command_end(command, &err), &err);
    assert_int_equal(
        fum_command_dispatch(command,
                             &(struct fum_kernel_call){kernel, fine, &quads, groups, "node"}, &err),
        FUM_ERR_ARG);
    assert_int_equal(fum_command_dispatches(command), 0);
    assert_int_equal(fum_device_wait(device, 77, &err), FUM_ERR_ARG);
    fum_command_destroy(&command);
    fum_buffer_destroy(&a);
    fum_device_destroy(&device);
}

// The same command many times without waiting between: each starts after the one before has
// written.
static void resubmit(unsigned without) {
    fum_device *device = open_without(without);
    struct fum_error err = {0};
    float x[4] = {3, 2, 1, 0.5f}, y[4];
    fum_buffer *a = make_buffer(device, 16, "a"), *b = make_buffer(device, 16, "b");
    ok(fum_buffer_write(a, 0, x, 16, &err), &err);
    fum_command *command = make_command(device, "step");
    const fum_kernel *kernel = silu_kernel(device);
    add_silu(command, kernel, at(a, 0), at(b, 0), 16);
    add_silu(command, kernel, at(b, 0), at(a, 0), 16);
    ok(fum_command_end(command, &err), &err);
    uint64_t ticket = 0, last = 0;
    for (int i = 0; i < 100; i++) {
        ok(fum_command_submit(command, &ticket, &err), &err);
        assert_true(ticket > last);
        last = ticket;
        for (int j = 0; j < 4; j++) x[j] = silu(silu(x[j]));
    }
    ok(fum_device_wait(device, ticket, &err), &err);
    ok(fum_device_wait(device, 1, &err), &err); // long finished
    ok(fum_buffer_read(a, 0, y, 16, &err), &err);
    for (int j = 0; j < 4; j++) assert_true(fabsf(y[j] - x[j]) <= 1e-4f * fabsf(x[j]) + 1e-30f);
    fum_command_destroy(&command);
    fum_buffer_destroy(&a);
    fum_buffer_destroy(&b);
    fum_device_destroy(&device);
}

static void commands_run_again_and_again(void **state) {
    (void)state;
    resubmit(0);
    resubmit(FUM_WITHOUT_TIMELINE);
}

// Runs slow work once: timestamps agree with the wall clock, and waiting sleeps, so the waiting
// thread spends far less CPU time than wall time. Returns false if the wall clock ran on after the
// work had ended, as on a machine in use.
static bool time_work(void) {
    fum_device *device = open_without(0);
    struct fum_error err = {0};
    enum { MB = 32 << 20 };
    fum_buffer *a = make_buffer(device, MB, "a"), *b = make_buffer(device, MB, "b");
    fum_command *command = make_command(device, "slow");
    const fum_kernel *kernel = silu_kernel(device);
    ok(fum_command_timestamp(command, 0, &err), &err);
    for (int i = 0; i < 10; i++)
        add_silu(command, kernel, at(i % 2 ? b : a, 0), at(i % 2 ? a : b, 0), MB);
    ok(fum_command_timestamp(command, 1023, &err), &err);
    assert_int_equal(fum_command_timestamp(command, 1024, &err), FUM_ERR_ARG);
    ok(fum_command_end(command, &err), &err);
    uint64_t ticket = 0;
    double wall = fum_time_now();
    struct timespec before, after;
    ok(fum_command_submit(command, &ticket, &err), &err);
    double submitted = fum_time_now();
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
    ok(fum_device_wait(device, ticket, &err), &err);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
    double end = fum_time_now(), waited = end - submitted;
    double cpu =
        (double)(after.tv_sec - before.tv_sec) + (double)(after.tv_nsec - before.tv_nsec) * 1e-9;
    if (waited > 0.02) assert_true(cpu < 0.5 * waited);
    double first = -1, last = 0;
    bool agrees = true;
    if (fum_device_get_info(device)->timestamp_bits) {
        ok(fum_command_read_timestamp(command, 0, &first, &err), &err);
        ok(fum_command_read_timestamp(command, 1023, &last, &err), &err);
        assert_true(first == 0 && last > 0);
        assert_true(last * 1e-9 <= (end - wall) * 1.1);
        agrees = last * 1e-9 >= (end - wall) * 0.2;
        assert_int_equal(fum_command_read_timestamp(command, 5, &last, &err), FUM_ERR_ARG);
    }
    fum_command_destroy(&command);
    fum_buffer_destroy(&a);
    fum_buffer_destroy(&b);
    fum_device_destroy(&device);
    return agrees;
}

static void timestamps_rise(void **state) {
    (void)state;
    bool agrees = false;
    for (int i = 0; i < 50 && !agrees; i++) agrees = time_work();
    assert_true(agrees);
}

// More dispatches than one descriptor pool holds.
static void commands_hold_more_sets_than_a_pool(void **state) {
    (void)state;
    fum_device *device = open_without(0);
    struct fum_error err = {0};
    fum_buffer *a = make_buffer(device, 1 << 16, "a"), *b = make_buffer(device, 1 << 16, "b");
    fum_command *command = make_command(device, "many");
    const fum_kernel *kernel = silu_kernel(device);
    for (int i = 0; i < 256; i++)
        add_silu(command, kernel, at(a, (uint64_t)i * 256), at(b, (uint64_t)i * 256), 16);
    assert_int_equal(fum_command_barriers(command), 0);
    ok(fum_command_end(command, &err), &err);
    run(device, command);
    fum_command_destroy(&command);
    fum_buffer_destroy(&a);
    fum_buffer_destroy(&b);
    fum_device_destroy(&device);
}

int main(void) {
    need_device();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dispatch_computes),
        cmocka_unit_test(barriers_stand_only_between_conflicts),
        cmocka_unit_test(empty_windows_are_bound),
        cmocka_unit_test(wrong_calls_are_refused),
        cmocka_unit_test(commands_run_again_and_again),
        cmocka_unit_test(timestamps_rise),
        cmocka_unit_test(commands_hold_more_sets_than_a_pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
