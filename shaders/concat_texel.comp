// SPDX-License-Identifier: MIT
// concat.comp with inputs as texels.
#version 450
#extension GL_GOOGLE_include_directive : require
#define TEXEL_INPUTS
#include "lib/concat.glsl"
