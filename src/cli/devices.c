// SPDX-License-Identifier: MIT
// fumarole devices: the GPUs of this machine.
#include "cli.h"

#include <fumarole/tuning.h>

#include <stdlib.h>

struct devices_options {
    bool verbose;
};

// clang-format off
static const struct cli_option options[] = {
    {.name = "verbose", .letter = 'v', .kind = CLI_FLAG,
     .offset = offsetof(struct devices_options, verbose), .help = "limits and features too"},
    {0},
};
// clang-format on

static const char *type_name(enum fum_device_type type) {
    switch (type) {
    case FUM_DEVICE_INTEGRATED: return "integrated";
    case FUM_DEVICE_DISCRETE: return "discrete";
    case FUM_DEVICE_VIRTUAL: return "virtual";
    case FUM_DEVICE_CPU: return "cpu";
    case FUM_DEVICE_OTHER: break;
    }
    return "other";
}

static void print_sizes(const struct fum_device_info *info) {
    const double mib = 1024.0 * 1024.0;
    cli_put_line(stdout, "    Vulkan %u.%u.%u, driver %s", info->api_version >> 22,
                 info->api_version >> 12 & 0x3ff, info->api_version & 0xfff, info->driver);
    cli_put_line(stdout,
                 "    binding %.0f MiB, allocation %.0f MiB, buffer %.0f MiB, shared memory %u KiB",
                 (double)info->max_binding / mib, (double)info->max_allocation / mib,
                 (double)info->max_buffer / mib, info->shared_bytes / 1024);
    cli_put_line(stdout, "    workgroup %u (%u x %u x %u), subgroup %u (%u to %u)",
                 info->max_group_invocations, info->max_group_size[0], info->max_group_size[1],
                 info->max_group_size[2], info->subgroup_size, info->subgroup_min,
                 info->subgroup_max);
}

static void print_products(const struct fum_device_info *info) {
    static const char *const types[] = {
        [FUM_MATRIX_F16] = "f16", [FUM_MATRIX_BF16] = "bf16", [FUM_MATRIX_S8] = "s8"};
    for (uint32_t i = 0; i < info->num_matrix; i++)
        cli_put(stdout, "%s %s %u x %u x %u%s", i ? "," : "    matrix products",
                types[info->matrix[i].type], info->matrix[i].m, info->matrix[i].n,
                info->matrix[i].k, i + 1 < info->num_matrix ? "" : " (m x n x k)");
    if (info->num_matrix > 0) printf("\n");
}

static void print_features(const struct fum_device_info *info) {
    const struct {
        const char *name;
        bool present;
    } features[] = {
        {"16-bit storage", info->storage16},
        {"f16 arithmetic", info->float16},
        {"8-bit storage", info->storage8},
        {"int8 arithmetic", info->int8},
        {"integer dot product", info->int_dot},
        {"subgroup arithmetic", info->subgroup_arithmetic},
        {"subgroup shuffle", info->subgroup_shuffle},
        {"subgroup size control", info->subgroup_control},
        {"cooperative matrix", info->cooperative_matrix},
        {"buffer addresses", info->buffer_address},
        {"timeline semaphores", info->timeline},
        {"unified memory", info->unified_memory},
        {"memory budget", info->memory_budget},
    };
    for (int present = 1; present >= 0; present--) {
        const char *separator = present ? "    has " : "    lacks ";
        for (size_t i = 0; i < sizeof features / sizeof features[0]; i++) {
            if (features[i].present != (present == 1)) continue;
            cli_put(stdout, "%s%s", separator, features[i].name);
            separator = ", ";
        }
        if (separator[0] == ',') printf("\n");
    }
}

// Prints the variants of a storage type in the device's order of preference, then those that run
// only if forced.
static void print_variants(const struct fum_device_info *info, enum fum_dtype dtype) {
    bool any = false;
    cli_put(stdout, "%s %s", dtype == FUM_F32 ? "    kernels:" : ";", fum_dtype_name(dtype));
    int rank = 0;
    for (;; rank++) {
        const char *name = NULL;
        for (int i = 0; (name = fum_variant_name(i)) != NULL; i++)
            if (fum_variant_rank(name, info, dtype) == rank) break;
        if (!name) break;
        cli_put(stdout, "%s %s", rank ? "," : "", name);
    }
    if (!rank) printf(" cannot be stored");
    const char *name;
    for (int i = 0; (name = fum_variant_name(i)) != NULL; i++) {
        if (fum_variant_rank(name, info, dtype) >= 0 || !fum_variant_usable(name, info, dtype))
            continue;
        cli_put(stdout, "%s %s", any ? "," : " (--variant also", name);
        any = true;
    }
    cli_put(stdout, "%s", any ? ")" : "");
}

static void print_device(int index, const struct fum_device_info *info, bool verbose) {
    cli_put_line(stdout, "%d  %s  (%s, %.1f GiB)", index, info->name, type_name(info->type),
                 (double)info->memory / (1024.0 * 1024.0 * 1024.0));
    printf("    uuid ");
    for (int i = 0; i < 16; i++)
        cli_put(stdout, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", info->uuid[i]);
    printf("\n");
    for (enum fum_dtype dtype = FUM_F32; dtype <= FUM_BF16; dtype++) print_variants(info, dtype);
    printf("\n");
    if (!verbose) return;
    print_sizes(info);
    print_products(info);
    print_features(info);
}

static int run(const struct cli_command *command, int argc, char **argv) {
    struct devices_options values = {0};
    struct fum_device_info *infos = NULL;
    struct fum_error err = {0};
    int count = 0;
    int status = cli_read_options(command, &argc, argv, &values);
    if (status >= 0) return status;
    if (argc > 0)
        return cli_misuse(command, "takes no argument such as \"%s\"", cli_show(argv[0]).text);

    enum fum_result result = fum_device_list(NULL, 0, &count, &err);
    if (result != FUM_OK) return cli_fail_result(result, &err);
    int capacity = count;
    infos = calloc((size_t)capacity + 1, sizeof *infos);
    if (!infos) return cli_fail("out of memory");
    result = fum_device_list(infos, capacity, &count, &err);
    status = result == FUM_OK ? 0 : cli_fail_result(result, &err);
    for (int i = 0; status == 0 && i < count && i < capacity; i++)
        print_device(i, &infos[i], values.verbose);
    free(infos);
    return status;
}

const struct cli_command cli_devices = {
    .name = "devices",
    .arguments = "[-v]",
    .summary = "the GPUs of this machine, as --device takes them",
    .details = "--device takes the number, the uuid, or part of the name.\n",
    .options = options,
    .run = run,
};
