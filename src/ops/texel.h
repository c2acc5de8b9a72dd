// The kernels of variant "texel", for ops that build on its products.
#ifndef FUM_OPS_TEXEL_H
#define FUM_OPS_TEXEL_H

#include "gpu/tuning.h"
#include "ops/gemm.h"

extern const struct fum_gemm_kernels fum_gemm_texel;

// Whether the device runs the variant in f32.
bool fum_gemm_texel_usable(const struct fum_device_info *info);
// The same, and the user does not insist on another.
bool fum_texel_chosen(const struct fum_device_info *info, const struct fum_tuning *tuning);
// fum_gemm_texel where it is chosen, else fum_gemm_plain.
const struct fum_gemm_kernels *fum_gemm_on_cpu(const struct fum_dispatches *list);

#endif
