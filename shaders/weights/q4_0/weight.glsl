// SPDX-License-Identifier: MIT
// Reads weights of type q4_0 (src/weights/q4_0.c).
#define W_TERMS     32u
#define W_LOW_BITS  4u
#define W_HIGH_BITS 0u
#define W_ZERO      8u
#define W_GROUP     32u
#include "weights/coded.glsl"
