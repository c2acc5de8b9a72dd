// SPDX-License-Identifier: MIT
// The gradients of attention by its keys and by its values, one after the other: [2 batch, keys,
// channels]. ops/lib/attention_gradient.h has the formulas.
#include "ops/lib/attention_gradient.h"

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    call->out = call->in[FUM_ATTENTION_K];
    call->out.shape.dim[0] *= 2;
    return fum_attention_gradient_check(call, why);
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    const struct fum_attention a = fum_attention_of(call);
    struct fum_attention_pair pair = {.query = -1};
    int64_t width = a.heads * a.channels;
    double *dk = out, *dv = out + a.batches * a.keys * width;
    for (int64_t i = 0; i < fum_shape_count(&call->out.shape); i++) out[i] = 0;
    while (fum_attention_gradient_next(&a, in, &pair)) {
        int64_t head = pair.head * a.channels;
        for (int64_t c = head; c < head + a.channels; c++) {
            dk[pair.key * width + c] += pair.slope * in[FUM_ATTENTION_Q][pair.query * width + c];
            dv[pair.key * width + c] +=
                pair.weight * in[FUM_ATTENTION_DOUT][pair.query * width + c];
        }
    }
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    return fum_attention_gradient_dispatch(call, FUM_ATTENTION_KEY_GRADIENTS, list);
}

const struct fum_op fum_op_attention_key_gradient = {
    .name = "attention_key_gradient",
    .attrs = fum_attention_attrs,
    .min_inputs = FUM_ATTENTION_GRADIENT_INPUTS,
    .max_inputs = FUM_ATTENTION_GRADIENT_INPUTS,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
};
