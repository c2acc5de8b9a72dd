// SPDX-License-Identifier: MIT
// Declares a matrix product, or a convolution as one, ready for the kernels of the variants that
// work by tiles in shared memory. It holds their common push constants and their bindings. Calls
// are cut into windows that fit the device's bindings, each of which a variant's `add` turns into
// dispatches.
#ifndef FUM_OPS_GEMM_JOB_H
#define FUM_OPS_GEMM_JOB_H

#include "ops/lib/conv2d.h"
#include "ops/lib/gemm.h"
#include "shaders/gemm.pc.h"

enum { FUM_GEMM_JOB_BINDINGS = 7 };

_Static_assert(sizeof(struct fum_gemm_push) <= FUM_MAX_PUSH * sizeof(uint32_t),
               "push constants of 128 bytes");

// `add` sets tiles_m, tiles_n, quads, split_quads and splits of the push constants.
struct fum_gemm_job {
    const struct fum_op_call *call;
    bool conv, up, norm, transposed;
    const struct fum_packing *quantised; // of w; NULL: it is dense
    enum fum_act act, norm_act;
    // not none: columns are values and then their gates, and the sum is not to be split
    enum fum_act gate;
    uint32_t quads; // of terms, all taps together
    struct fum_gemm_push push;
    struct fum_dispatch_bind bind[FUM_GEMM_JOB_BINDINGS];
};
typedef bool (*fum_gemm_job_add)(struct fum_gemm_job *job, struct fum_dispatches *list);

// Adds the dispatches of a call by `add`. Returns false if the call does not fit the device's
// bindings, has no terms, or `add` refused.
bool fum_gemm_job_matmul(const struct fum_op_call *call, const struct fum_gemm *gemm,
                         fum_gemm_job_add add, struct fum_dispatches *list);
bool fum_gemm_job_conv2d(const struct fum_op_call *call, const struct fum_conv *conv,
                         fum_gemm_job_add add, struct fum_dispatches *list);

// Returns how many layers of sums fit the scratch that a call may have, at most `splits`; 1: no
// split.
int64_t fum_gemm_job_splits(const struct fum_gemm_job *job, const struct fum_device_info *info,
                            int64_t splits);
// Makes the dispatch write layers of sums, without epilogue, and adds the dispatch that reduces
// them. Needs push.splits over 1.
bool fum_gemm_job_reduce(const struct fum_gemm_job *job, struct fum_dispatch *d,
                         struct fum_dispatches *list);

#endif
