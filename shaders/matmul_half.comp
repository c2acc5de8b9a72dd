// SPDX-License-Identifier: MIT
// matmul.comp with a weight of f16 whatever the storage type is, read without 16-bit storage.
#version 450
#extension GL_GOOGLE_include_directive : require
#define GEMM_W_QUAD uvec2
#define w_load(q) vec4(unpackHalf2x16((q).x), unpackHalf2x16((q).y))
#include "lib/matmul.glsl"
