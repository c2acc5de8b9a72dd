// SPDX-License-Identifier: MIT
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "lib/act.glsl"
#include "lib/gemm.glsl"
#include "lib/matmul_columns.glsl"
#include "lib/matmul.glsl"
