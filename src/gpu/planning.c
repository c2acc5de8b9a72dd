// SPDX-License-Identifier: MIT
// The limits of real GPUs, as data for planning without them: from Vulkan-Profiles exports and
// Mesa's sources of 2026. Where no source states a value, the line says what stands in its place.
#include "base/macros.h"
#include "gpu/backend.h"

#define MIB        ((uint64_t)1 << 20)
#define GIB        ((uint64_t)1 << 30)
#define MAX32      ((uint64_t)UINT32_MAX)
#define API(minor) ((1u << 22) | ((minor) << 12)) // as VK_MAKE_API_VERSION(0, 1, minor, 0)

// What the classes have unless their lines have another value. Vendors are PCI numbers.
#define MODERN                                                                           \
    .storage16 = true, .float16 = true, .storage8 = true, .int8 = true, .int_dot = true, \
    .subgroup_arithmetic = true, .subgroup_shuffle = true, .subgroup_control = true,     \
    .buffer_address = true, .timeline = true, .planning_only = true

// What two devices of one driver share.
#define TURNIP                                                                                    \
    .driver = "planning only: Turnip", .vendor_id = 0x5143, .type = FUM_DEVICE_INTEGRATED,        \
    .max_binding = 128 * MIB, .max_allocation = MAX32, .max_buffer = 4 * GIB, .binding_align = 4, \
    .shared_bytes = 32768, .max_group_size = {1024, 1024, 1024},                                  \
    .max_group_count = {65535, 65535, 65535}, .max_push_bytes = 256, .max_bindings = 8,           \
    .subgroup_size = 128, .subgroup_min = 64, .subgroup_max = 128, .timestamp_period = 52.083f,   \
    .timestamp_bits = 48, .unified_memory = true
#define RADV                                                                                       \
    .vendor_id = 0x1002, .api_version = API(3), .type = FUM_DEVICE_DISCRETE, .max_binding = MAX32, \
    .max_allocation = 4 * GIB - 4, .max_buffer = 4 * GIB - 4, .binding_align = 4,                  \
    .shared_bytes = 65536, .max_group_invocations = 1024, .max_group_size = {1024, 1024, 1024},    \
    .max_group_count = {65535, 65535, 65535}, .max_push_bytes = 256, .max_bindings = 8388606,      \
    .subgroup_size = 64, .subgroup_min = 32, .subgroup_max = 64, .timestamp_period = 10,           \
    .timestamp_bits = 64, MODERN
#define NVIDIA_WINDOWS                                                                             \
    .vendor_id = 0x10de, .api_version = API(3), .type = FUM_DEVICE_DISCRETE, .max_binding = MAX32, \
    .max_allocation = 4292870144, .binding_align = 16, .shared_bytes = 49152,                      \
    .max_group_invocations = 1024, .max_group_size = {1024, 1024, 64},                             \
    .max_group_count = {INT32_MAX, 65535, 65535}, .max_push_bytes = 256, .max_bindings = 1048576,  \
    .subgroup_size = 32, .subgroup_min = 32, .subgroup_max = 32, .timestamp_period = 1,            \
    .timestamp_bits = 64, MODERN

