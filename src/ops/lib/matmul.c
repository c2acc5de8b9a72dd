// SPDX-License-Identifier: MIT
#include "ops/lib/matmul.h"

#include "base/dtype.h"

const struct fum_attr_def fum_matmul_attrs[] = {
    {"transpose_b", 0}, {"act", 0}, {"scale", 1}, {"gate", 0}, {NULL, 0}};

bool fum_matmul_shares_x(const struct fum_op_call *call) {
    const struct fum_shape *x = &call->in[0].shape, *w = &call->in[1].shape;
    return x->rank == 3 && w->rank == 3 && x->dim[0] == 1 && w->dim[0] > 1;
}

bool fum_matmul_infer_gate(struct fum_op_call *call, struct fum_why *why) {
    int64_t n = fum_shape_channels(&call->out.shape);
    if (call->attr[FUM_MATMUL_GATE] == FUM_ACT_NONE) return true;
    if (n % 8 || call->attr[FUM_MATMUL_ACT] != FUM_ACT_NONE || call->has[FUM_GEMM_ROW] ||
        call->has[FUM_GEMM_RESIDUAL])
        return fum_refuse(
            why, "a gate needs 8 n columns, not %lld, and no other activation, row or residual",
            (long long)n);
    call->out.shape.dim[call->out.shape.rank - 1] = n / 2;
    return true;
}

double fum_matmul_flops(const struct fum_op_call *call) {
    return 2.0 * (double)fum_shape_count(&call->out.shape) *
           (double)fum_shape_channels(&call->in[0].shape) *
           (call->attr[FUM_MATMUL_GATE] != FUM_ACT_NONE ? 2 : 1);
}

double fum_q8_at(const double *w, int64_t columns, int64_t k, int64_t n) {
    const double *block = w + k / FUM_Q8_BLOCK * FUM_Q8_ROWS * columns + n;
    uint32_t word = fum_f32_word(block[k % FUM_Q8_BLOCK / 4 * columns]);
    uint32_t byte = word >> 8 * (k % 4) & 0xff;
    return ((double)byte - (byte & 0x80 ? 256 : 0)) * block[(FUM_Q8_ROWS - 1) * columns];
}
