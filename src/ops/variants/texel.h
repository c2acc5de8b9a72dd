// SPDX-License-Identifier: MIT
// The kernels of variant "texel", for ops that build on its products.
#ifndef FUM_OPS_TEXEL_H
#define FUM_OPS_TEXEL_H

#include "gpu/tuning.h"
#include "ops/lib/gemm.h"

extern const struct fum_gemm_kernels fum_gemm_texel;

// Whether that is the variant for the type: on CPU devices unless the user insists on another,
// elsewhere if the user insists on it.
bool fum_texel_chosen(const struct fum_device_info *info, const struct fum_tuning *tuning,
                      enum fum_dtype dtype);
// fum_gemm_texel where it is chosen, else fum_gemm_plain.
const struct fum_gemm_kernels *fum_gemm_unshared(const struct fum_dispatches *list,
                                                 enum fum_dtype dtype);

#endif
