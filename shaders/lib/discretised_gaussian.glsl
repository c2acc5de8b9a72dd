// SPDX-License-Identifier: MIT
// A normal distribution's cumulative function by the tanh that Ho et al. (2020) put in its place, and its density.
// Computed in f32 as PyTorch does, so that far tails meet the clamp at the same places. Include trig.glsl first.
const float LEAST_PROBABILITY = 1e-12;
const float HALF_BIN = 1.0 / 255.0;

// tanh within an ulp: drivers differ where it is near 1.
float tanh_exact(float x) {
    float far = 1.0 - 2.0 / (exp_exact(2.0 * min(abs(x), 40.0)) + 1.0);
    return abs(x) < 0.01 ? x - x * x * x / 3.0 : sign(x) * far;
}

struct cumulative {
    float probability, density;
};
cumulative cumulative_at(float z) {
    float t = tanh_exact(0.7978845608028654 * (z + 0.044715 * z * z * z));
    cumulative c;
    c.probability = 0.5 * (1.0 + t);
    // Where t is 1 the density is 0, however large z is.
    c.density = abs(t) < 1.0 ? 0.3989422804014327 * (1.0 - t * t) * (1.0 + 0.134145 * z * z) : 0.0;
    return c;
}

// The bin of an element: its probability, and how that changes with the ends of the bin.
struct bin {
    float probability;
    float upper, lower;             // ends of the bin in deviations
    float upper_slope, lower_slope; // d probability / d end
};
bin bin_of(float x, float mean, float log_scale) {
    float inverse = exp_exact(clamp(-log_scale, -60.0, 60.0));
    bin b;
    b.upper = inverse * (x - mean + HALF_BIN);
    b.lower = inverse * (x - mean - HALF_BIN);
    cumulative up = cumulative_at(b.upper), low = cumulative_at(b.lower);
    bool first = x < -0.999, last = x > 0.999; // bins without a lower, or an upper, end
    precise float inner = up.probability - low.probability, above = 1.0 - low.probability;
    b.probability = first ? up.probability : inner;
    if (last) b.probability = above;
    b.upper_slope = last ? 0.0 : up.density;
    b.lower_slope = first ? 0.0 : -low.density;
    return b;
}
