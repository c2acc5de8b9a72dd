// SPDX-License-Identifier: MIT
// group_norm_affine.comp with inputs as texels.
#version 450
#extension GL_GOOGLE_include_directive : require
#define TEXEL_INPUTS
#include "lib/group_norm_affine.glsl"
