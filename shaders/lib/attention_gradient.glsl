// SPDX-License-Identifier: MIT
// What attention's gradients share: scores are computed again from q and k, never stored. Bindings 0 to 3 are q, k, v
// and dout. Binding 4 has the logarithm of each query's sum of exponentials, per head, and binding 5 its dot product of
// dout and the output.
#extension GL_EXT_control_flow_attributes : require
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "lib/input.glsl"
layout(constant_id = 3) const uint WHOLE = 1; // heads are whole quads
// Quads of a head that an invocation takes at once, so that scores are computed once; 0: it takes a quad of a row.
layout(constant_id = 4) const uint HEAD_QUADS = 0;
#define EACH_QUAD(c) [[unroll]] for (uint c = 0u; c < HEAD_QUADS; c++)

INPUT(0, Q, q);
INPUT(1, K, k);
#include "attention_gradient.pc.h"

// Defines the dot product of a head's channels in rows a of A and b of B.
#define HEAD_DOT(name, A, B)                                                                                  \
    float name(uint a, uint b, uint h) {                                                                      \
        float sum = 0.0;                                                                                      \
        uint from = h * head, at = a * row_quads, to = b * row_quads;                                         \
        if (WHOLE != 0u) {                                                                                    \
            for (uint i = from / 4u; i < (from + head) / 4u; i++)                                             \
                sum += dot(input_load(A, at + i), input_load(B, to + i));                                       \
        } else {                                                                                              \
            for (uint c = from; c < from + head; c++)                                                         \
                sum += input_load(A, at + c / 4u)[c % 4u] * input_load(B, to + c / 4u)[c % 4u];                 \
        }                                                                                                     \
        return sum;                                                                                           \
    }

HEAD_DOT(dot_qk, q, k)

// Returns how many keys a query of its batch sees, and the first query that sees a key.
uint keys_of(uint query) { return causal != 0u ? min(keys, query + 1u) : keys; }
uint first_query_of(uint key) { return causal != 0u ? key : 0u; }

float sum4(vec4 v) { return v.x + v.y + v.z + v.w; }
