// SPDX-License-Identifier: MIT
// Reads weights of type q4_K (src/weights/q4_K.c).
#define W_TERMS     256u
#define W_LOW_BITS  4u
#define W_HIGH_BITS 0u
#define W_ZERO      0u
#define W_GROUP     32u
#include "weights/coded.glsl"
