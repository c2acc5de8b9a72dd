// SPDX-License-Identifier: MIT
// The end of a product whose sum was split: adds its layers in order and applies the epilogue. One quad of y each.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "lib/act.glsl"
layout(constant_id = 3) const uint ACT = 0;
layout(constant_id = 4) const uint EPILOGUE = 0; // bits: 1 bias, 2 row, 4 residual

#include "gemm_reduce.pc.h"
layout(set = 0, binding = 0) readonly buffer Layers { vec4 layers[]; };
layout(set = 0, binding = 1) readonly buffer Bias { QUAD bias[]; };
layout(set = 0, binding = 2) readonly buffer Row { QUAD row[]; };
layout(set = 0, binding = 3) readonly buffer Residual { QUAD residual[]; };
layout(set = 0, binding = 4) writeonly buffer Y { QUAD y[]; };

void compute_item(uint item) {
    uint flat_row = divide(item, n_quads), col = item - flat_row * n_quads;
    if (flat_row >= rows) return;
    vec4 v = layers[item];
    for (uint s = 1u; s < splits; s++) v += layers[s * rows * n_quads + item];
    v *= scale;
    if ((EPILOGUE & 1u) != 0u) v += quad_load(bias[col]);
    if ((EPILOGUE & 2u) != 0u)
        v += quad_load(row[(row_share == 0u ? 0u : row_begin + (row_phase + flat_row) / row_share) * n_quads + col]);
    v = act_apply(ACT, v);
    if ((EPILOGUE & 4u) != 0u) v += quad_load(residual[residual_skip + item]);
    y[y_skip + item] = quad_store(v);
}

EACH_ITEM(compute_item)
