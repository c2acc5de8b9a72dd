// SPDX-License-Identifier: MIT
// Declares what matmul and matmul_q8 share.
#ifndef FUM_OPS_MATMUL_H
#define FUM_OPS_MATMUL_H

#include "ops/lib/gemm.h"

// Settings of matmul and matmul_q8, and what rewrites may move into them: the epilogue with a gate.
extern const struct fum_attr_def fum_matmul_attrs[];
extern const struct fum_epilogue fum_matmul_epilogue;
enum { FUM_MATMUL_TRANSPOSE_B, FUM_MATMUL_ACT, FUM_MATMUL_SCALE, FUM_MATMUL_GATE };
// True if one x [1, M, K] meets every batch of w [B, K, N], which gives [B, M, N].
bool fum_matmul_shares_x(const struct fum_op_call *call);
// Checks a call with a gate, whose output has all columns of w, and halves them. Accepts a call
// without.
bool fum_matmul_infer_gate(struct fum_op_call *call, struct fum_why *why);
double fum_matmul_flops(const struct fum_op_call *call);
// Returns element k of column n of a batch of w.
typedef double (*fum_weight_at)(const struct fum_gemm *g, const double *w, int64_t k, int64_t n);
// Computes a product in double: the reference of both.
void fum_matmul_reference(const struct fum_op_call *call, const struct fum_gemm *g,
                          fum_weight_at weight_at, const double *const *in, double *out);
// Returns element k of column n of a weight packed as FUM_PACK_Q8, as its words lie.
double fum_q8_at(const double *w, int64_t columns, int64_t k, int64_t n);
// Chooses the lowering of matmul to matmul_q8, see struct fum_lowering.
bool fum_matmul_q8_choose(const struct fum_lowering_site *site, struct fum_desc *weight);

#endif
