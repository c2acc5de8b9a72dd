// SPDX-License-Identifier: MIT
// Derivatives of the activations in act.glsl, which must be included first.

// The derivative of act at x; relu has 0 at 0.
vec4 act_derivative(uint code, vec4 x) {
    if (code == ACT_SILU) {
        vec4 s = sigmoid(x);
        return s + x * s * (1.0 - s);
    }
    if (code == ACT_GELU)
        return 0.5 * (1.0 + erf4(x * 0.7071067811865476)) + 0.3989422804014327 * x * exp(-0.5 * x * x);
    if (code == ACT_GELU_TANH) {
        vec4 t = safe_tanh(0.7978845608028654 * (x + 0.044715 * x * x * x));
        return 0.5 * (1.0 + t) + 0.3989422804014327 * x * (1.0 - t * t) * (1.0 + 0.134145 * x * x);
    }
    if (code == ACT_QUICK_GELU) {
        vec4 s = sigmoid(1.702 * x);
        return s + 1.702 * x * s * (1.0 - s);
    }
    if (code == ACT_RELU) return mix(vec4(0.0), vec4(1.0), greaterThan(x, vec4(0.0)));
    if (code == ACT_TANH) {
        vec4 t = safe_tanh(x);
        return 1.0 - t * t;
    }
    if (code == ACT_SIGMOID) {
        vec4 s = sigmoid(x);
        return s * (1.0 - s);
    }
    return vec4(1.0);
}
