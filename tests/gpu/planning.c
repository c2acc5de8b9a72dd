// SPDX-License-Identifier: MIT
// Planning-only devices: they need no GPU, so neither does this test.
#include "silu.h"

static fum_device *plan(const char *name) {
    struct fum_error err = {0};
    fum_device *device = NULL;
    ok(fum_device_create_planning(&device, name, &err), &err);
    return device;
}

// Every class that the project promises is there, and its record is whole.
// Bindings of the largest kernel that devices run. Only kernels of CPU drivers, which read texels
// as well, have more.
enum { LEAST_BINDINGS = 8 };

static void every_planning_device_is_complete(void **state) {
    (void)state;
    static const char *const wanted[] = {
        "lavapipe",          "adreno-6xx",     "adreno-7xx", "mali-g7x",    "intel-xe",
        "intel-arc-windows", "amd-rdna2",      "amd-rdna3",  "amd-windows", "nvidia-ampere",
        "nvidia-ada",        "apple-moltenvk", "v3d",
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        fum_device *device = plan(wanted[i]);
        fum_device_destroy(&device);
    }
    assert_null(fum_device_planning_name(-1));
    assert_null(fum_device_planning_name(1000));
    for (int i = 0; fum_device_planning_name(i); i++) {
        fum_device *device = plan(fum_device_planning_name(i));
        const struct fum_device_info *info = fum_device_get_info(device);
        assert_true(info->planning_only && info->memory && info->max_binding >= (uint64_t)1 << 27);
        assert_true(info->max_allocation >= (uint64_t)1 << 30 && info->max_buffer >= (uint64_t)1
                                                                                         << 30);
        assert_true(info->binding_align && !(info->binding_align & (info->binding_align - 1)));
        assert_true(info->shared_bytes >= 16384 && info->max_group_invocations >= 128);
        for (int d = 0; d < 3; d++)
            assert_true(info->max_group_size[d] >= 64 && info->max_group_count[d] >= 65535);
        assert_true(info->max_push_bytes >= 128 && info->max_bindings >= LEAST_BINDINGS);
        assert_true(info->subgroup_min && info->subgroup_min <= info->subgroup_size &&
                    info->subgroup_size <= info->subgroup_max);
        assert_true(info->api_version >= (1u << 22 | 1u << 12));
        fum_device_destroy(&device);
    }
    struct fum_error err = {0};
    fum_device *device = NULL;
    assert_int_equal(fum_device_create_planning(&device, "vax", &err), FUM_ERR_ARG);
    assert_non_null(strstr(err.text, "v3d"));
    assert_int_equal(fum_device_create_planning(&device, NULL, &err), FUM_ERR_ARG);
}

static void planning_devices_check_limits(void **state) {
    (void)state;
    fum_device *device = plan("v3d");
    struct fum_error err = {0};
    const fum_kernel *kernel = NULL;
    struct fum_kernel_desc desc = silu_desc(device);
    desc.spec[0] = 512;
    assert_int_equal(fum_kernel_get(&kernel, device, &desc, &err), FUM_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "v3d"));
    kernel = silu_kernel(device);
    const uint64_t big = (uint64_t)200 << 20, most = (uint64_t)128 << 20;
    fum_buffer *a = make_buffer(device, big, "a"), *b = make_buffer(device, big, "b");
    fum_command *command = make_command(device, "plan");
    uint32_t quads = 1, groups[3] = {65535, 65535, 65535}, over[3] = {65536, 1, 1};
    struct fum_binding fits[] = {{a, 32, most, false}, {b, 64, most, true}};
    struct fum_binding wide[] = {{a, 0, most + 16, false}, {b, 0, 16, true}};
    struct fum_binding crooked[] = {{a, 16, 16, false}, {b, 0, 16, true}};
    ok(fum_command_dispatch(command,
                            &(struct fum_kernel_call){kernel, fits, &quads, groups, "fits"}, &err),
       &err);
    assert_int_equal(
        fum_command_dispatch(command, &(struct fum_kernel_call){kernel, fits, &quads, over, "over"},
                             &err),
        FUM_ERR_UNSUPPORTED);
    assert_int_equal(
        fum_command_dispatch(command,
                             &(struct fum_kernel_call){kernel, wide, &quads, groups, "wide"}, &err),
        FUM_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "wide"));
    assert_int_equal(
        fum_command_dispatch(
            command, &(struct fum_kernel_call){kernel, crooked, &quads, groups, "crooked"}, &err),
        FUM_ERR_ARG);
    assert_int_equal(fum_command_dispatches(command), 1);
    fum_command_destroy(&command);
    fum_buffer_destroy(&a);
    fum_buffer_destroy(&b);
    fum_device_destroy(&device);
}

