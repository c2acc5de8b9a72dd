// SPDX-License-Identifier: MIT
// matmul.comp with a weight of f16 whatever the storage type is, read without 16-bit storage.
#version 450
#extension GL_GOOGLE_include_directive : require
#define GEMM_W_QUAD uvec2
#define w_load(i) vec4(unpackHalf2x16(w[i].x), unpackHalf2x16(w[i].y))
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "lib/act.glsl"
#include "lib/gemm.glsl"
#include "lib/matmul_columns.glsl"
#include "lib/matmul.glsl"
