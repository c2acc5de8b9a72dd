// SPDX-License-Identifier: MIT
// Listing and choosing devices.
#define _POSIX_C_SOURCE 200809L
#include "silu.h"

static void devices_are_listed(void **state) {
    (void)state;
    struct fum_error err = {0};
    struct fum_device_info infos[8];
    int count = 0, again = 0;
    ok(fum_device_list(infos, 8, &count, &err), &err);
    assert_true(count >= 1);
    ok(fum_device_list(NULL, 0, &again, &err), &err);
    assert_int_equal(again, count);
    for (int i = 0; i < count && i < 8; i++) {
        const struct fum_device_info *info = &infos[i];
        assert_true(info->name[0] && info->driver[0]);
        assert_true(info->max_binding >= (uint64_t)1 << 27 && info->max_allocation >= (uint64_t)1
                                                                                          << 30);
        assert_true(info->max_buffer > 0 && info->memory > 0);
        assert_true(info->max_group_invocations >= 128 && info->shared_bytes >= 16384 &&
                    info->subgroup_size >= 1);
        assert_true(info->subgroup_min <= info->subgroup_size &&
                    info->subgroup_size <= info->subgroup_max);
        assert_false(info->planning_only);
    }
}

// Opening by index, UUID and part of the name all give the same device.
static void index_uuid_and_name_open_the_same_device(void **state) {
    (void)state;
    struct fum_error err = {0};
    struct fum_device_info info;
    int count = 0;
    ok(fum_device_list(&info, 1, &count, &err), &err);
    char uuid[40] = "", part[8];
    for (int i = 0; i < 16; i++)
        sprintf(uuid + strlen(uuid), "%02X%s", info.uuid[i],
                i == 3 || i == 5 || i == 7 || i == 9 ? "-" : "");
    snprintf(part, sizeof part, "%.7s", info.name);
    for (char *p = part; *p; p++)
        if (*p >= 'a' && *p <= 'z') *p = (char)(*p - 'a' + 'A');
    const char *selects[] = {"0", uuid, part};
    for (int i = 0; i < 3; i++) {
        fum_device *device = NULL;
        struct fum_device_params params = {.select = selects[i], .cache_dir = ""};
        ok(fum_device_create(&device, &params, &err), &err);
        if (i == 0 || count == 1) assert_string_equal(fum_device_get_info(device)->name, info.name);
        fum_device_destroy(&device);
        assert_null(device);
    }
}

static void wrong_selections_list_the_devices(void **state) {
    (void)state;
    const char *wrong[] = {"99", "no such gpu", "00000000-0000-0000-0000-00000000beef",
                           "99999999999999999999999"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct fum_error err = {0};
        fum_device *device = NULL;
        struct fum_device_params params = {.select = wrong[i], .cache_dir = ""};
        assert_int_equal(fum_device_create(&device, &params, &err), FUM_ERR_ARG);
        assert_null(device);
        assert_non_null(strstr(err.text, wrong[i]));
        assert_non_null(strstr(err.text, "0 (")); // lists the devices
    }
}

// Preference and refusal, on a made-up machine.
static void the_best_usable_device_is_chosen(void **state) {
    (void)state;
    struct fum_device_info infos[4] = {
        {.name = "llvmpipe", .type = FUM_DEVICE_CPU},
        {.name = "Intel Graphics", .type = FUM_DEVICE_INTEGRATED},
        {.name = "GeForce 1", .type = FUM_DEVICE_DISCRETE, .uuid = {0x12}},
        {.name = "GeForce 2", .type = FUM_DEVICE_DISCRETE, .uuid = {0x34}},
    };
    const char *refusals[4] = {NULL, NULL, "its driver is too old", NULL};
    const struct {
        const char *select;
        enum fum_result result;
        int index;
    } cases[] = {
        {NULL, FUM_OK, 3},
        {"", FUM_OK, 3},
        {"geforce", FUM_OK, 3},
        {"intel", FUM_OK, 1},
        {"0", FUM_OK, 0},
        {"2", FUM_ERR_DEVICE, -1},
        {"4", FUM_ERR_ARG, -1},
        {"34000000000000000000000000000000", FUM_OK, 3},
        {"12000000-00000000-00000000-00000000", FUM_ERR_DEVICE, -1},
        {"radeon", FUM_ERR_ARG, -1},
    };
    struct fum_device_candidates machine = {infos, refusals, 4};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fum_error err = {0};
        int index = 0;
        assert_int_equal(fum_device_choose(&index, cases[i].select, &machine, &err),
                         cases[i].result);
        assert_int_equal(index, cases[i].index);
        if (cases[i].result == FUM_ERR_DEVICE) assert_non_null(strstr(err.text, "too old"));
    }
    const char *software[4] = {NULL, "broken", "broken", "broken"};
    int index = -1;
    machine.refusals = software;
    assert_int_equal(fum_device_choose(&index, NULL, &machine, NULL), FUM_OK);
    assert_int_equal(index, 0);
}

// No driver at all: one line with advice.
static void a_missing_driver_is_one_line_with_advice(void **state) {
    (void)state;
    setenv("VK_DRIVER_FILES", "/nonexistent/none.json", 1);
    setenv("VK_ICD_FILENAMES", "/nonexistent/none.json", 1);
    struct fum_error err = {0};
    int count = -1;
    enum fum_result listed = fum_device_list(NULL, 0, &count, &err);
    fum_device *device = NULL;
    struct fum_error create_err = {0};
    enum fum_result created = fum_device_create(&device, NULL, &create_err);
    unsetenv("VK_DRIVER_FILES");
    unsetenv("VK_ICD_FILENAMES");
    assert_int_equal(listed, FUM_ERR_DEVICE);
    assert_int_equal(created, FUM_ERR_DEVICE);
    assert_int_equal(count, 0);
    assert_null(device);
    assert_non_null(strstr(err.text, "mesa-vulkan-drivers"));
    assert_non_null(strstr(create_err.text, "mesa-vulkan-drivers"));
    assert_null(strchr(err.text, '\n'));
}

int main(void) {
    need_device();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(devices_are_listed),
        cmocka_unit_test(index_uuid_and_name_open_the_same_device),
        cmocka_unit_test(wrong_selections_list_the_devices),
        cmocka_unit_test(the_best_usable_device_is_chosen),
        cmocka_unit_test(a_missing_driver_is_one_line_with_advice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
