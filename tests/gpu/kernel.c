// SPDX-License-Identifier: MIT
// The table of kernels and the pipeline cache on disk.
#define _POSIX_C_SOURCE 200809L
#include "silu.h"

#include "base/file.h"

#include <unistd.h>

static void count_kernels(void *user, const struct fum_trace_event *event) {
    if (event->kind == FUM_TRACE_KERNEL) ++*(int *)user;
}

// Equal descs give one kernel, compiled once, also within one call.
static void equal_descs_give_one_kernel(void **state) {
    (void)state;
    fum_device *device = open_without(0);
    struct fum_error err = {0};
    int compiled = 0;
    fum_device_set_trace(device, count_kernels, &compiled);
    enum { COUNT = 12 };
    struct fum_kernel_desc descs[COUNT];
    for (int i = 0; i < COUNT; i++) {
        descs[i] = silu_desc(device);
        descs[i].spec[0] = 8;
        descs[i].spec[3] = (uint32_t)(i % 6); // each activation twice
        descs[i].spec[4] = (uint32_t)i;       // beyond num_spec: of no account
    }
    const fum_kernel *kernels[COUNT], *again = NULL;
    ok(fum_kernel_get_all(kernels, device, descs, COUNT, &err), &err);
    for (int i = 0; i < COUNT; i++)
        for (int j = 0; j < i; j++) assert_int_equal(kernels[i] == kernels[j], i % 6 == j % 6);
    assert_int_equal(compiled, 6);
    ok(fum_kernel_get(&again, device, &descs[7], &err), &err);
    assert_ptr_equal(again, kernels[1]);
    assert_int_equal(compiled, 6);
    ok(fum_kernel_get_all(kernels, device, descs, 0, &err), &err);
    fum_device_destroy(&device);
}

struct warmed {
    int calls, total, cancel; // cancel: the call that does, from 1
};

static bool count_warmed(void *user, int done, int total) {
    struct warmed *w = user;
    assert_true(done >= 1 && done <= total);
    w->total = total;
    return ++w->calls != w->cancel;
}

// Kernels of CPU drivers are compiled ahead once, with a report for each; on other devices there is
// nothing to do.
static void kernels_of_cpu_drivers_are_compiled_ahead(void **state) {
    (void)state;
    fum_device *device = open_without(0);
    struct fum_error err = {0};
    bool cpu = fum_device_get_info(device)->type == FUM_DEVICE_CPU;
    enum { COUNT = 4 };
    struct fum_kernel_desc descs[COUNT];
    const fum_kernel *kernels[COUNT];
    for (int i = 0; i < COUNT; i++) {
        descs[i] = silu_desc(device);
        descs[i].spec[3] = (uint32_t)i;
    }
    ok(fum_kernel_get_all(kernels, device, descs, COUNT, &err), &err);
    struct warmed w = {0};
    const struct fum_progress progress = {count_warmed, &w};
    struct fum_warming *warming = NULL;
    ok(fum_warming_begin(&warming, device, kernels, 2, &err), &err);
    assert_int_equal(fum_warming_count(warming), cpu ? 2 : 0);
    ok(fum_warming_end(&warming, &progress, &err), &err);
    assert_null(warming);
    if (cpu)
        assert_true(w.total == 2 && w.calls >= 1);
    else
        assert_int_equal(w.total, 0);
    w = (struct warmed){.cancel = 1};
    ok(fum_warming_begin(&warming, device, kernels, COUNT, &err), &err);
    assert_int_equal(fum_warming_count(warming), cpu ? 2 : 0); // the other two are compiled
    assert_int_equal(fum_warming_end(&warming, &progress, &err), cpu ? FUM_ERR_CANCELLED : FUM_OK);
    // What the cancel left out, which depends on the thread's speed, is compiled the next time.
    ok(fum_warming_begin(&warming, device, kernels, COUNT, &err), &err);
    assert_true(fum_warming_count(warming) <= 1);
    ok(fum_warming_end(&warming, NULL, &err), &err);
    ok(fum_warming_begin(&warming, device, kernels, COUNT, &err), &err);
    assert_null(warming);
    fum_warming_stop(&warming);
    assert_int_equal(fum_device_memory_used(device), 0);
    fum_device_destroy(&device);
}