// clang-format off
static const struct fum_device_info devices[] = {
    {
        // Mesa 22.3, as Debian 12 has it; the amount of memory is this table's.
        .name = "lavapipe", .driver = "planning only: lavapipe 22.3", .vendor_id = 0x10005,
        .api_version = API(3), .type = FUM_DEVICE_CPU, .memory = 8 * GIB, .max_binding = 128 * MIB,
        .max_allocation = 2 * GIB, .max_buffer = MAX32, .binding_align = 16, .shared_bytes = 32768,
        .max_group_invocations = 1024, .max_group_size = {1024, 1024, 1024},
        .max_group_count = {65535, 65535, 65535}, .max_push_bytes = 128, .max_bindings = 32,
        .max_texels = 1 << 27, .texel_align = 16, .subgroup_size = 8, .subgroup_min = 8,
        .subgroup_max = 8, .timestamp_period = 1, .timestamp_bits = 64, .unified_memory = true,
        MODERN,
    },
    {
        // No source for invocations and storage buffers: 128, which Vulkan 1.3 requires, and 8, the
        // fewest of any device below. None for the timestamp's bits. 8-bit storage is missing on
        // this generation.
        .name = "adreno-6xx", .api_version = API(3), .memory = 3 * GIB,
        .max_group_invocations = 128, TURNIP, .storage16 = true, .float16 = true, .int8 = true,
        .int_dot = true, .subgroup_arithmetic = true, .subgroup_shuffle = true,
        .subgroup_control = true, .buffer_address = true, .timeline = true, .planning_only = true,
    },
    {
        // As above; 256 invocations, which Vulkan 1.4 requires.
        .name = "adreno-7xx", .api_version = API(4), .memory = 6 * GIB,
        .max_group_invocations = 256, TURNIP, MODERN,
    },
    {
        // panvk on Valhall v10. No source for the workgroup: what Vulkan 1.4 requires. Storage
        // buffers as a Bifrost G52 states. The timestamp's tick and bits have no source either.
        .name = "mali-g7x", .driver = "planning only: panvk", .vendor_id = 0x13b5,
        .api_version = API(4), .type = FUM_DEVICE_INTEGRATED, .memory = 4 * GIB,
        .max_binding = MAX32, .max_allocation = MAX32, .max_buffer = MAX32, .binding_align = 16,
        .shared_bytes = 32768, .max_group_invocations = 256, .max_group_size = {256, 256, 64},
        .max_group_count = {65535, 65535, 65535}, .max_push_bytes = 256, .max_bindings = 35,
        .subgroup_size = 16, .subgroup_min = 16, .subgroup_max = 16, .timestamp_period = 38.5f,
        .timestamp_bits = 64, .unified_memory = true, MODERN,
    },
    {
        // ANV on Tiger Lake with 16 GiB of RAM.
        .name = "intel-xe", .driver = "planning only: ANV 26.1, Xe-LP", .vendor_id = 0x8086,
        .api_version = API(4), .type = FUM_DEVICE_INTEGRATED, .memory = 12409119744,
        .max_binding = MAX32, .max_allocation = 12409119744, .max_buffer = 4 * GIB,
        .binding_align = 4, .shared_bytes = 49152, .max_group_invocations = 1024,
        .max_group_size = {1024, 1024, 1024}, .max_group_count = {INT32_MAX, 65535, 65535},
        .max_push_bytes = 256, .max_bindings = 201326592, .subgroup_size = 32, .subgroup_min = 8,
        .subgroup_max = 32, .timestamp_period = 52.083f, .timestamp_bits = 36,
        .unified_memory = true, MODERN,
    },
    {
        .name = "intel-arc-windows", .driver = "planning only: Intel Windows, Arc A",
        .vendor_id = 0x8086, .api_version = API(4), .type = FUM_DEVICE_DISCRETE, .memory = 16 * GIB,
        .max_binding = 1073741820, .max_allocation = 4294901760, .max_buffer = 4 * GIB,
        .binding_align = 64, .shared_bytes = 49152, .max_group_invocations = 1024,
        .max_group_size = {1024, 1024, 64}, .max_group_count = {65535, 65535, 65535},
        .max_push_bytes = 256, .max_bindings = 33554432, .subgroup_size = 32, .subgroup_min = 8,
        .subgroup_max = 32, .timestamp_period = 52.083f, .timestamp_bits = 36,
        .cooperative_matrix = true, .num_matrix = 2,
        .matrix = {{FUM_MATRIX_F16, 8, 8, 16}, {FUM_MATRIX_S8, 8, 8, 32}}, .matrix_subgroup = 8,
        MODERN,
    },
    {
        .name = "amd-rdna2", .driver = "planning only: RADV", .memory = 16 * GIB, RADV,
    },
    {
        .name = "amd-rdna3", .driver = "planning only: RADV 24.0", .memory = 24 * GIB, RADV,
        .cooperative_matrix = true, .num_matrix = 2,
        .matrix = {{FUM_MATRIX_F16, 16, 16, 16}, {FUM_MATRIX_S8, 16, 16, 16}},
        .matrix_subgroup = 64,
    },
    {
        .name = "amd-windows", .driver = "planning only: AMD Windows, RDNA2", .vendor_id = 0x1002,
        .api_version = API(3), .type = FUM_DEVICE_DISCRETE, .memory = 8 * GIB, .max_binding = MAX32,
        .max_allocation = 2 * GIB, .max_buffer = 2 * GIB, .binding_align = 4, .shared_bytes = 32768,
        .max_group_invocations = 1024, .max_group_size = {1024, 1024, 1024},
        .max_group_count = {UINT32_MAX, 65535, 65535}, .max_push_bytes = 128,
        .max_bindings = UINT32_MAX, .subgroup_size = 64, .subgroup_min = 32, .subgroup_max = 64,
        .timestamp_period = 10, .timestamp_bits = 64,
        MODERN,
    },
    {
        // A 3060 Ti, driver 517: maxBufferSize near 2^64 and no KHR cooperative matrix yet.
        .name = "nvidia-ampere", .driver = "planning only: NVIDIA 517", .memory = 8 * GIB,
        .max_buffer = UINT64_MAX - 65535, NVIDIA_WINDOWS,
    },
    {
        // A 4070, driver 551, with KHR cooperative matrix.
        .name = "nvidia-ada", .driver = "planning only: NVIDIA 551", .memory = 12 * GIB,
        .max_buffer = ((uint64_t)1 << 40) - 65536, NVIDIA_WINDOWS,
        .cooperative_matrix = true, .num_matrix = 3,
        .matrix = {{FUM_MATRIX_F16, 16, 8, 8}, {FUM_MATRIX_F16, 16, 8, 16},
                   {FUM_MATRIX_F16, 16, 16, 16}},
        .matrix_subgroup = 32,
    },
    {
        // An M1 with 8 GiB. It offers size control, but in no stage. Timestamps: no source, taken
        // as 64 bits of 1 ns.
        .name = "apple-moltenvk", .driver = "planning only: MoltenVK, M1", .vendor_id = 0x106b,
        .api_version = API(4), .type = FUM_DEVICE_INTEGRATED, .memory = 5 * GIB,
        .max_binding = MAX32, .max_allocation = 4 * GIB, .max_buffer = 4 * GIB, .binding_align = 16,
        .shared_bytes = 32768, .max_group_invocations = 1024, .max_group_size = {1024, 1024, 1024},
        .max_group_count = {1 << 30, 1 << 30, 1 << 30}, .max_push_bytes = 4096, .max_bindings = 31,
        .subgroup_size = 32, .subgroup_min = 4, .subgroup_max = 32, .timestamp_period = 1,
        .timestamp_bits = 64, .unified_memory = true, .storage16 = true, .float16 = true,
        .storage8 = true, .int8 = true, .int_dot = true, .subgroup_arithmetic = true,
        .subgroup_shuffle = true, .buffer_address = true, .timeline = true, .planning_only = true,
    },
    {
        // Raspberry Pi 5 with 4 GiB and the smaller limits of older Mesa; no 16- or 8-bit
        // arithmetic. The smallest subgroup, subgroup operations and the timestamp are not stated:
        // 16 and none. Buffer addresses and size control are left off although newer drivers have
        // them, so that one planning device has neither.
        .name = "v3d", .driver = "planning only: V3D 7.1", .vendor_id = 0x14e4,
        .api_version = API(2), .type = FUM_DEVICE_INTEGRATED, .memory = 2 * GIB,
        .max_binding = 128 * MIB, .max_allocation = GIB, .max_buffer = GIB, .binding_align = 32,
        .shared_bytes = 16384, .max_group_invocations = 256, .max_group_size = {256, 256, 256},
        .max_group_count = {65535, 65535, 65535}, .max_push_bytes = 128, .max_bindings = 8,
        .subgroup_size = 16, .subgroup_min = 16, .subgroup_max = 16, .unified_memory = true,
        .storage16 = true, .storage8 = true, .timeline = true, .planning_only = true,
    },
};
// clang-format on

const struct fum_device_info *fum_planning_info(int index) {
    return (size_t)index < FUM_COUNT(devices) ? &devices[index] : NULL;
}