static void planning_devices_run_nothing(void **state) {
    (void)state;
    fum_device *device = plan("apple-moltenvk");
    struct fum_error err = {0};
    uint64_t ticket = 0;
    uint32_t word = 0;
    double ns = 0;
    void *where = NULL;
    fum_buffer *a = make_buffer(device, (uint64_t)4 << 30, "a");
    assert_null(fum_buffer_map(a));
    assert_int_equal(fum_device_memory_used(device), (uint64_t)4 << 30);
    fum_command *command = make_command(device, "plan");
    ok(fum_command_timestamp(command, 0, &err), &err);
    ok(fum_command_copy(
           command,
           &(struct fum_buffer_copy){.src = a, .dst = a, .dst_offset = 1024, .bytes = 1024}, &err),
       &err);
    ok(fum_command_end(command, &err), &err);
    assert_int_equal(fum_command_submit(command, &ticket, &err), FUM_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "planning"));
    assert_int_equal(fum_device_wait(device, 0, &err), FUM_ERR_UNSUPPORTED);
    assert_int_equal(fum_command_read_timestamp(command, 0, &ns, &err), FUM_ERR_UNSUPPORTED);
    assert_int_equal(fum_buffer_write(a, 0, &word, 4, &err), FUM_ERR_UNSUPPORTED);
    assert_int_equal(fum_buffer_read(a, 0, &word, 4, &err), FUM_ERR_UNSUPPORTED);
    assert_int_equal(fum_buffer_upload_begin(a, 0, 4, &where, &err), FUM_ERR_UNSUPPORTED);
    assert_int_equal(fum_device_validation_messages(device), 0);
    fum_command_destroy(&command);
    fum_buffer_destroy(&a);
    assert_int_equal(fum_device_memory_used(device), 0);
    assert_int_equal(fum_device_memory_peak(device), (uint64_t)4 << 30);
    fum_device_destroy(&device);
}

// Sizes near 2^64 must not wrap.
static void sizes_near_2_to_the_64_do_not_wrap(void **state) {
    (void)state;
    fum_device *device = plan("nvidia-ampere");
    struct fum_error err = {0};
    fum_buffer *a = NULL;
    assert_int_equal(
        fum_buffer_create(&a, device,
                          &(struct fum_buffer_params){UINT64_MAX, FUM_BUFFER_DEVICE, "a"}, &err),
        FUM_ERR_UNSUPPORTED);
    a = make_buffer(device, 4292870144, "a");
    fum_command *command = make_command(device, "plan");
    uint32_t quads = 1, groups[3] = {1, 1, 1};
    struct fum_binding wraps[] = {{a, UINT64_MAX - 15, 32, false}, {a, 0, 16, true}};
    assert_int_equal(fum_command_dispatch(command,
                                          &(struct fum_kernel_call){silu_kernel(device), wraps,
                                                                    &quads, groups, "wraps"},
                                          &err),
                     FUM_ERR_ARG);
    assert_int_equal(fum_command_copy(command,
                                      &(struct fum_buffer_copy){
                                          .src = a, .src_offset = UINT64_MAX, .dst = a, .bytes = 2},
                                      &err),
                     FUM_ERR_ARG);
    fum_command_destroy(&command);
    fum_buffer_destroy(&a);
    fum_device_destroy(&device);
}

static void ticks_may_wrap(void **state) {
    (void)state;
    const uint64_t bits36 = ((uint64_t)1 << 36) - 1;
    assert_int_equal(fum_ticks_between(5, 12, 64), 7);
    assert_int_equal(fum_ticks_between(bits36 - 1, 3, 36), 5); // the counter wrapped
    assert_int_equal(fum_ticks_between(UINT64_MAX, 1, 64), 2);
    // bits above the valid ones do not count
    assert_int_equal(fum_ticks_between(1, bits36 + 2, 36), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_planning_device_is_complete),
        cmocka_unit_test(planning_devices_check_limits),
        cmocka_unit_test(planning_devices_run_nothing),
        cmocka_unit_test(sizes_near_2_to_the_64_do_not_wrap),
        cmocka_unit_test(ticks_may_wrap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
