// Matrix product with epilogue: out = act(scale x w + bias + row) + residual.
#include <stdio.h>

#include "ops/gemm.h"

enum { TRANSPOSE_B, ACT, SCALE };
static const struct fum_attr_def attrs[] = {{"transpose_b", 0}, {"act", 0}, {"scale", 1}, {NULL, 0}};

// Whether w has batches of its own: more than two dimensions, not all of size 1.
static int64_t weight_batches(const struct fum_shape *w) {
    int64_t n = 1;
    for (int i = 0; i + 2 < w->rank; i++) n *= w->dim[i];
    return n;
}

static bool infer(struct fum_op_call *call, char *why, size_t why_size) {
    const struct fum_shape *x = &call->in[0].shape, *w = &call->in[1].shape;
    bool turned = call->attr[TRANSPOSE_B] != 0;
    if (x->rank < 2 || w->rank < 2 || w->rank > x->rank) {
        snprintf(why, why_size, "x must be [.., M, K] and w [K, N] or batched as x");
        return false;
    }
    int64_t k = w->dim[w->rank - (turned ? 1 : 2)], n = w->dim[w->rank - (turned ? 2 : 1)];
    if (k != fum_shape_channels(x)) {
        snprintf(why, why_size, "x has %lld channels but w takes %lld", (long long)fum_shape_channels(x), (long long)k);
        return false;
    }
    for (int i = 3; i <= w->rank; i++) {
        int64_t have = w->dim[w->rank - i], want = x->dim[x->rank - i];
        if (have != want && have != 1) {
            snprintf(why, why_size, "a batch dimension of w is %lld, not 1 or x's %lld", (long long)have,
                     (long long)want);
            return false;
        }
    }
    call->out.shape = *x;
    call->out.shape.dim[x->rank - 1] = n;
    call->out.dtype = call->in[0].dtype;
    return fum_gemm_infer_epilogue(call, 1, why, why_size);
}

// With its own batches in w, rows are those of one batch; else all leading dimensions of x are rows.
static struct fum_gemm plan(const struct fum_op_call *call) {
    const struct fum_shape *x = &call->in[0].shape, *w = &call->in[1].shape;
    struct fum_gemm g = {
        .batches = 1,
        .rows = fum_shape_rows(x),
        .k = fum_shape_channels(x),
        .n = fum_shape_channels(&call->out.shape),
        .w_batches = weight_batches(w),
        .w_div = 1,
        .w_mod = 1,
        .row_rows = x->dim[x->rank - 2],
        .transposed = call->attr[TRANSPOSE_B] != 0,
        .act = (enum fum_act)call->attr[ACT],
        .scale = call->attr[SCALE],
    };
    if (g.w_batches == 1) return g;
    g.rows = x->dim[x->rank - 2];
    g.batches = 1;
    for (int i = 0; i + 2 < x->rank; i++) g.batches *= x->dim[i];
    g.w_mod = g.w_batches;
    // w [B, 1, K, N] of x [B, H, M, K]: H batches of x share one of w.
    if (w->rank == 4 && w->dim[1] == 1) g.w_div = x->dim[1];
    return g;
}

static void reference(const struct fum_op_call *call, const float *const *in, float *out) {
    struct fum_gemm g = plan(call);
    for (int64_t b = 0; b < g.batches; b++) {
        const float *w = g.w_batches ? in[1] + b / g.w_div % g.w_mod * g.k * g.n : in[1];
        for (int64_t m = 0; m < g.rows; m++) {
            int64_t row = b * g.rows + m;
            const float *x = in[0] + row * g.k;
            for (int64_t n = 0; n < g.n; n++) {
                double sum = 0;
                for (int64_t k = 0; k < g.k; k++) sum += (double)x[k] * w[g.transposed ? n * g.k + k : k * g.n + n];
                out[row * g.n + n] = fum_gemm_finish(call, in, sum * g.scale, g.act, row, n);
            }
        }
    }
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list, char *why, size_t why_size) {
    struct fum_gemm g = plan(call);
    return fum_gemm_dispatch(call, &g, list, why, why_size);
}

static double flops(const struct fum_op_call *call) {
    return 2.0 * (double)fum_shape_count(&call->out.shape) * (double)fum_shape_channels(&call->in[0].shape);
}

const struct fum_op fum_op_matmul = {
    .name = "matmul",
    .attrs = attrs,
    .min_inputs = 2,
    .max_inputs = 5,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
    .flops = flops,
    .bias_input = FUM_GEMM_BIAS,
    .row_input = FUM_GEMM_ROW,
    .residual_input = FUM_GEMM_RESIDUAL,
    .act_attr = "act",
};