static void kernels_beyond_the_limits_are_refused(void **state) {
    (void)state;
    fum_device *device = open_without(FUM_WITHOUT_STORAGE16);
    const struct fum_device_info *info = fum_device_get_info(device);
    struct fum_error err = {0};
    struct fum_kernel_desc bad[6];
    for (int i = 0; i < 6; i++) bad[i] = silu_desc(device);
    bad[0].spec[0] = info->max_group_invocations + 1;
    bad[1].spec[0] = bad[1].spec[1] = bad[1].spec[2] = 1u << 31; // the product overflows
    bad[2].spec[1] = 0;
    bad[3].shader = fum_shader_find("unary", FUM_F16);
    bad[4].num_bindings = FUM_MAX_BINDINGS + 1;
    bad[5].shader = NULL;
    for (int i = 0; i < 6; i++) {
        const fum_kernel *kernel = NULL;
        assert_int_equal(fum_kernel_get(&kernel, device, &bad[i], &err),
                         i < 4 ? FUM_ERR_UNSUPPORTED : FUM_ERR_ARG);
        assert_null(kernel);
        if (i < 4) assert_non_null(strstr(err.text, "unary"));
    }
    // One bad in a list: its error, and no kernels.
    struct fum_kernel_desc descs[2] = {silu_desc(device), bad[0]};
    const fum_kernel *kernels[2];
    assert_int_equal(fum_kernel_get_all(kernels, device, descs, 2, &err), FUM_ERR_UNSUPPORTED);
    assert_true(!kernels[0] && !kernels[1]);
    assert_null(fum_shader_find("no such shader", FUM_F32));
    fum_device_destroy(&device);
}

// A required subgroup size: the device's own compiles where a size can be chosen, and is another
// kernel than none.
static void a_required_subgroup_size_is_another_kernel(void **state) {
    (void)state;
    fum_device *device = open_without(0);
    const struct fum_device_info *info = fum_device_get_info(device);
    struct fum_error err = {0};
    struct fum_kernel_desc any = silu_desc(device), own = any, wide = any, torn = any;
    const fum_kernel *kernels[2], *kernel;
    own.subgroup = info->subgroup_size;
    own.spec[0] = 2 * info->subgroup_size;
    any.spec[0] = own.spec[0];
    wide.subgroup = 2 * info->subgroup_max;
    torn.subgroup = info->subgroup_size;
    torn.spec[0] = info->subgroup_size + 1;
    assert_int_equal(fum_kernel_get(&kernel, device, &wide, &err), FUM_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "subgroups"));
    if (info->subgroup_control) {
        ok(fum_kernel_get(&kernels[0], device, &any, &err), &err);
        ok(fum_kernel_get(&kernels[1], device, &own, &err), &err);
        assert_ptr_not_equal(kernels[0], kernels[1]);
        assert_int_equal(fum_kernel_get(&kernel, device, &torn, &err),
                         info->subgroup_size > 1 ? FUM_ERR_ARG : FUM_OK);
    }
    fum_device_destroy(&device);
}

// Opens a device with this cache folder, compiles one kernel, and returns the lines of the log.
static void use_cache(const char *dir, struct lines *lines) {
    struct fum_error err = {0};
    struct fum_log log = {keep_line, lines, FUM_LOG_INFO};
    fum_device *device = NULL;
    lines->text[0] = 0;
    ok(fum_device_create(&device, &(struct fum_device_params){.cache_dir = dir, .log = &log}, &err),
       &err);
    silu_kernel(device);
    fum_device_destroy(&device);
}

static void rewrite(const char *path, const char *bytes, size_t count) {
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, count, f), count);
    fclose(f);
}

