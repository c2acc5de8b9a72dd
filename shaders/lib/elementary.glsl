// SPDX-License-Identifier: MIT
// Extends the functions of trig.glsl to all arguments, and to others that are built of them. Include it first.

// exp x of any x: 0 or infinity where the result leaves f32's normal numbers.
float exp_any(float x) { return abs(x) < 87.0 ? exp_exact(x) : exp(x); }

// exp x - 1. Taylor's series near 0, where the difference would lose its digits.
float expm1_any(float x) {
    if (!(abs(x) < 0.5)) return exp_any(x) - 1.0;
    return x + x * x * (0.5 + x * (1.0 / 6.0 + x * (1.0 / 24.0 + x * (1.0 / 120.0 + x * (1.0 / 720.0 +
           x * (1.0 / 5040.0 + x * (1.0 / 40320.0 + x * (1.0 / 362880.0))))))));
}

// ln x of any x, also where x is 0, subnormal, negative or infinite.
float log_any(float x) { return x >= 1.17549435e-38 && x < 3.4e38 ? log_exact(x) : log(x); }

// ln(1 + x) for x in [0, 1].
float log1p_unit(float x) {
    precise float sum = 1.0 + x;
    precise float lost = x - (sum - 1.0);
    return log_exact(sum) + lost / sum;
}

vec4 exp4(vec4 x) { return vec4(exp_any(x.x), exp_any(x.y), exp_any(x.z), exp_any(x.w)); }
vec4 expm1_4(vec4 x) { return vec4(expm1_any(x.x), expm1_any(x.y), expm1_any(x.z), expm1_any(x.w)); }
vec4 log1p_unit4(vec4 x) { return vec4(log1p_unit(x.x), log1p_unit(x.y), log1p_unit(x.z), log1p_unit(x.w)); }
