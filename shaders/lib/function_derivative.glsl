// SPDX-License-Identifier: MIT
// Derivatives of the functions in function.glsl. Include it and act_derivative.glsl first.
vec4 function_derivative(uint code, vec4 x) {
    if (code == ACT_EXP || code == ACT_EXPM1) return exp4(x);
    if (code == ACT_LOG) return 1.0 / x;
    if (code == ACT_SQRT) return 0.5 / sqrt(x);
    if (code == ACT_SQUARE) return 2.0 * x;
    if (code == ACT_RECIPROCAL) return -1.0 / (x * x);
    return act_derivative(code, x);
}
