// SPDX-License-Identifier: MIT
// A matrix product, or a convolution as one, ready for the kernels of the variants that work by
// tiles in shared memory: what their common push constants say and what is bound. Calls are cut
// into windows that fit the device's bindings, each of which a variant's `add` turns into
// dispatches.
#ifndef FUM_OPS_GEMM_JOB_H
#define FUM_OPS_GEMM_JOB_H

#include "ops/lib/conv2d.h"
#include "ops/lib/gemm.h"

enum { FUM_GEMM_JOB_BINDINGS = 7 };

// The push constants of lib/gemm_push.glsl, in its order.
struct fum_gemm_push {
    uint32_t channels, n, cq, nq;
    uint32_t rows, batches, tiles_m, tiles_n;
    uint32_t x_skip, w_skip, y_skip, residual_skip;
    uint32_t w_div, w_mod;
    uint32_t row_base, row_first, row_div;
    uint32_t scale; // bits of a float
    uint32_t quads, split_quads, splits;
    uint32_t kernel_w, stride, pad, in_h, in_w, out_w, pixels, first, in_first;
    uint32_t norm_skip;
};
_Static_assert(sizeof(struct fum_gemm_push) <= FUM_MAX_PUSH * sizeof(uint32_t),
               "push constants of 128 bytes");

// `add` sets tiles_m, tiles_n, split_quads and splits.
struct fum_gemm_job {
    const struct fum_op_call *call;
    bool conv, up, norm, transposed, q8; // q8: w is packed as FUM_PACK_Q8
    enum fum_act act, norm_act;
    // not none: columns are values and then their gates, and the sum is not to be split
    enum fum_act gate;
    struct fum_gemm_push push;
    struct fum_dispatch_bind bind[FUM_GEMM_JOB_BINDINGS];
};
typedef bool (*fum_gemm_job_add)(struct fum_gemm_job *job, struct fum_dispatches *list);

// False when a call does not fit the device's bindings, has no terms, or `add` refused.
bool fum_gemm_job_matmul(const struct fum_op_call *call, const struct fum_gemm *gemm,
                         fum_gemm_job_add add, struct fum_dispatches *list);
bool fum_gemm_job_conv2d(const struct fum_op_call *call, const struct fum_conv *conv,
                         fum_gemm_job_add add, struct fum_dispatches *list);

// Sum of the bits: 1 bias, 2 row, 4 residual.
uint32_t fum_gemm_epilogue_of(const struct fum_op_call *call);
// Layers of sums that fit the scratch that a call may have, at most `splits`; 1: no split.
int64_t fum_gemm_job_splits(const struct fum_gemm_job *job, const struct fum_device_info *info,
                            int64_t splits);
// With push.splits over 1: makes the dispatch write layers of sums, without epilogue, and adds the
// one that ends them.
bool fum_gemm_job_reduce(const struct fum_gemm_job *job, struct fum_dispatch *d,
                         struct fum_dispatches *list);

#endif
