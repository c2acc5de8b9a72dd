// SPDX-License-Identifier: MIT
// gemm_tiled with f16 arithmetic: terms of one step of the sum are added in f16, the steps in f32.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#define ARITH_F16
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "lib/act.glsl"
#include "lib/tiled.glsl"
