// SPDX-License-Identifier: MIT
// Computes exp, log, sin and cos to about an ulp or two of f32, whatever the driver's own precision is. Vulkan allows
// errors of 2^-11 absolute for sin and cos, and any error for large arguments. `precise` keeps compilers from
// regrouping sums whose rounding matters. All series are Taylor's, cut where the next term is below f32's precision.

// sin and cos for |x| up to 1e5. x is reduced to [-π/4, π/4] by subtracting n π/2. π/2 is a sum of parts of eight bits
// or fewer, so that each product with n < 2^16 is exact.
void sin_cos(float x, out float s, out float c) {
    precise float n = floor(x * 0.63661977 + 0.5);
    precise float r = x - n * 1.5703125;
    r = r - n * 4.825592041015625e-4;
    r = r - n * 1.2665987014770508e-6;
    r = r - n * 9.9209358e-10;
    float z = r * r;
    float sr = r + r * z * (-1.0 / 6.0 + z * (1.0 / 120.0 + z * (-1.0 / 5040.0 + z * (1.0 / 362880.0))));
    float cr = 1.0 + z * (-0.5 + z * (1.0 / 24.0 + z * (-1.0 / 720.0 + z * (1.0 / 40320.0 - z * (1.0 / 3628800.0)))));
    int quadrant = int(n) & 3;
    s = (quadrant & 1) == 0 ? sr : cr;
    c = (quadrant & 1) == 0 ? cr : sr;
    if ((quadrant & 2) != 0) s = -s;
    if (quadrant == 1 || quadrant == 2) c = -c;
}

// ln x of a positive normal x: x = 2^k m with m near 1, ln m = 2 artanh((m - 1) / (m + 1)).
float log_exact(float x) {
    uint bits = floatBitsToUint(x) + (0x3f800000u - 0x3f3504f3u); // m in [√½, √2)
    float k = float(int(bits >> 23) - 127);
    float m = uintBitsToFloat((bits & 0x7fffffu) + 0x3f3504f3u);
    precise float f = m - 1.0;
    float s = f / (m + 1.0), z = s * s;
    float tail = s * z * (2.0 / 3.0 + z * (2.0 / 5.0 + z * (2.0 / 7.0 + z * (2.0 / 9.0))));
    // 355/512 is ln 2 to nine bits, so k times it is exact.
    precise float low = 2.0 * s + tail + k * -2.12194440e-4;
    precise float sum = k * 0.693359375 + low;
    return sum;
}

// exp x for |x| < 87: x = n ln 2 + r.
float exp_exact(float x) {
    precise float n = floor(x * 1.44269504 + 0.5);
    precise float r = x - n * 0.693359375;
    r = r + n * 2.12194440e-4;
    float e = 1.0 + (r + r * r * (0.5 + r * (1.0 / 6.0 + r * (1.0 / 24.0 + r * (1.0 / 120.0 +
              r * (1.0 / 720.0 + r * (1.0 / 5040.0)))))));
    return e * uintBitsToFloat(uint(int(n) + 127) << 23);
}

// a / b with the last bit right where the driver's division is off by two.
float div_exact(float a, float b) {
    precise float q = a / b;
    precise float rest = fma(-q, b, a);
    return q + rest / b;
}
