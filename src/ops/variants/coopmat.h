// SPDX-License-Identifier: MIT
// Variant "coopmat": matrix products by cooperative matrices (VK_KHR_cooperative_matrix).
#ifndef FUM_OPS_COOPMAT_H
#define FUM_OPS_COOPMAT_H

#include "ops/lib/gemm_job.h"
#include "ops/lib/gemm_tiles.h"
#include "ops/variants/variant.h"

// Returns the device's matrix that kernels in this storage type use. May be NULL: it has none that
// they can use.
const struct fum_matrix_shape *fum_coopmat_shape(const struct fum_device_info *info,
                                                 enum fum_dtype dtype);

// Tiles of gemm_coopmat.c, 0 the largest; a key of fum_tuning for the shape's class has
// fum_tiling_pack's value.
enum { FUM_COOPMAT_TILES = 11 };
uint64_t fum_coopmat_key(const struct fum_tiling_shape *shape);

// Adds the dispatch of a job whose sum is not to be split. `layers`: no epilogue, and the output
// (binding 5) is f32.
bool fum_coopmat_add(struct fum_gemm_job *job, bool layers, struct fum_dispatches *list);

bool fum_coopmat_matmul(const struct fum_op_call *call, const struct fum_gemm *gemm,
                        struct fum_dispatches *list);
bool fum_coopmat_conv2d(const struct fum_op_call *call, const struct fum_conv *conv,
                        struct fum_dispatches *list);
// Adds the dispatches of heads whose outputs a subgroup can hold.
bool fum_coopmat_attention(const struct fum_op_call *call, const struct fum_attention *attention,
                           struct fum_dispatches *list);
// Does the same for one head that is too wide for that, with scores in scratch.
bool fum_coopmat_attention_wide(const struct fum_op_call *call,
                                const struct fum_attention *attention, struct fum_dispatches *list);

#endif
