// SPDX-License-Identifier: MIT
// What matmul and conv2d share on the host: the epilogue out = act(scale x w + bias + row) +
// residual, the choice of tile, and the matmul shader itself, which 1x1 convolutions run too.
#ifndef FUM_OPS_GEMM_H
#define FUM_OPS_GEMM_H

#include "graph/fuse/fuse.h"
#include "ops/lib/part.h"
#include "weights/q8.h"

// Inputs of both ops.
enum { FUM_GEMM_X, FUM_GEMM_W, FUM_GEMM_BIAS, FUM_GEMM_ROW, FUM_GEMM_RESIDUAL };
// What rewrites may move into the records that have these inputs and the setting "act".
extern const struct fum_epilogue fum_gemm_epilogue;

// A tile of outputs of one workgroup: rows x cols quads per invocation, `lanes_n` of the `lanes`
// along the columns.
struct fum_gemm_tile {
    uint32_t rows, cols, lanes, lanes_n;
    // the kernel looks up at run time what operands there are: fewer kernels to compile
    bool any_epilogue;
};

// Kernels that take the same bindings and the same specialisation and push constants
// (lib/gemm_spec.glsl).
struct fum_gemm_kernels {
    const char *matmul, *conv2d; // shaders
    uint32_t texels;             // bindings that are read as texels
    // The tile for a product of `rows` by `quads` with sums of `terms`; quad_bytes: size of four
    // elements of w.
    struct fum_gemm_tile (*choose)(const struct fum_device_info *info, int64_t rows, int64_t terms,
                                   int64_t quads, size_t quad_bytes);
};
extern const struct fum_gemm_kernels fum_gemm_plain;

// Sets shader, specialisation constants 0..8 and the first push constants of a product of `rows` by
// `n` with sums of `taps` times `k` terms. Returns the tiles along n; *tiles_m: along the rows.
int64_t fum_gemm_begin(const struct fum_gemm_kernels *kernels, const char *shader,
                       const struct fum_device_info *info, const struct fum_op_call *call,
                       struct fum_dispatch *d, int64_t rows, int64_t taps, int64_t k, int64_t n,
                       enum fum_act act, int64_t *tiles_m);

// Checks bias, row (shape [.., 1, channels] where its other leading sizes are 1 or those of out)
// and residual against call->out. `inner` is how many dimensions before the last are the rows of
// one image (1: tokens, 2: pixels).
bool fum_gemm_infer_epilogue(const struct fum_op_call *call, int inner, struct fum_why *why);

// Finishes an output element of the reference: `sum` is already scaled.
double fum_gemm_finish(const struct fum_op_call *call, const double *const *in, double sum,
                       enum fum_act act, int64_t row, int64_t channel);

// Binds the epilogue's operands at bindings 2..4 for rows [first, first + count) of the output;
// binding 0 must be set, absent ones repeat it. *residual_skip as of fum_window_rows.
void fum_gemm_bind_epilogue(const struct fum_dispatches *list, const struct fum_op_call *call,
                            struct fum_dispatch *d, int64_t first, int64_t count,
                            uint32_t *residual_skip);

// Rows of the output that fit the bindings of x, out and residual together.
int64_t fum_gemm_rows_that_fit(const struct fum_op_call *call, const struct fum_device_info *info);

// A product by the matmul shader. x: [batches * rows, k]; w: [w_batches * k, n] or, transposed,
// [w_batches * n, k]; batch b of x meets batch (b / w_div) % w_mod of w.
struct fum_gemm {
    int64_t batches, rows, k, n;
    int64_t w_batches, w_div, w_mod;
    bool x_shared;    // all batches have the same x, which has no batches of its own
    int64_t row_rows; // output rows that share a row of the row operand
    bool transposed;
    enum fum_act act;
    double scale;
    // not none: the n columns are values and then their gates, out = value gate(gate), n / 2 wide
    enum fum_act gate;
    bool q8; // w is packed as FUM_PACK_Q8
    // Not 0: x lies in the scratch memory, quantised like w: after x8_bytes of integers, k a row,
    // come x8_factors bytes of factors, k / 32 a row.
    uint64_t x8_bytes, x8_factors;
};
// Rows of a batch of w.
int64_t fum_gemm_weight_rows(const struct fum_gemm *g);
// Settings of matmul and matmul_q8, and what rewrites may move into them: the epilogue with a gate.
extern const struct fum_attr_def fum_matmul_attrs[];
extern const struct fum_epilogue fum_matmul_epilogue;
enum { FUM_MATMUL_TRANSPOSE_B, FUM_MATMUL_ACT, FUM_MATMUL_SCALE, FUM_MATMUL_GATE };
// True if one x [1, M, K] meets every batch of w [B, K, N], which gives [B, M, N].
bool fum_matmul_shares_x(const struct fum_op_call *call);
// Checks what the gate asks of a call whose output has all columns of w, and halves them. Without a
// gate: nothing.
bool fum_matmul_infer_gate(struct fum_op_call *call, struct fum_why *why);
double fum_matmul_flops(const struct fum_op_call *call);
// Element k of column n of a weight packed as FUM_PACK_Q8, as its words lie.
double fum_q8_at(const double *w, int64_t columns, int64_t k, int64_t n);
// The dispatches of a product by such a weight.
bool fum_gemm_dispatch_q8(const struct fum_op_call *call, const struct fum_gemm *g,
                          struct fum_dispatches *list);
// Chooses the lowering of matmul to matmul_q8, see struct fum_lowering.
bool fum_matmul_q8_choose(const struct fum_lowering_site *site, struct fum_desc *weight);

// By the variant of kernels that the device is to use.
bool fum_gemm_dispatch(const struct fum_op_call *call, const struct fum_gemm *g,
                       struct fum_dispatches *list);
bool fum_gemm_dispatch_by(const struct fum_gemm_kernels *kernels, const struct fum_op_call *call,
                          const struct fum_gemm *g, struct fum_dispatches *list);

// y = scale x w in f32 without an epilogue, in a dispatch whose bindings 0 (x), 1 (w) and 5 (y) the
// caller has set; skip: quads to skip in each. Batch b of x meets batch b of w. False: more
// workgroups than the device has.
bool fum_gemm_product(const struct fum_dispatches *list, struct fum_dispatch *d,
                      const struct fum_gemm_kernels *kernels, int64_t batches, int64_t rows,
                      int64_t k, int64_t n, bool transposed, double scale, const uint32_t skip[3]);

#endif
