// SPDX-License-Identifier: MIT
// conv2d.comp for drivers where fetching texels is cheaper than loading from storage buffers; see lib/gemm_texel.glsl.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/texel.glsl"
#include "lib/index.glsl"
#include "lib/act.glsl"
#include "lib/gemm_texel.glsl"
#include "lib/conv.glsl"
