// SPDX-License-Identifier: MIT
// Which CPUs get vectors of 512 bits, and for runs of what length; how many threads lavapipe gets.
#define _POSIX_C_SOURCE 200809L

#include "test.h"

#include "cli/cpu_driver.h"

static void wide_vectors_are_for_cpus_of_full_rate(void **state) {
    (void)state;
    static const struct {
        const char *name;
        struct cli_cpu cpu;
        int width;
    } cases[] = {
        {"Skylake-SP, Cascade Lake", {"GenuineIntel", 6, 0x55, true}, 0},
        {"Ice Lake-SP", {"GenuineIntel", 6, 0x6a, true}, 512},
        {"Ice Lake-SP under a system without AVX-512", {"GenuineIntel", 6, 0x6a, false}, 0},
        {"Ice Lake, mobile", {"GenuineIntel", 6, 0x7e, true}, 0},
        {"Tiger Lake", {"GenuineIntel", 6, 0x8c, true}, 0},
        {"Rocket Lake", {"GenuineIntel", 6, 0xa7, true}, 0},
        {"Alder Lake", {"GenuineIntel", 6, 0x97, false}, 0},
        {"Sapphire Rapids", {"GenuineIntel", 6, 0x8f, true}, 512},
        {"Emerald Rapids", {"GenuineIntel", 6, 0xcf, true}, 512},
        {"Granite Rapids", {"GenuineIntel", 6, 0xad, true}, 512},
        {"Diamond Rapids", {"GenuineIntel", 19, 1, true}, 512},
        {"Zen 3", {"AuthenticAMD", 25, 1, false}, 0},
        {"Zen 4, Genoa", {"AuthenticAMD", 25, 0x11, true}, 0},
        {"Zen 4, Raphael", {"AuthenticAMD", 25, 0x61, true}, 0},
        {"Zen 5, Turin", {"AuthenticAMD", 26, 0x02, true}, 512},
        {"Zen 5, Granite Ridge", {"AuthenticAMD", 26, 0x44, true}, 512},
        {"Zen 5, Strix Point", {"AuthenticAMD", 26, 0x24, true}, 0},
        {"a model of Intel's numbers by another maker", {"CentaurHauls", 6, 0x8f, true}, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int width = cli_vector_width(&cases[i].cpu, CLI_LONG_RUN_FLOPS);
        if (width != cases[i].width) fail_msg("%s: %d", cases[i].name, width);
        assert_int_equal(cli_vector_width(&cases[i].cpu, CLI_LONG_RUN_FLOPS / 2), 0);
    }
}

struct said {
    int count;
    char text[256];
};

static void keep(void *user, enum fum_log_level level, const char *text) {
    struct said *said = user;
    assert_int_equal(level, FUM_LOG_INFO);
    strncpy(said->text, text, sizeof said->text - 1);
    said->count++;
}

// What the user has set stays; what is set is logged.
static void what_the_user_has_set_stays(void **state) {
    (void)state;
    static const char *const names[] = {"LP_NATIVE_VECTOR_WIDTH", "LP_NUM_THREADS"};
    struct said said = {0};
    const struct fum_log log = {keep, &said, FUM_LOG_INFO};
    struct cli_cpu cpu;
    bool wide = cli_cpu_read(&cpu) && cli_cpu_full_rate_512(&cpu);
    for (int i = 0; i < 2; i++) setenv(names[i], "128", 1);
    cli_prepare_cpu_driver((struct cli_run_flops){1e15, 1e12}, &log);
    for (int i = 0; i < 2; i++) assert_string_equal(getenv(names[i]), "128");
    assert_true(said.count == 2 && strstr(said.text, "LP_NUM_THREADS=128"));
    for (int i = 0; i < 2; i++) unsetenv(names[i]);
    said.count = 0;
    cli_prepare_cpu_driver((struct cli_run_flops){1e9, 1e9}, &log); // too short
    for (int i = 0; i < 2; i++) assert_null(getenv(names[i]));
    assert_int_equal(said.count, 0);
    cli_prepare_cpu_driver((struct cli_run_flops){1e15, 1e12}, &log);
    const char *width = getenv(names[0]), *threads = getenv(names[1]);
    if (wide)
        assert_string_equal(width, "512");
    else
        assert_null(width);
    if (threads) assert_in_range(atol(threads), 8, 4096); // two processors or more
    assert_int_equal(said.count, (width != NULL) + (threads != NULL));
}

// Mesa's cache may lie in any folder that the user sets, else in fumarole's.
static void kernels_of_a_width_have_a_folder_of_their_own(void **state) {
    (void)state;
    static const char *const variables[] = {"HOME", "XDG_CACHE_HOME", "FUMAROLE_CACHE",
                                            "MESA_SHADER_CACHE_DIR"};
    static const char *const folders[] = {"/0/.cache/fumarole/vectors-512",
                                          "/1/fumarole/vectors-512", "/2/vectors-512",
                                          "/3/vectors-512"};
    char folder[64], value[3];
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) unsetenv(variables[i]);
    assert_false(cli_kernel_folder(folder, sizeof folder, 512));
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
        snprintf(value, sizeof value, "/%zu", i);
        setenv(variables[i], value, 1);
        assert_true(cli_kernel_folder(folder, sizeof folder, 512));
        assert_string_equal(folder, folders[i]);
    }
    assert_false(cli_kernel_folder(folder, 14, 512));
    unsetenv("LP_NATIVE_VECTOR_WIDTH");
    cli_separate_kernels();
    assert_string_equal(getenv("MESA_SHADER_CACHE_DIR"), "/3");
}

static void large_steps_get_four_threads_for_each_processor(void **state) {
    (void)state;
    assert_int_equal(cli_driver_threads(2, CLI_LARGE_STEP_FLOPS), 8);
    assert_int_equal(cli_driver_threads(2, CLI_LARGE_STEP_FLOPS / 2), 0);
    assert_int_equal(cli_driver_threads(1, CLI_LARGE_STEP_FLOPS), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(large_steps_get_four_threads_for_each_processor),
        cmocka_unit_test(wide_vectors_are_for_cpus_of_full_rate),
        cmocka_unit_test(what_the_user_has_set_stays),
        cmocka_unit_test(kernels_of_a_width_have_a_folder_of_their_own)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
