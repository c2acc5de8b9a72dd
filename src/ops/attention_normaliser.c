// SPDX-License-Identifier: MIT
// The logarithm of the sum of a query's exponentials in attention, f32 [batch, queries, heads], of
// q and k. Attention's gradients read it in place of stored scores.
#include "ops/lib/attention_gradient.h"

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    if (!fum_attention_check(call, why)) return false;
    call->out = (struct fum_desc){call->in[FUM_ATTENTION_Q].shape, FUM_F32};
    call->out.shape.dim[2] = (int64_t)call->attr[FUM_ATTENTION_HEADS];
    return true;
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    const struct fum_attention a = fum_attention_of(call);
    int64_t width = a.heads * a.channels;
    for (int64_t i = 0; i < a.batches * a.queries * a.heads; i++) {
        int64_t row = i / a.heads, head = i % a.heads * a.channels, query = row % a.queries;
        const double *q = in[0] + row * width + head,
                     *k = in[1] + row / a.queries * a.keys * width + head;
        int64_t seen = a.causal ? FUM_MIN(a.keys, query + 1) : a.keys;
        double top = -INFINITY, sum = 0;
        for (int pass = 0; pass < 2; pass++) {
            for (int64_t j = 0; j < seen; j++) {
                double score = 0;
                for (int64_t c = 0; c < a.channels; c++) score += q[c] * k[j * width + c] * a.scale;
                top = pass ? top : fmax(top, score);
                sum += pass ? exp(score - top) : 0;
            }
        }
        out[i] = top + log(sum);
    }
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    return fum_attention_gradient_dispatch(call, FUM_ATTENTION_NORMALISERS, list);
}

const struct fum_op fum_op_attention_normaliser = {
    .name = "attention_normaliser",
    .attrs = fum_attention_attrs,
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
};
