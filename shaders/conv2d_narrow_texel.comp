// SPDX-License-Identifier: MIT
// conv2d.comp with its inputs as texels: for up to four quads of output channels, over which shuffles share little.
#version 450
#extension GL_GOOGLE_include_directive : require
#define TEXEL_INPUTS
#define CONV_NORM
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "lib/act.glsl"
#include "lib/gemm.glsl"
#include "lib/conv.glsl"
