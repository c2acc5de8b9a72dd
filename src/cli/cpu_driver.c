// SPDX-License-Identifier: MIT
#if defined(__linux__)
#define _GNU_SOURCE // sched_getaffinity
#else
#define _POSIX_C_SOURCE 200809L
#endif

#include "cpu_driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if !defined(_WIN32)
#include <sys/stat.h>
#include <unistd.h>
#endif
#if defined(__linux__)
#include <sched.h>
#endif

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>

bool cli_cpu_read(struct cli_cpu *cpu) {
    unsigned a = 0, b = 0, c = 0, d = 0;
    *cpu = (struct cli_cpu){0};
    if (!__get_cpuid(0, &a, &b, &c, &d)) return false;
    memcpy(cpu->vendor, &b, 4);
    memcpy(cpu->vendor + 4, &d, 4);
    memcpy(cpu->vendor + 8, &c, 4);
    if (!__get_cpuid(1, &a, &b, &c, &d)) return false;
    cpu->family = a >> 8 & 15;
    cpu->model = a >> 4 & 15;
    if (cpu->family == 6 || cpu->family == 15) cpu->model |= (a >> 16 & 15) << 4;
    if (cpu->family == 15) cpu->family += a >> 20 & 255;
    __builtin_cpu_init();
    cpu->avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
    return true;
}
#else
bool cli_cpu_read(struct cli_cpu *cpu) {
    *cpu = (struct cli_cpu){0};
    return false;
}
#endif

// Models with two multiply-add units of 512 bits. Skylake and Cascade Lake are not among them: some
// have one unit, which CPUID does not report, and all lower their clock. The Ice Lake, Tiger Lake
// and Rocket Lake of desktops and laptops have one. Zen 4 and small Zen 5 split a vector into two
// of 256 bits.
static const struct {
    const char *vendor;
    unsigned family, first_model, last_model;
} full_rate[] = {
    {"GenuineIntel", 6, 0x6a, 0x6a},  // Ice Lake-SP
    {"GenuineIntel", 6, 0x6c, 0x6c},  // Ice Lake-D
    {"GenuineIntel", 6, 0x8f, 0x8f},  // Sapphire Rapids
    {"GenuineIntel", 6, 0xcf, 0xcf},  // Emerald Rapids
    {"GenuineIntel", 6, 0xad, 0xae},  // Granite Rapids
    {"GenuineIntel", 19, 0, 255},     // Diamond Rapids and later
    {"AuthenticAMD", 26, 0x00, 0x1f}, // Turin
    {"AuthenticAMD", 26, 0x40, 0x4f}, // Granite Ridge, Fire Range
    {"AuthenticAMD", 26, 0x70, 0x7f}, // Strix Halo
};

bool cli_cpu_full_rate_512(const struct cli_cpu *cpu) {
    for (size_t i = 0; cpu->avx512 && i < sizeof full_rate / sizeof full_rate[0]; i++)
        if (strcmp(cpu->vendor, full_rate[i].vendor) == 0 && cpu->family == full_rate[i].family &&
            cpu->model >= full_rate[i].first_model && cpu->model <= full_rate[i].last_model)
            return true;
    return false;
}

int cli_vector_width(const struct cli_cpu *cpu, double flops) {
    return flops >= CLI_LONG_RUN_FLOPS && cli_cpu_full_rate_512(cpu) ? 512 : 0;
}

static void log_info(const struct fum_log *log, const char *text) {
    if (log && log->fn && log->level >= FUM_LOG_INFO) log->fn(log->user, FUM_LOG_INFO, text);
}

bool cli_kernel_folder(char *folder, size_t size, unsigned long width) {
    static const struct {
        const char *variable, *below;
    } places[] = {{"MESA_SHADER_CACHE_DIR", ""},
                  {"FUMAROLE_CACHE", ""},
                  {"XDG_CACHE_HOME", "/fumarole"},
                  {"HOME", "/.cache/fumarole"}};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        const char *place = getenv(places[i].variable);
        if (!place || !*place) continue;
        int n = snprintf(folder, size, "%s%s/vectors-%lu", place, places[i].below, width);
        return n > 0 && (size_t)n < size;
    }
    return false;
}

#if defined(_WIN32)
void cli_separate_kernels(void) {}
#else
// Makes the folders of the path that are missing. A failure leaves Mesa without a cache.
static void make_folders(char *path) {
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        mkdir(path, 0777);
        *slash = '/';
    }
}

void cli_separate_kernels(void) {
    char folder[4096];
    const char *set = getenv("LP_NATIVE_VECTOR_WIDTH");
    unsigned long width = set ? strtoul(set, NULL, 10) : 0;
    if (!width) return;
    if (!cli_kernel_folder(folder, sizeof folder, width)) {
        setenv("MESA_SHADER_CACHE_DISABLE", "true", 0);
        return;
    }
    make_folders(folder);
    setenv("MESA_SHADER_CACHE_DIR", folder, 1);
}
#endif

// Logs what lavapipe will read from the variable, and why.
static void log_setting(const char *name, const char *value, const char *reason,
                        const struct fum_log *log) {
    char text[160];
    snprintf(text, sizeof text, "CPU drivers: %s=%.16s, %s", name, value, reason);
    log_info(log, text);
}

// Sets the variable, unless the user has set it or `value` is 0. Returns whether it did.
static bool set_default(const char *name, long value, const char *reason,
                        const struct fum_log *log) {
    const char *set = getenv(name);
    if (set) {
        log_setting(name, set, "as the environment says", log);
        return false;
    }
    if (value == 0) return false;
#if defined(_WIN32)
    (void)reason;
    return false;
#else
    char digits[24];
    snprintf(digits, sizeof digits, "%ld", value);
    if (setenv(name, digits, 0) != 0) return false;
    log_setting(name, digits, reason, log);
    return true;
#endif
}

// Returns how many processors this process may use, or 1 if that cannot be found.
static long count_processors(void) {
#if defined(__linux__)
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) return CPU_COUNT(&allowed);
#endif
#if defined(_WIN32)
    return 1;
#else
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 1 ? online : 1;
#endif
}

long cli_driver_threads(long processors, double step_flops) {
    enum { EACH = 4 };
    return step_flops >= CLI_LARGE_STEP_FLOPS && processors > 1 ? EACH * processors : 0;
}

void cli_prepare_cpu_driver(struct cli_run_flops flops, const struct fum_log *log) {
    struct cli_cpu cpu;
    int width = cli_cpu_read(&cpu) ? cli_vector_width(&cpu, flops.run) : 0;
    long threads = cli_driver_threads(count_processors(), flops.step);
    if (set_default("LP_NATIVE_VECTOR_WIDTH", width, "which this CPU computes at full rate", log))
        cli_separate_kernels();
    set_default("LP_NUM_THREADS", threads, "so that processors share the work of slow ones", log);
}
