// SPDX-License-Identifier: MIT
#include "ops/variants/coopmat.h"

// Kernels index what they stage in units of eight elements, so a matrix must be made of such.
static bool fits(const struct fum_matrix_shape *s) {
    return s->m % 8 == 0 && s->n % 8 == 0 && s->k % 8 == 0;
}

// 16 x 16 x 16 where the device has it: what every vendor's units are made of, or a multiple. Else
// the largest below, else the smallest.
static bool better(const struct fum_matrix_shape *a, const struct fum_matrix_shape *b) {
    const int64_t most = 16 * 16 * 16;
    int64_t size_a = (int64_t)a->m * a->n * a->k, size_b = (int64_t)b->m * b->n * b->k;
    if ((size_a <= most) != (size_b <= most)) return size_a <= most;
    return size_a <= most ? size_a > size_b : size_a < size_b;
}

const struct fum_matrix_shape *fum_coopmat_shape(const struct fum_device_info *info,
                                                 enum fum_dtype dtype) {
    const struct fum_matrix_shape *best = NULL;
    if (dtype != FUM_F16 && dtype != FUM_BF16) return NULL;
    enum fum_matrix_type type = dtype == FUM_F16 ? FUM_MATRIX_F16 : FUM_MATRIX_BF16;
    for (uint32_t i = 0; i < info->num_matrix; i++)
        if (info->matrix[i].type == type && fits(&info->matrix[i]) &&
            (!best || better(&info->matrix[i], best)))
            best = &info->matrix[i];
    return best;
}

// A build whose GLSL compiler did not know cooperative matrices has no such shaders.
static bool usable(const struct fum_device_info *info, enum fum_dtype dtype) {
    return info->cooperative_matrix && info->storage16 && info->float16 &&
           fum_coopmat_shape(info, dtype) && fum_shader_find("gemm_coopmat", dtype);
}

const struct fum_variant fum_variant_coopmat = {
    .name = "coopmat",
    .summary = "cooperative matrices: f16 or bf16 in, f32 sums, tiles in shared memory",
    .needs = "VK_KHR_cooperative_matrix with f16 or bf16 matrices and f32 sums",
    .usable = usable,
    .matmul = fum_coopmat_matmul,
    .matmul_q8 = fum_coopmat_matmul,
    .conv2d = fum_coopmat_conv2d,
    .normalises = true,
    .conv2d_q8 = true,
    .gates = true,
    .attention = fum_coopmat_attention,
};
