// SPDX-License-Identifier: MIT
// Reads weights packed as FUM_PACK_Q8. A block of 32 terms is nine rows: eight of words that hold four terms each, and
// one of factors. The words here are those of four columns.
#ifndef Q8_GLSL
#define Q8_GLSL

#define Q8_ROWS 9u

// Returns term j of the four that the words hold.
vec4 q8_term(uvec4 words, uint j) {
    return vec4(bitfieldExtract(ivec4(words), int(8u * j), 8));
}

// Returns all four terms, multiplied out.
void q8_terms(uvec4 words, vec4 factor, out vec4 w0, out vec4 w1, out vec4 w2, out vec4 w3) {
    w0 = factor * q8_term(words, 0u);
    w1 = factor * q8_term(words, 1u);
    w2 = factor * q8_term(words, 2u);
    w3 = factor * q8_term(words, 3u);
}

#endif
