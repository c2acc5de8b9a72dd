// SPDX-License-Identifier: MIT
// Push constants of attention's gradients and of the normalisers that they read.
#include "lib/push.h"

PUSH_CONSTANTS(fum_attention_gradient_push) {
    uint quads;         // invocations; workgroups of attention_gradient_texel.comp
    uint queries, keys; // of a batch
    uint heads, head;   // number of heads; channels of one
    uint row_quads;     // of a row of q, k and v
    uint stat_quads;    // of a row with one number for each head
    uint causal,
        key_values; // key_values: quads of all keys' gradients, after which come the values'
    float scale;
};
