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

static double sum_at(const struct fum_gemm *g, fum_weight_at weight_at, const double *x,
                     const double *w, int64_t n) {
    double sum = 0;
    for (int64_t k = 0; k < g->k; k++) sum += x[k] * weight_at(g, w, k, n);
    return sum * g->scale;
}

void fum_matmul_reference(const struct fum_op_call *call, const struct fum_gemm *g,
                          fum_weight_at weight_at, const double *const *in, double *out) {
    int64_t width = g->gate ? g->n / 2 : g->n;
    int64_t w_size = fum_gemm_weight_rows(g) * (g->transposed ? g->k : g->n); // of one batch
    for (int64_t row = 0; row < g->batches * g->rows; row++) {
        int64_t w_batch = g->w_batches ? row / g->rows / g->w_share % g->w_batches : 0;
        const double *w = in[FUM_GEMM_W] + w_batch * w_size,
                     *x = in[FUM_GEMM_X] + (g->x_shared ? row % g->rows : row) * g->k;
        for (int64_t n = 0; n < width; n++) {
            const struct fum_gemm_element value = {row, n, g->act},
                                          gate = {row, width + n, g->gate};
            double v = fum_gemm_finish(call, in, value, sum_at(g, weight_at, x, w, n));
            if (g->gate)
                v *= fum_gemm_finish(call, in, gate, sum_at(g, weight_at, x, w, width + n));
            out[row * width + n] = v;
        }
    }
}
