// SPDX-License-Identifier: MIT
// Reads weights of type q5_K (src/weights/q5_K.c).
#define W_TERMS     256u
#define W_LOW_BITS  4u
#define W_HIGH_BITS 1u
#define W_ZERO      0u
#define W_GROUP     32u
#include "weights/coded.glsl"
