// SPDX-License-Identifier: MIT
// Says where the kernels of variant "texel" can run, for ops that build on its products.
#ifndef FUM_OPS_TEXEL_H
#define FUM_OPS_TEXEL_H

#include "gpu/gpu.h"

// True if the device can run them in this storage type.
bool fum_texel_usable(const struct fum_device_info *info, enum fum_dtype dtype);

#endif
