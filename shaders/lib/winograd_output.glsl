// SPDX-License-Identifier: MIT
// Computes the output half of winograd_input.glsl: y = act(A^T m A + bias + row) + residual for every tile of TILE x
// TILE pixels. The products m are f32 [TAPS TAPS][tiles][channels].
#extension GL_EXT_control_flow_attributes : require
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "lib/input.glsl"
#include "lib/act.glsl"

layout(constant_id = 3) const uint ACT = 0;
layout(constant_id = 4) const uint EPILOGUE = 0; // sum of 1 bias, 2 row, 4 residual
layout(constant_id = 5) const uint TILE = 4;     // or 2
const uint TAPS = TILE + 2u;

INPUT_F32(0, M, m);
INPUT(1, Bias, bias);
INPUT(2, Row, row);
INPUT(3, Residual, residual);
layout(set = 0, binding = 4) writeonly buffer Y { QUAD y[]; };
#if defined(TEXEL_INPUTS)
#include "lib/touch.glsl"
INPUT(5, OldY, old_y);
#endif

#include "winograd_output.pc.h"

// PUT(i, row i of A^T m).
#define TRANSFORM(PUT, d0, d1, d2, d3, d4, d5)                                         \
    if (TILE == 2u) {                                                                  \
        PUT(0u, d0 + d1 + d2) PUT(1u, d1 - d2 - d3)                                    \
    } else {                                                                           \
        vec4 a = d1 + d2, b = d1 - d2, e = d3 + d4, f = d3 - d4;                       \
        PUT(0u, d0 + a + e) PUT(1u, b + 2.0 * f)                                       \
        PUT(2u, a + 4.0 * e) PUT(3u, b + 8.0 * f + d5)                                 \
    }
#define PUT_COLUMN(i, value) t[i][j] = value;
#define PUT_PIXEL(j, value) o[j] = value;

void main() {
    uint blocks = (n_quads + gl_WorkGroupSize.x - 1u) / gl_WorkGroupSize.x, group = group_index();
    uint tile = min(group / blocks, tiles - 1u);
    uint quad = group % blocks * gl_WorkGroupSize.x + gl_LocalInvocationID.x, n = min(quad, n_quads - 1u);
    uint image = tile / (tiles_x * tile_rows), in_image = tile % (tiles_x * tile_rows);
    uint top = in_image / tiles_x * TILE, left = in_image % tiles_x * TILE;
    uint at = tile * n_quads + n, step = tiles * n_quads;

    uint touched = 0u;
#if defined(TEXEL_INPUTS)
    uint pixels = tiles / (tiles_x * tile_rows) * out_h * out_w;
    [[unroll]] for (uint i = 0u; i < TILE; i++) {
        uint first = y_skip + ((image * out_h + top + i) * out_w + left) * n_quads + quad - gl_LocalInvocationID.x;
        TOUCH_LINES(input_load, old_y, TILE, first, n_quads, y_skip + pixels * n_quads, nothing)
        touched |= nothing;
    }
#endif

    vec4 t[4][6]; // A^T m
    [[unroll]] for (uint j = 0u; j < TAPS; j++) {
        vec4 d[6];
        [[unroll]] for (uint i = 0u; i < TAPS; i++) d[i] = input_load_f32(m, at + (i * TAPS + j) * step);
        TRANSFORM(PUT_COLUMN, d[0], d[1], d[2], d[3], d[4], d[5])
    }
    vec4 add = vec4(0.0);
    if ((EPILOGUE & 1u) != 0u) add += input_load(bias, n);
    if ((EPILOGUE & 2u) != 0u) add += input_load(row, (row_begin + image * row_step) * n_quads + n);
    bool inside = quad < n_quads && group / blocks < tiles;
    [[unroll]] for (uint i = 0u; i < TILE; i++) {
        vec4 o[4];
        TRANSFORM(PUT_PIXEL, t[i][0], t[i][1], t[i][2], t[i][3], t[i][4], t[i][5])
        [[unroll]] for (uint j = 0u; j < TILE; j++) {
            uint pixel = (image * out_h + min(top + i, out_h - 1u)) * out_w + min(left + j, out_w - 1u);
            vec4 sum = act_apply(ACT, o[j] + add);
            if ((EPILOGUE & 4u) != 0u) sum += input_load(residual, residual_skip + pixel * n_quads + n);
            if (inside && top + i < out_h && left + j < out_w) y[y_skip + pixel * n_quads + n + touched] = quad_store(sum);
        }
    }
}
