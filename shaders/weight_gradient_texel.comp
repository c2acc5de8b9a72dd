// SPDX-License-Identifier: MIT
// The gradient of conv2d by its weight, for drivers where fetching texels is cheaper than loading from storage buffers.
// A workgroup is one subgroup whose lanes lie along the output channels, as in lib/gemm_texel.glsl. A step takes four
// pixels. Its quads of x, four pixels of ROWS / 4 quads of rows, are spread over the lanes. Shuffles with a constant
// lane hand each to all of them.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require
#include "lib/storage.glsl"
#include "lib/texel.glsl"
#include "lib/index.glsl"
#include "lib/weight_gradient.glsl"

layout(constant_id = 5) const uint ROWS = 16;
layout(constant_id = 6) const uint COLS = 1;

layout(set = 0, binding = 0) uniform TEXELS x;
layout(set = 0, binding = 1) uniform TEXELS dy;
layout(set = 0, binding = 2) writeonly buffer Dw { QUAD dw[]; };
layout(set = 0, binding = 2) writeonly buffer Layers { vec4 layers[]; };
layout(set = 0, binding = 3) uniform TEXELS old_dw;
#include "lib/touch.glsl"

#define LANES gl_WorkGroupSize.x
#define ROW_QUADS (ROWS / 4u)
#define FETCHES (ROWS / LANES)
#define EACH_ROW(r) [[unroll]] for (uint r = 0u; r < ROWS; r++)
#define EACH_COL(c) [[unroll]] for (uint c = 0u; c < COLS; c++)
#define EACH_FETCH(f) [[unroll]] for (uint f = 0u; f < FETCHES; f++)

vec4 acc[ROWS][COLS];
vec4 a[FETCHES];

// Returns row r of pixel t of the step.
float shared_row(uint r, uint t) {
    uint item = t * ROW_QUADS + r / 4u;
    return subgroupShuffle(a[item / LANES][r % 4u], item % LANES);
}

// Adds the step's four pixels, whose quads of dy are d0 to d3.
void add_step(uint c, vec4 d0, vec4 d1, vec4 d2, vec4 d3) {
    EACH_ROW(r) {
        vec4 s = acc[r][c];
        s = fma(vec4(shared_row(r, 0u)), d0, s);
        s = fma(vec4(shared_row(r, 1u)), d1, s);
        s = fma(vec4(shared_row(r, 2u)), d2, s);
        acc[r][c] = fma(vec4(shared_row(r, 3u)), d3, s);
    }
}

// Pixels past the end meet zeros.
vec4 load_dy(uint p, uint end, uint col) { return texel_load(dy, dy_skip + min(p, end - 1u) * n_quads + col); }

bool inside;
uint touched = 0u;

// Touches the lines of a block of one tap. The rows of a block of several lie elsewhere, in part.
void touch_block(uint tile_m, uint tile_n, uint split) {
    uint row, count = (PARTIAL != 0u ? layer + splits : 1u) * taps * in_c * n_quads;
    find_row(tile_m * ROW_QUADS, 0u, row);
    if (PARTIAL != 0u) row += (layer + split) * taps * in_c;
    EACH_COL(c) {
        TOUCH_LINES(texel_load, old_dw, ROWS, row * n_quads + (tile_n * COLS + c) * LANES, n_quads, count, nothing)
        touched |= nothing;
    }
}

void store(uint tile_m, uint r, uint split, uint col, vec4 sum) {
    uint row;
    bool there = find_row(tile_m * ROW_QUADS + r / 4u, r % 4u, row);
    if (!there || !inside || col >= n_quads) return;
    if (PARTIAL != 0u) layers[((layer + split) * taps * in_c + row) * n_quads + col + touched] = sum;
    else dw[row * n_quads + col + touched] = quad_store(sum);
}

void main() {
    uint tile = group_index(), tile_m = tile % tiles_m, tile_n = tile / tiles_m % tiles_n;
    uint split = tile / tiles_m / tiles_n;
    inside = split < splits;
    split = min(split, splits - 1u);
    uint first = split * split_pixels, end = min(first + split_pixels, pixels), col[COLS];
    EACH_COL(c) col[c] = min((tile_n * COLS + c) * LANES + gl_SubgroupInvocationID, n_quads - 1u);

    touch_block(tile_m, tile_n, split);
    RowQuad rows[FETCHES];
    Pixel at[FETCHES];
    uint term[FETCHES];
    EACH_FETCH(f) {
        uint item = f * LANES + gl_SubgroupInvocationID;
        term[f] = item / ROW_QUADS;
        rows[f] = find_row_quad(tile_m * ROW_QUADS + item % ROW_QUADS);
        at[f] = find_pixel(first + term[f]);
    }
    EACH_ROW(r) EACH_COL(c) acc[r][c] = vec4(0.0);
    for (uint p = first; p < end; p += 4u) {
        EACH_FETCH(f) {
            uint from;
            bool there = find_x(at[f], rows[f], from) && p + term[f] < end;
            vec4 q = texel_load(x, from);
            a[f] = there ? q : vec4(0.0);
            move_pixel(at[f], 4u);
        }
        EACH_COL(c)
            add_step(c, load_dy(p, end, col[c]), load_dy(p + 1u, end, col[c]), load_dy(p + 2u, end, col[c]),
                     load_dy(p + 3u, end, col[c]));
    }
    EACH_COL(c) {
        uint q = (tile_n * COLS + c) * LANES + gl_SubgroupInvocationID;
        if (COLS > 1u) {
            EACH_ROW(r) store(tile_m, r, split, q, acc[r][c]);
        } else { // unrolled, the stores would be most of the kernel and of its compile time
            [[dont_unroll]] for (uint r = 0u; r < ROWS; r++) {
                store(tile_m, r, split, q, acc[0][0]);
                [[unroll]] for (uint i = 0u; i + 1u < ROWS; i++) acc[i][0] = acc[i + 1u][0];
            }
        }
    }
}
