// SPDX-License-Identifier: MIT
// Declares what matmul and conv2d share on the host: the choice of tile, the matmul shader, which
// 1x1 convolutions run too, and the epilogue. The epilogue is out = act(scale x w + bias + row) +
// residual.
#ifndef FUM_OPS_GEMM_H
#define FUM_OPS_GEMM_H

#include "graph/fuse/fuse.h"
#include "ops/lib/emit.h"
#include "ops/lib/part.h"

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
    const char *matmul, *conv2d; // shaders, for dense weights and (fum_emit_shader) quantised ones
    uint32_t texels;             // bindings that are read as texels
    // The tile for a product of `rows` by `quads` with sums of `terms`; quad_bytes: size of four
    // elements of w.
    struct fum_gemm_tile (*choose)(const struct fum_device_info *info, int64_t rows, int64_t terms,
                                   int64_t quads, size_t quad_bytes);
};
extern const struct fum_gemm_kernels fum_gemm_plain, fum_gemm_texel;
// Returns those that the device is to use for the type.
const struct fum_gemm_kernels *fum_gemm_kernels_for(const struct fum_dispatches *list,
                                                    enum fum_dtype dtype);

// A product as these kernels take it: sums of `taps` times `k` terms.
struct fum_gemm_shape {
    const struct fum_gemm_kernels *kernels;
    const char *shader;                  // one of them
    const struct fum_packing *quantised; // of w; NULL: it is dense
    enum fum_dtype dtype;
    int64_t batches, rows, taps, k, n;
    enum fum_act act;
    uint32_t epilogue; // bits of fum_gemm_epilogue_of
    bool gated;        // columns are values and their gates
};
struct fum_gemm_grid {
    int64_t tiles_m, tiles_n; // along the rows, along n
};
// Adds the product's dispatch, with specialisation constants 0..8; the caller adds the others,
// bindings and push constants. Returns NULL, with list->why, if it does not fit.
struct fum_dispatch *fum_gemm_emit(struct fum_dispatches *list, const struct fum_gemm_shape *shape,
                                   struct fum_gemm_grid *grid);

// Checks that a quantised weight is not transposed and of whole blocks.
bool fum_gemm_infer_weight(const struct fum_op_call *call, bool transposed, struct fum_why *why);
// Checks bias, row (shape [.., 1, channels] where its other leading sizes are 1 or those of out)
// and residual against call->out. `inner` is how many dimensions before the last are the rows of
// one image (1: tokens, 2: pixels).
bool fum_gemm_infer_epilogue(const struct fum_op_call *call, int inner, struct fum_why *why);

// An element of the output, and the activation that it gets.
struct fum_gemm_element {
    int64_t row, channel;
    enum fum_act act;
};
// Finishes an output element of the reference: `sum` is already scaled.
double fum_gemm_finish(const struct fum_op_call *call, const double *const *in,
                       struct fum_gemm_element e, double sum);

// Returns the sum of the bits of the epilogue's operands: 1 bias, 2 row, 4 residual.
uint32_t fum_gemm_epilogue_of(const struct fum_op_call *call);
// Sets bindings 2..4, the epilogue's operands, for rows [first, first + count) of the output;
// absent ones repeat binding 0. Returns the quads before the residual's first row.
uint32_t fum_gemm_bind_epilogue(const struct fum_dispatches *list, const struct fum_op_call *call,
                                int64_t first, int64_t count, struct fum_dispatch_bind *bind);

// Rows of the output that fit the bindings of x, out and residual together.
int64_t fum_gemm_rows_that_fit(const struct fum_op_call *call, const struct fum_device_info *info);

// A product by the matmul shader. x: [batches * rows, k]; w: [w_batches * k, n] or, transposed,
// [w_batches * n, k]; batch b of x meets batch (b / w_share) % w_batches of w.
struct fum_gemm {
    int64_t batches, rows, k, n;
    int64_t w_batches, w_share;
    bool x_shared;     // all batches have the same x, which has no batches of its own
    int64_t row_share; // output rows that share a row of the row operand
    bool transposed;
    bool panels; // w is [n / FUM_PACK_PANEL, k, FUM_PACK_PANEL]
    enum fum_act act;
    double scale;
    // not none: the n columns are values and then their gates, out = value gate(gate), n / 2 wide
    enum fum_act gate;
    struct fum_desc w;                   // as it lies in memory
    const struct fum_packing *quantised; // of w; NULL: it is dense
    // Not 0: x lies in the scratch memory, quantised like w. After packed_bytes of integers, k a
    // row, come factor_bytes of factors, k / 32 a row.
    uint64_t packed_bytes, factor_bytes;
};
// How a product is cut into parts that fit the device's bindings.
struct fum_gemm_cut {
    struct fum_cut part;
    bool own_w; // each batch of x has its own of w: a part binds only its batches of w
};
// Returns false, with `why`, if none fits.
bool fum_gemm_cut(const struct fum_op_call *call, const struct fum_gemm *g,
                  const struct fum_device_info *info, struct fum_gemm_cut *cut,
                  struct fum_why *why);
// Rows of w, and of x, that a part of a product reads.
struct fum_rows fum_gemm_w_rows(const struct fum_gemm *g, const struct fum_part *part, bool own_w);
struct fum_rows fum_gemm_x_rows(const struct fum_op_call *call, const struct fum_gemm *g,
                                const struct fum_part *part);
// Which rows of the row operand flat row i of a part takes: begin + (phase + i) / share, or the
// first for all where share is 0.
struct fum_gemm_added {
    uint32_t begin, phase, share;
};
struct fum_gemm_added fum_gemm_added_rows(const struct fum_op_call *call, const struct fum_gemm *g,
                                          int64_t first);
// True for a dense weight of [terms, columns] that takes less time in panels.
bool fum_gemm_panels_pay(const struct fum_lowering_site *site, int64_t terms, int64_t columns);
// Returns the quads of a row of w that lie together.
uint32_t fum_gemm_panel_quads(bool panels, int64_t n);
// Rows of a batch of w.
int64_t fum_gemm_weight_rows(const struct fum_gemm *g);
// Adds the dispatches of a product by one family of kernels.
bool fum_gemm_dispatch_by(const struct fum_gemm_kernels *kernels, const struct fum_op_call *call,
                          const struct fum_gemm *g, struct fum_dispatches *list);

// y = scale x w in f32 without an epilogue; batch b of x meets batch b of w. Skips are the quads
// before the first element.
struct fum_gemm_product {
    const struct fum_gemm_kernels *kernels;
    int64_t batches, rows, k, n;
    bool transposed, panels;
    double scale;
    struct fum_dispatch_bind x, w, y;
    uint32_t x_skip, w_skip, y_skip;
};
bool fum_gemm_emit_product(struct fum_dispatches *list, const struct fum_gemm_product *product);

#endif
