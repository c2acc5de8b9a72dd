// SPDX-License-Identifier: MIT
#include "ops/lib/device_class.h"

enum {
    AMD = 0x1002,
    APPLE = 0x106b,
    NVIDIA = 0x10de,
    ARM = 0x13b5,
    BROADCOM = 0x14e4,
    QUALCOMM = 0x5143,
    INTEL = 0x8086
};

static bool is_cpu(const struct fum_device_info *info) {
    return info->type == FUM_DEVICE_CPU;
}
static bool is_nvidia(const struct fum_device_info *info) {
    return info->vendor_id == NVIDIA;
}
static bool is_amd(const struct fum_device_info *info) {
    return info->vendor_id == AMD;
}
static bool is_amd_integrated(const struct fum_device_info *info) {
    return is_amd(info) && info->type == FUM_DEVICE_INTEGRATED;
}
static bool is_intel(const struct fum_device_info *info) {
    return info->vendor_id == INTEL;
}
static bool is_intel_discrete(const struct fum_device_info *info) {
    return is_intel(info) && info->type == FUM_DEVICE_DISCRETE;
}
static bool is_apple(const struct fum_device_info *info) {
    return info->vendor_id == APPLE;
}
static bool is_qualcomm(const struct fum_device_info *info) {
    return info->vendor_id == QUALCOMM;
}
static bool is_arm(const struct fum_device_info *info) {
    return info->vendor_id == ARM;
}
static bool is_broadcom(const struct fum_device_info *info) {
    return info->vendor_id == BROADCOM;
}
// True for Arc A, whose matrices have 8 columns.
static bool is_intel_arc_a(const struct fum_device_info *info) {
    return is_intel(info) && info->num_matrix && info->matrix[0].n == 8;
}
static bool is_any(const struct fum_device_info *info) {
    (void)info;
    return true;
}

// "ggml" is ggml-vulkan's choice for the same hardware. Cores are those of a middling part of the
// class; Vulkan does not say how many there are.
// clang-format off
static const struct fum_device_class classes[] = {
    // Shared memory and barriers only cost there: all of a CPU's memory is cached alike. Tiles are
    // for --variant, and small, because LLVM compiles their unrolled loops for seconds. A workgroup
    // starts in about 90 ns, in which its 8 lanes could read and write two quads each.
    {"cpu", is_cpu, {&fum_variant_texel}, .prefers_texels = true,
     .shared_is_slow = true, .scattered_loads = true, .long_groups = true, .spills_to_cache = true,
     .slow_compiler = true, .winograd = true, .turns = 16,
     .most_tile = 32, .most_threads = 128, .tile_registers = 220, .matrix_registers = 280, .pad = 0,
     .cores = 2, .fill = 8, .load_cost = 8},
    // The large tile is ggml's. f16 arithmetic runs at f32's rate from Ampere on, where no tensor
    // cores are used.
    {"nvidia", is_nvidia,
     {&fum_variant_coopmat, &fum_variant_tiled, &fum_variant_int8},
     .most_tile = 128, .most_threads = 256, .tile_registers = 220, .matrix_registers = 160,
     .pad = 1, .cores = 48, .fill = 512, .load_cost = 24},
    // Without cooperative matrices ggml has the large tile off on AMD and Intel: too many
    // registers. f16 runs at twice f32's rate.
    {"amd-integrated", is_amd_integrated,
     {&fum_variant_coopmat, &fum_variant_f16, &fum_variant_tiled, &fum_variant_int8},
     .most_tile = 64, .most_threads = 256, .tile_registers = 110, .matrix_registers = 80, .pad = 1,
     .cores = 8, .fill = 256, .load_cost = 24},
    {"amd", is_amd,
     {&fum_variant_coopmat, &fum_variant_f16, &fum_variant_tiled, &fum_variant_int8},
     .most_tile = 64, .most_threads = 256, .tile_registers = 110, .matrix_registers = 80, .pad = 1,
     .cores = 48, .fill = 512, .load_cost = 24},
    // There cooperative matrices are slower than none (llama.cpp #24404).
    {"intel-arc-a", is_intel_arc_a,
     {&fum_variant_f16, &fum_variant_tiled, &fum_variant_int8},
     .most_tile = 64, .most_threads = 256, .tile_registers = 88, .matrix_registers = 48, .pad = 0,
     .cores = 28, .fill = 256, .load_cost = 24},
    // Padding loses there (ggml: 0 on Windows). A lane has 128 registers, and sums by matrices take
    // two each.
    {"intel-discrete", is_intel_discrete,
     {&fum_variant_coopmat, &fum_variant_f16, &fum_variant_tiled, &fum_variant_int8},
     .most_tile = 64, .most_threads = 256, .tile_registers = 88, .matrix_registers = 48, .pad = 0,
     .cores = 28, .fill = 256, .load_cost = 24},
    {"intel", is_intel,
     {&fum_variant_coopmat, &fum_variant_f16, &fum_variant_tiled, &fum_variant_int8},
     .most_tile = 64, .most_threads = 256, .tile_registers = 88, .matrix_registers = 48, .pad = 0,
     .cores = 6, .fill = 512, .load_cost = 24},
    // Only the medium tile compiles to something fast (llama.cpp #5412). f16 halves registers and
    // shared memory.
    {"apple", is_apple, {&fum_variant_f16, &fum_variant_tiled, &fum_variant_int8},
     .most_tile = 64, .most_threads = 256, .tile_registers = 140, .matrix_registers = 80, .pad = 1,
     .cores = 8, .fill = 128, .load_cost = 24},
    // The medium tile only (llama.cpp #24877), and no private arrays of 19 vectors or more (Vita3K
    // #4141): those of the tiles up to 64 have 8.
    {"qualcomm", is_qualcomm,
     {&fum_variant_f16, &fum_variant_tiled, &fum_variant_int8},
     .most_tile = 64, .most_threads = 128, .tile_registers = 140, .matrix_registers = 80, .pad = 1,
     .cores = 4, .fill = 128, .load_cost = 24},
    // Shared memory is plain memory there and staging in it is advised against (Arm's guide,
    // panvk): the kernels without it. Tiles only when forced, of medium size (llama.cpp
    // #26921).
    {"arm", is_arm, {&fum_variant_int8},
     .most_tile = 64, .most_threads = 128, .tile_registers = 140, .matrix_registers = 80, .pad = 0,
     .cores = 8, .fill = 64, .load_cost = 24},
    // Few registers: large unrolled kernels do not compile (llama.cpp #5237, #26213), and 16 KiB of
    // shared memory.
    {"broadcom", is_broadcom, {&fum_variant_tiled, &fum_variant_int8},
     .most_tile = 32, .most_threads = 64, .tile_registers = 140, .matrix_registers = 80, .pad = 1,
     .cores = 2, .fill = 64, .load_cost = 24},
    {"other", is_any, {&fum_variant_tiled, &fum_variant_int8},
     .most_tile = 64, .most_threads = 128, .tile_registers = 140, .matrix_registers = 80, .pad = 1,
     .cores = 8, .fill = 128, .load_cost = 24},
};
// clang-format on

const struct fum_device_class *fum_device_class_of(const struct fum_device_info *info) {
    const struct fum_device_class *c = classes;
    while (!c->is(info)) c++;
    return c;
}
