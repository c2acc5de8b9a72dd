// SPDX-License-Identifier: MIT
// winograd_input.comp with inputs as texels.
#version 450
#extension GL_GOOGLE_include_directive : require
#define TEXEL_INPUTS
#include "lib/winograd_input.glsl"
