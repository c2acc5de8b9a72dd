// SPDX-License-Identifier: MIT
// Lost devices and memory that runs out, caused on purpose.
#include "silu.h"

#include "base/alloc.h"

// A chain with everything in it; returns the first failure.
static enum fum_result work(fum_device *device, struct fum_error *err) {
    fum_buffer *a = NULL, *b = NULL;
    fum_command *command = NULL;
    const fum_kernel *kernel = NULL;
    uint64_t ticket = 0;
    double ns = 0;
    float data[64] = {0};
    uint32_t quads = 16, groups[3] = {2, 1, 1};
    struct fum_kernel_desc desc = silu_desc(device);
    enum fum_result result = fum_buffer_create(
        &a, device, &(struct fum_buffer_params){256, FUM_BUFFER_DEVICE, "weights"}, err);
    if (!result)
        result = fum_buffer_create(
            &b, device, &(struct fum_buffer_params){256, FUM_BUFFER_DEVICE, "latents"}, err);
    if (!result) result = fum_buffer_write(a, 0, data, 256, err);
    if (!result) result = fum_kernel_get(&kernel, device, &desc, err);
    if (!result) result = fum_command_create(&command, device, "unet step", err);
    struct fum_binding bindings[] = {{a, 0, 256, false}, {b, 0, 256, true}};
    if (!result)
        result = fum_command_dispatch(
            command, &(struct fum_kernel_call){kernel, bindings, &quads, groups, "mid_block.silu"},
            err);
    if (!result) result = fum_command_timestamp(command, 0, err);
    if (!result) result = fum_command_end(command, err);
    if (!result) result = fum_command_submit(command, &ticket, err);
    if (!result) result = fum_device_wait(device, ticket, err);
    if (!result) result = fum_command_read_timestamp(command, 0, &ns, err);
    if (!result) result = fum_buffer_read(b, 0, data, 256, err);
    fum_command_destroy(&command);
    fum_buffer_destroy(&a);
    fum_buffer_destroy(&b);
    return result;
}

static bool names_something(const char *text) {
    static const char *const labels[] = {"weights", "latents", "unary", "unet step",
                                         "mid_block.silu"};
    for (size_t i = 0; i < sizeof labels / sizeof *labels; i++)
        if (strstr(text, labels[i])) return true;
    return false;
}

// Fails each checked Vulkan call of the chain in turn. Every failure names what was being done,
// leaks nothing, and a device that was not lost works on.
static void sweep(unsigned without, enum fum_injection what) {
    int failures = 0;
    for (int n = 0;; n++) {
        fum_device *device = open_without(without);
        struct fum_error err = {0};
        fum_device_inject(device, n, what);
        enum fum_result result = work(device, &err);
        assert_int_equal(fum_device_memory_used(device), 0);
        if (result) {
            failures++;
            assert_int_equal(result,
                             what == FUM_INJECT_DEVICE_LOST ? FUM_ERR_DEVICE : FUM_ERR_NOMEM);
            assert_int_equal(err.code, result);
            if (!names_something(err.text)) fail_msg("call %d: \"%s\"", n, err.text);
            assert_non_null(
                strstr(err.text, what == FUM_INJECT_DEVICE_LOST ? "lost" : "memory ran out"));
            fum_device_inject(device, -1, what);
            struct fum_error again = {0};
            assert_int_equal(work(device, &again),
                             what == FUM_INJECT_DEVICE_LOST ? FUM_ERR_DEVICE : FUM_OK);
        }
        fum_device_destroy(&device);
        if (!result) break;
    }
    assert_true(failures > 10);
}

static void a_lost_device_is_an_error_at_every_call(void **state) {
    (void)state;
    sweep(0, FUM_INJECT_DEVICE_LOST);
    sweep(FUM_WITHOUT_UNIFIED | FUM_WITHOUT_TIMELINE, FUM_INJECT_DEVICE_LOST);
}

static void device_memory_may_run_out_at_every_call(void **state) {
    (void)state;
    sweep(0, FUM_INJECT_DEVICE_MEMORY);
    sweep(FUM_WITHOUT_UNIFIED, FUM_INJECT_DEVICE_MEMORY);
    sweep(FUM_WITHOUT_UNIFIED | FUM_WITHOUT_TIMELINE, FUM_INJECT_DEVICE_MEMORY);
}

// The device is lost while the second of three runs: the wait names it, not the one waited for.
static void a_wait_names_the_command_that_was_running(void **state) {
    (void)state;
    fum_device *device = open_without(0);
    struct fum_error err = {0};
    static const char *const labels[] = {"text encoder", "unet step", "vae decode"};
    fum_command *commands[3];
    uint64_t tickets[3];
    for (int i = 0; i < 3; i++) {
        commands[i] = make_command(device, labels[i]);
        ok(fum_command_end(commands[i], &err), &err);
        ok(fum_command_submit(commands[i], &tickets[i], &err), &err);
    }
    ok(fum_device_wait(device, tickets[0], &err), &err);
    fum_device_inject(device, 0, FUM_INJECT_DEVICE_LOST);
    assert_int_equal(fum_device_wait(device, tickets[2], &err), FUM_ERR_DEVICE);
    assert_non_null(strstr(err.text, "unet step"));
    assert_non_null(strstr(err.text, "VK_ERROR_DEVICE_LOST"));
    assert_null(strchr(err.text, '\n'));
    assert_int_equal(fum_command_submit(commands[0], NULL, &err), FUM_ERR_DEVICE); // it stays lost
    for (int i = 0; i < 3; i++) fum_command_destroy(&commands[i]);
    fum_device_destroy(&device);
}

// Host memory runs out at every point of opening a device and working on it.
static void host_memory_may_run_out_at_every_call(void **state) {
    (void)state;
    for (long n = 0;; n++) {
        fum_device *device = NULL;
        struct fum_error err = {0};
        fum_alloc_fail_after(n);
        enum fum_result result =
            fum_device_create(&device, &(struct fum_device_params){.cache_dir = ""}, &err);
        if (!result) result = work(device, &err);
        fum_alloc_fail_after(-1);
        fum_device_destroy(&device);
        if (!result) break;
        assert_int_equal(result, FUM_ERR_NOMEM);
        assert_true(err.text[0] && n < 1000);
    }
}

int main(void) {
    need_device();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lost_device_is_an_error_at_every_call),
        cmocka_unit_test(device_memory_may_run_out_at_every_call),
        cmocka_unit_test(a_wait_names_the_command_that_was_running),
        cmocka_unit_test(host_memory_may_run_out_at_every_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
