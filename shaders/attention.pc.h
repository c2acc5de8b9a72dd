// SPDX-License-Identifier: MIT
// Push constants of attention, attention_texel, attention_tiled and attention_coopmat.
#include "lib/push.h"

PUSH_CONSTANTS(fum_attention_push) {
    uint queries;     // of a batch in this dispatch
    uint first_query; // their first
    uint batches;
    uint tiles; // workgroups along the queries
    uint q_skip, k_skip, v_skip, y_skip;
    float scale;
    uint heads, head_quads; // quads of a head
    uint splits;            // workgroups that share the output of a head
    uint tokens_k;
};
