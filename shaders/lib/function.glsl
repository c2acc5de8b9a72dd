// SPDX-License-Identifier: MIT
// Computes functions of one number by the codes of enum fum_act (src/graph/op.h), activations included. Include act.glsl
// and elementary.glsl first.
#define ACT_EXP 8
#define ACT_EXPM1 9
#define ACT_LOG 10
#define ACT_SQRT 11
#define ACT_SQUARE 12
#define ACT_RECIPROCAL 13

vec4 function_apply(uint code, vec4 x) {
    if (code == ACT_EXP) return exp4(x);
    if (code == ACT_EXPM1) return expm1_4(x);
    if (code == ACT_LOG) return vec4(log_any(x.x), log_any(x.y), log_any(x.z), log_any(x.w));
    if (code == ACT_SQRT) return sqrt(x);
    if (code == ACT_SQUARE) return x * x;
    if (code == ACT_RECIPROCAL) return 1.0 / x;
    return act_apply(code, x);
}
