// SPDX-License-Identifier: MIT
// conv2d.comp for a weight packed as FUM_PACK_Q8, the blocks of each tap along the channels, multiplied out to f32 as it is
// read.
#version 450
#extension GL_GOOGLE_include_directive : require
#define CONV_Q8
#define GEMM_W_QUAD uvec4
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "lib/act.glsl"
#include "lib/gemm.glsl"
#include "lib/conv.glsl"
