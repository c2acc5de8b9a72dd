// SPDX-License-Identifier: MIT
// Chooses the shape of cooperative matrices among those that a device offers.
#include "ops/variants/coopmat.h"

// Kernels index what they stage in units of eight elements, so a matrix must be made of such.
static bool fits(const struct fum_matrix_shape *s) {
    return s->m % 8 == 0 && s->n % 8 == 0 && s->k % 8 == 0;
}

// Prefers 16 x 16 x 16, which every vendor's units are made of or a multiple of. Else the largest
// below is better, else the smallest.
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
