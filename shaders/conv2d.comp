// SPDX-License-Identifier: MIT
// 2-D convolution as a matrix product summed over the taps: y = act(x * w + bias + row) + residual. Rows are output
// pixels; pixels outside the image count as zero. With upsample the image is read as its nearest-neighbour double, with
// NORM as act(x scale + shift) by its channels' scales and shifts.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "lib/act.glsl"
#include "lib/gemm.glsl"
#include "lib/conv.glsl"
