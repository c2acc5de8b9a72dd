// SPDX-License-Identifier: MIT
// Reads weights of type q8_0 (src/weights/q8_0.c). A block of 32 terms is nine rows: eight of words that hold four
// terms each, and one of factors. The words here are those of four columns.
#define W_TERMS 32u
#define W_ROWS 9u
#define W_BLOCK vec4 // the factors

// Returns term j of the four that the words hold.
vec4 w_integers(uvec4 words, uint j) { return vec4(bitfieldExtract(ivec4(words), int(8u * j), 8)); }

W_BLOCK w_block(uint at) { return uintBitsToFloat(w_words(at + 8u * n_quads)); }

void w_terms(uint at, W_BLOCK factor, uint i, out vec4 w0, out vec4 w1, out vec4 w2, out vec4 w3) {
    uvec4 words = w_words(at + i * n_quads);
    w0 = factor * w_integers(words, 0u);
    w1 = factor * w_integers(words, 1u);
    w2 = factor * w_integers(words, 2u);
    w3 = factor * w_integers(words, 3u);
}

vec4 w_term(uint at, uint term) {
    return w_block(at) * w_integers(w_words(at + term / 4u * n_quads), term % 4u);
}