static void compiled_kernels_are_kept_on_disk(void **state) {
    (void)state;
    const char *root = getenv("FUMAROLE_CACHE");
    char dir[512], path[1024], *bytes = NULL;
    static struct lines lines;
    struct fum_error err = {0};
    size_t count = 0;
    snprintf(dir, sizeof dir, "%s/kernel-%ld", root ? root : "test-cache", (long)getpid());
    use_cache(dir, &lines);
    assert_null(strstr(lines.text, "pipeline cache"));
    use_cache(dir, &lines); // the second time it is there
    char *start = strstr(lines.text, "pipeline cache ");
    assert_non_null(start);
    assert_null(strstr(start, "ignored"));
    assert_int_equal(sscanf(start, "pipeline cache %1000[^:]:", path), 1);
    ok(fum_file_read(path, 1 << 28, &bytes, &count, &err), &err);
    assert_true(count > 72);

    const struct {
        const char *what, *why;
        size_t at;   // a byte to flip
        size_t size; // what is left
    } cases[] = {
        {"magic", "no pipeline cache", 0, count},
        {"driver version", "another device", 12, count},
        {"device uuid", "another device", 16, count},
        {"cache uuid", "another device", 32, count},
        {"size", "damaged", 48, count},
        {"data", "damaged", count - 1, count},
        {"cut", "damaged", 48, count - 1},
        {"header cut", "size is wrong", 0, 20},
        {"empty", "size is wrong", 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *copy = malloc(count);
        memcpy(copy, bytes, count);
        copy[cases[i].at] ^= 0x55;
        rewrite(path, copy, cases[i].size);
        free(copy);
        use_cache(dir, &lines);
        if (!strstr(lines.text, cases[i].why)) fail_msg("%s: %s", cases[i].what, lines.text);
        use_cache(dir, &lines); // and it was written anew
        if (strstr(lines.text, "ignored") || !strstr(lines.text, "pipeline cache"))
            fail_msg("%s: %s", cases[i].what, lines.text);
    }
    fum_free(bytes);
    remove(path);
    rewrite(path, "x", 1); // a file where a folder should be: no cache, but everything else works
    use_cache(path, &lines);
    assert_non_null(strstr(lines.text, "not kept"));
    remove(path);
    assert_int_equal(rmdir(dir), 0); // nothing else was left behind
}

// A device for its compiler alone: kernels compile and bad ones are refused as ever; nothing is
// allocated, nothing runs, nothing is kept on disk.
static void a_compiler_alone_allocates_and_runs_nothing(void **state) {
    (void)state;
    char dir[] = "/tmp/fumarole-kernel-XXXXXX";
    struct fum_device_params params = {
        .compile_only = true, .validate = true, .cache_dir = mkdtemp(dir)};
    struct fum_error err = {0};
    fum_device *device = NULL;
    const fum_kernel *kernel = NULL;
    fum_buffer *buffer = NULL;
    int compiled = 0, count = -1;
    ok(fum_device_create(&device, &params, &err), &err);
    assert_true(fum_device_get_info(device)->planning_only);
    fum_device_set_trace(device, count_kernels, &compiled);
    struct fum_kernel_desc desc = silu_desc(device), bad = desc;
    struct fum_kernel_statistic statistics[2];
    ok(fum_kernel_get(&kernel, device, &desc, &err), &err);
    assert_int_equal(compiled, 1);
    ok(fum_kernel_statistics(kernel, statistics, 2, &count, &err), &err);
    assert_in_range(count, 0, 2);
    for (int i = 0; i < count; i++) assert_true(statistics[i].name[0]);
    bad.spec[1] = 0;
    assert_int_equal(fum_kernel_get(&kernel, device, &bad, &err), FUM_ERR_UNSUPPORTED);
    ok(fum_buffer_create(&buffer, device,
                         &(struct fum_buffer_params){1 << 20, FUM_BUFFER_DEVICE, "nothing"}, &err),
       &err);
    assert_null(fum_buffer_map(buffer));
    assert_int_equal(fum_buffer_write(buffer, 0, "x", 1, &err), FUM_ERR_UNSUPPORTED);
    fum_buffer_destroy(&buffer);
    assert_int_equal(fum_device_validation_messages(device), 0);
    fum_device_destroy(&device);
    assert_int_equal(rmdir(dir), 0); // empty
}

int main(void) {
    need_device();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_descs_give_one_kernel),
        cmocka_unit_test(kernels_of_cpu_drivers_are_compiled_ahead),
        cmocka_unit_test(kernels_beyond_the_limits_are_refused),
        cmocka_unit_test(a_required_subgroup_size_is_another_kernel),
        cmocka_unit_test(a_compiler_alone_allocates_and_runs_nothing),
        cmocka_unit_test(compiled_kernels_are_kept_on_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
