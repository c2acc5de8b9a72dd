// SPDX-License-Identifier: MIT
// Reads weights whose integers lie in planes of bits (src/weights/coded.h). The words here are those of four columns.
// A type defines W_TERMS, W_LOW_BITS, W_HIGH_BITS (0: none), W_ZERO, and W_GROUP, the terms that share a scale and a
// minimum. W_GROUP is W_TERMS for types with one factor.
#define W_SCALES      (W_GROUP < W_TERMS)
#define W_SCALE_ROWS  (W_SCALES ? W_TERMS / W_GROUP / 4u : 0u)
#define W_HIGH_ROW    (W_TERMS * W_LOW_BITS / 32u)
#define W_SCALE_ROW   (W_HIGH_ROW + W_TERMS * W_HIGH_BITS / 32u)
#define W_MINIMUM_ROW (W_SCALE_ROW + W_SCALE_ROWS)
#define W_FACTOR_ROW  (W_MINIMUM_ROW + W_SCALE_ROWS)
#define W_ROWS        (W_FACTOR_ROW + (W_SCALES ? 2u : 1u))
#define W_BLOCK       WeightBlock

struct WeightBlock {
    vec4 factor, offset;
};

W_BLOCK w_block(uint at) {
    W_BLOCK block;
    at += W_FACTOR_ROW * n_quads;
    block.factor = uintBitsToFloat(w_words(at));
    block.offset = vec4(0.0);
    if (W_SCALES) block.offset = uintBitsToFloat(w_words(at + n_quads));
    return block;
}

// Multiplies the block's factors by the scale and the minimum of the term's group.
W_BLOCK w_group(uint at, W_BLOCK block, uint term) {
    if (!W_SCALES) return block;
    uint group = term / W_GROUP, shift = 8u * (group % 4u);
    at += (W_SCALE_ROW + group / 4u) * n_quads;
    block.factor *= vec4((w_words(at) >> shift) & 0xffu);
    block.offset *= vec4((w_words(at + W_SCALE_ROWS * n_quads) >> shift) & 0xffu);
    return block;
}

// Returns the words of a plane that hold the term, shifted to its first bit.
uvec4 w_plane(uint at, uint bits, uint term) {
    uint each = 32u / bits;
    return w_words(at + term / each * n_quads) >> (term % each * bits);
}

// Returns the term j after the one to whose first bits the planes are shifted.
vec4 w_value(W_BLOCK group, uvec4 low, uvec4 high, uint j) {
    uvec4 code = (low >> (W_LOW_BITS * j)) & ((1u << W_LOW_BITS) - 1u);
    if (W_HIGH_BITS > 0u) code |= ((high >> (W_HIGH_BITS * j)) & ((1u << W_HIGH_BITS) - 1u)) << W_LOW_BITS;
    return fma(group.factor, vec4(ivec4(code) - int(W_ZERO)), -group.offset);
}

uvec4 w_high(uint at, uint term) {
    return W_HIGH_BITS > 0u ? w_plane(at + W_HIGH_ROW * n_quads, max(W_HIGH_BITS, 1u), term) : uvec4(0u);
}

void w_terms(uint at, W_BLOCK block, uint i, out vec4 w0, out vec4 w1, out vec4 w2, out vec4 w3) {
    W_BLOCK group = w_group(at, block, 4u * i);
    uvec4 low = w_plane(at, W_LOW_BITS, 4u * i), high = w_high(at, 4u * i);
    w0 = w_value(group, low, high, 0u);
    w1 = w_value(group, low, high, 1u);
    w2 = w_value(group, low, high, 2u);
    w3 = w_value(group, low, high, 3u);
}

vec4 w_term(uint at, uint term) {
    return w_value(w_group(at, w_block(at), term), w_plane(at, W_LOW_BITS, term), w_high(at, term), 0u);
}
