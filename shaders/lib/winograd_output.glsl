// The output half of winograd_input.glsl: y = act(A^T m A + bias + row) + residual for every tile of 4 x 4 pixels, from
// the products m, [36][tiles][channels].
#extension GL_EXT_control_flow_attributes : require
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "lib/input.glsl"
#include "lib/act.glsl"

layout(constant_id = 3) const uint ACT = 0;
layout(constant_id = 4) const uint EPILOGUE = 0; // sum of 1 bias, 2 row, 4 residual

INPUT(0, M, m);
INPUT(1, Bias, bias);
INPUT(2, Row, row);
INPUT(3, Residual, residual);
layout(set = 0, binding = 4) writeonly buffer Y { QUAD y[]; };

layout(push_constant) uniform Push {
    uint nq;         // quads of a pixel
    uint tiles;      // of this dispatch, all images together
    uint tiles_x;    // tiles of a row of tiles
    uint tile_rows;  // rows of tiles of one image
    uint out_h, out_w; // rows of one image in this dispatch, pixels of a row
    uint y_skip, residual_skip;
    uint row_base;   // row operand of the first image
    uint row_step;   // 1: each image has its own; 0: all share one
};

void main() {
    uint blocks = (nq + gl_WorkGroupSize.x - 1u) / gl_WorkGroupSize.x, group = group_index();
    uint tile = min(group / blocks, tiles - 1u);
    uint quad = group % blocks * gl_WorkGroupSize.x + gl_LocalInvocationID.x, n = min(quad, nq - 1u);
    uint image = tile / (tiles_x * tile_rows), in_image = tile % (tiles_x * tile_rows);
    uint top = in_image / tiles_x * 4u, left = in_image % tiles_x * 4u;
    uint at = tile * nq + n, step = tiles * nq;

    vec4 t[4][6]; // A^T m
    [[unroll]] for (uint j = 0u; j < 6u; j++) {
        vec4 d[6];
        [[unroll]] for (uint i = 0u; i < 6u; i++) d[i] = input_load(m, at + (i * 6u + j) * step);
        vec4 a = d[1] + d[2], b = d[1] - d[2], e = d[3] + d[4], f = d[3] - d[4];
        t[0][j] = d[0] + a + e;
        t[1][j] = b + 2.0 * f;
        t[2][j] = a + 4.0 * e;
        t[3][j] = b + 8.0 * f + d[5];
    }
    vec4 add = vec4(0.0);
    if ((EPILOGUE & 1u) != 0u) add += input_load(bias, n);
    if ((EPILOGUE & 2u) != 0u) add += input_load(row, (row_base + image * row_step) * nq + n);
    bool inside = quad < nq && group / blocks < tiles;
    [[unroll]] for (uint i = 0u; i < 4u; i++) {
        vec4 a = t[i][1] + t[i][2], b = t[i][1] - t[i][2], e = t[i][3] + t[i][4], f = t[i][3] - t[i][4];
        vec4 o[4] = vec4[4](t[i][0] + a + e, b + 2.0 * f, a + 4.0 * e, b + 8.0 * f + t[i][5]);
        [[unroll]] for (uint j = 0u; j < 4u; j++) {
            uint pixel = (image * out_h + min(top + i, out_h - 1u)) * out_w + min(left + j, out_w - 1u);
            vec4 sum = act_apply(ACT, o[j] + add);
            if ((EPILOGUE & 4u) != 0u) sum += input_load(residual, residual_skip + pixel * nq + n);
            if (inside && top + i < out_h && left + j < out_w) y[y_skip + pixel * nq + n] = quad_store(sum);
        }
    }
}
