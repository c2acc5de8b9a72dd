// SPDX-License-Identifier: MIT
// y = act(scale x w + bias + row) + residual, and convolutions as such products, by tiles in shared memory.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "lib/act.glsl"
#include "lib/tiled.glsl"
