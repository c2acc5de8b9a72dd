// SPDX-License-Identifier: MIT
// Classes of devices, by what their makers build: which variants each prefers, and what its tiles
// start from before anything is measured. One const table, with reasons; planning-only devices fall
// into the same classes as the real ones they describe.
#ifndef FUM_OPS_DEVICE_CLASS_H
#define FUM_OPS_DEVICE_CLASS_H

#include "gpu/gpu.h"

enum { FUM_CLASS_VARIANTS = 4 };

struct fum_variant; // ops/variants/variant.h
extern const struct fum_variant fum_variant_plain, fum_variant_texel, fum_variant_tiled,
    fum_variant_f16, fum_variant_coopmat, fum_variant_int8;

struct fum_device_class {
    const char *name;
    bool (*is)(const struct fum_device_info *info);
    // Best first; one that the device cannot run in a storage type is skipped, and "plain" follows.
    const struct fum_variant *variants[FUM_CLASS_VARIANTS];
    bool prefers_texels;   // fetches texels faster than it loads from storage buffers
    bool shared_is_slow;   // shared memory and barriers only cost time
    bool scattered_loads;  // lanes need not read side by side
    bool long_groups;      // a workgroup may take long while others idle
    bool spills_to_cache;  // registers spill to the first-level cache: larger blocks
    bool slow_compiler;    // takes seconds for large unrolled kernels
    uint32_t turns;        // items of short kernels that an invocation computes; 0: one
    bool winograd;         // convolutions by Winograd's tiles are faster
    uint32_t most_tile;    // largest side of a tile
    uint32_t most_threads; // largest workgroup
    // Words of a lane's registers that may be planned with, in kernels by tiles and in those by
    // cooperative matrices. The makers' compilers (Mesa's) were seen to take so many without
    // spilling any to memory.
    uint32_t tile_registers, matrix_registers;
    uint32_t pad; // quads that rows of x's tile are longer by, against bank conflicts
    // Figures that a tile is chosen by. cores: workgroups that run at a time. fill: invocations
    // that fill one core. load_cost: the cost of loading a row or column of a tile, in
    // multiply-adds of each of its elements.
    double cores, fill, load_cost;
};

// Returns the class of a device, never NULL.
const struct fum_device_class *fum_device_class_of(const struct fum_device_info *info);

#endif
