// SPDX-License-Identifier: MIT
// conv2d_q8.comp for drivers where fetching texels is cheaper than loading from storage buffers; see lib/gemm_texel.glsl.
// Texels of the weight are four words, fetched as the f32 that they are not: no arithmetic touches them.
#version 450
#extension GL_GOOGLE_include_directive : require
#define CONV_Q8
#define GEMM_W_TEXELS samplerBuffer
#include "lib/storage.glsl"
#include "lib/texel.glsl"
#include "lib/index.glsl"
#include "lib/act.glsl"
#include "lib/gemm_texel.glsl"
#include "lib/conv_texel.glsl"
