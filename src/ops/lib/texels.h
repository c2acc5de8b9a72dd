// SPDX-License-Identifier: MIT
// Decides where kernels read their inputs as texels.
#ifndef FUM_OPS_TEXELS_H
#define FUM_OPS_TEXELS_H

#include "gpu/tuning.h"

// Returns true if every window that may be bound can be read as texels of the type.
bool fum_texels_fit(const struct fum_device_info *info, enum fum_dtype dtype);
// Returns true if kernels should read so as well. Devices whose class prefers it do, unless a
// variant without texels is forced; others do if the variant "texel" is forced. tuning may be NULL.
bool fum_texels_faster(const struct fum_device_info *info, const struct fum_tuning *tuning,
                       enum fum_dtype dtype);

#endif
