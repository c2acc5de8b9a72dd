// SPDX-License-Identifier: MIT
#include "ops/variants/coopmat.h"

// True if the device can run the kernels. A build whose GLSL compiler did not know cooperative
// matrices has no such shaders.
static bool usable(const struct fum_device_info *info, enum fum_dtype dtype) {
    return info->cooperative_matrix && info->storage16 && info->float16 &&
           fum_coopmat_shape(info, dtype) && fum_shader_find("gemm_coopmat", dtype);
}

enum { MAX_HEAD = 256 }; // channels whose outputs a subgroup can hold, if it has the registers

static bool attention(const struct fum_op_call *call, const struct fum_attention *a,
                      struct fum_dispatches *list) {
    return a->channels > MAX_HEAD ? fum_coopmat_attention_wide(call, a, list)
                                  : fum_coopmat_attention(call, a, list);
}

const struct fum_variant fum_variant_coopmat = {
    .name = "coopmat",
    .summary = "cooperative matrices: f16 or bf16 in, f32 sums, tiles in shared memory",
    .needs = "VK_KHR_cooperative_matrix with f16 or bf16 matrices and f32 sums",
    .usable = usable,
    .matmul = fum_coopmat_matmul,
    .conv2d = fum_coopmat_conv2d,
    .normalises = true,
    .gates = true,
    .attention = attention,
};
