// SPDX-License-Identifier: MIT
// Computes activations by the codes of enum fum_act (src/graph/op.h).
#define ACT_NONE 0
#define ACT_SILU 1
#define ACT_GELU 2
#define ACT_GELU_TANH 3
#define ACT_QUICK_GELU 4
#define ACT_RELU 5
#define ACT_TANH 6
#define ACT_SIGMOID 7

// tanh of GLSL may overflow to NaN inside for large arguments; beyond ±15 it is ±1 in f32.
vec4 safe_tanh(vec4 x) { return tanh(clamp(x, -15.0, 15.0)); }

vec4 sigmoid(vec4 x) { return 1.0 / (1.0 + exp(-x)); }

// erf by Abramowitz and Stegun 7.1.26 is good to 1.5e-7 absolute, which is f32's own size around 1. GELU needs a small
// relative error near 0, so |x| < 0.5 takes the Taylor series 2/sqrt(pi) (x - x^3/3 + x^5/10 - …).
vec4 erf4(vec4 x) {
    vec4 a = abs(x);
    vec4 t = 1.0 / (1.0 + 0.3275911 * a);
    vec4 p = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
    vec4 far = sign(x) * (1.0 - p * exp(-a * a));
    vec4 s = x * x;
    vec4 near = 1.1283791670955126 * x *
                (1.0 + s * (-1.0 / 3.0 + s * (0.1 + s * (-1.0 / 42.0 + s * (1.0 / 216.0 + s * (-1.0 / 1320.0))))));
    return mix(far, near, lessThan(a, vec4(0.5)));
}

vec4 act_apply(uint code, vec4 x) {
    if (code == ACT_SILU) return x * sigmoid(x);
    if (code == ACT_GELU) return 0.5 * x * (1.0 + erf4(x * 0.7071067811865476));
    if (code == ACT_GELU_TANH) return 0.5 * x * (1.0 + safe_tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
    if (code == ACT_QUICK_GELU) return x * sigmoid(1.702 * x);
    if (code == ACT_RELU) return max(x, 0.0);
    if (code == ACT_TANH) return safe_tanh(x);
    if (code == ACT_SIGMOID) return sigmoid(x);
    return x;
}
