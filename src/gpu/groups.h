// SPDX-License-Identifier: MIT
// How many workgroups and of what width a kernel runs in.
#ifndef FUM_GPU_GROUPS_H
#define FUM_GPU_GROUPS_H

#include "gpu/gpu.h"

// Spreads n workgroups over x and y within the device's limits. Shaders find theirs with
// group_index() of lib/index.glsl and return when it is n or more. Returns false if n is too large.
bool fum_groups_1d(const struct fum_device_info *info, uint64_t n, uint32_t groups[3]);
// Returns the workgroup width for kernels without shared memory: 8 on CPU devices, 64 elsewhere
// (never over the limits).
uint32_t fum_lanes(const struct fum_device_info *info);

#endif
