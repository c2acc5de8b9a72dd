// SPDX-License-Identifier: MIT
// What attention's gradients share. A query's weights are p = exp(scale q k - normaliser) for each
// head, where the normaliser is the logarithm of the sum of its exponentials. delta
// is the product of dout and out, summed over the head's channels.
//     dq = scale sum over keys of p (dout v - delta) k
//     dk = scale sum over queries of p (dout v - delta) q
//     dv = sum over queries of p dout
// Scores are computed again where they are needed (Dao et al., "FlashAttention", 2022).
#ifndef FUM_OPS_ATTENTION_GRADIENT_H
#define FUM_OPS_ATTENTION_GRADIENT_H

#include "ops/lib/attention.h"

// Inputs of the gradients; normaliser and delta are f32 [batch, queries, heads].
enum {
    FUM_ATTENTION_Q,
    FUM_ATTENTION_K,
    FUM_ATTENTION_V,
    FUM_ATTENTION_DOUT,
    FUM_ATTENTION_NORMALISER,
    FUM_ATTENTION_DELTA,
    FUM_ATTENTION_GRADIENT_INPUTS,
};

// Checks q, k and the setting heads.
bool fum_attention_check(const struct fum_op_call *call, struct fum_why *why);
// Checks all inputs of a gradient.
bool fum_attention_gradient_check(const struct fum_op_call *call, struct fum_why *why);

// A query, a key that it sees and a head, as rows of q and k.
struct fum_attention_pair {
    int64_t query, key, head;
    double weight; // p
    double slope;  // p (dout v - delta) scale
};
// Steps to the next of all pairs and computes its numbers; start with a query of -1. Returns false
// after the last.
bool fum_attention_gradient_next(const struct fum_attention *a, const double *const *in,
                                 struct fum_attention_pair *pair);

// What is computed, one row for each query or key; attention_gradient_texel.comp has the same list.
enum fum_attention_rows {
    FUM_ATTENTION_NORMALISERS,
    FUM_ATTENTION_QUERY_GRADIENTS,
    FUM_ATTENTION_KEY_GRADIENTS,
};

// Adds the dispatch of a kernel whose bindings are the call's inputs and the output.
bool fum_attention_gradient_dispatch(const struct fum_op_call *call, enum fum_attention_rows what,
                                     struct fum_dispatches *list);

#endif
