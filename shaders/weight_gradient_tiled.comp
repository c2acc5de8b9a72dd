// SPDX-License-Identifier: MIT
// The gradient of conv2d by its weight, with tiles in shared memory. A workgroup computes BM rows x BN columns, in steps
// of BK pixels. Both tiles lie pixel by pixel, so a quad of x holds four rows of one term. Every invocation keeps TM
// rows x TN columns in registers; its quads lie LANES_M and LANES_N apart. While a step is multiplied, the next one is
// on its way from memory into registers.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "lib/weight_gradient.glsl"

layout(constant_id = 5) const uint BM = 64;
layout(constant_id = 6) const uint BN = 64;
layout(constant_id = 7) const uint BK = 16;
layout(constant_id = 8) const uint TM = 8;
layout(constant_id = 9) const uint TN = 4;

layout(set = 0, binding = 0) readonly buffer X { QUAD x[]; };
layout(set = 0, binding = 1) readonly buffer Dy { QUAD dy[]; };
layout(set = 0, binding = 2) writeonly buffer Dw { QUAD dw[]; };
layout(set = 0, binding = 2) writeonly buffer Layers { vec4 layers[]; };

// Depend on the build, not on the device: expressions over specialisation constants.
const uint ROWS = TM / 4u;
const uint COLS = TN / 4u;
const uint LANES_N = BN / TN;
const uint LANES_M = BM / TM;
const uint THREADS = LANES_M * LANES_N;
const uint A_STRIDE = BM / 4u;
const uint B_STRIDE = BN / 4u;
const uint A_QUADS = BK * A_STRIDE;
const uint B_QUADS = BK * B_STRIDE;
const uint A_LOADS = (A_QUADS + THREADS - 1u) / THREADS; // quads that an invocation brings, a step
const uint B_LOADS = (B_QUADS + THREADS - 1u) / THREADS;

shared vec4 tile_a[A_QUADS];
shared vec4 tile_b[B_QUADS];

vec4 acc[TM][COLS];
vec4 next_a[A_LOADS];
vec4 next_b[B_LOADS];
RowQuad rows[A_LOADS];
Pixel at[A_LOADS];

uint lane() { return gl_LocalInvocationID.x; }

void fetch(uint p, uint end, uint first_col) {
    [[unroll]] for (uint i = 0u; i < A_LOADS; i++) {
        uint item = lane() + i * THREADS, from;
        bool there = find_x(at[i], rows[i], from) && p + item / A_STRIDE < end;
        next_a[i] = vec4(0.0);
        if (there) next_a[i] = quad_load(x[from]);
        move_pixel(at[i], BK);
    }
    [[unroll]] for (uint i = 0u; i < B_LOADS; i++) {
        uint item = lane() + i * THREADS, pixel = p + item / B_STRIDE;
        next_b[i] = vec4(0.0);
        if (pixel < end)
            next_b[i] = quad_load(dy[dy_skip + pixel * n_quads + min(first_col + item % B_STRIDE, n_quads - 1u)]);
    }
}

void store_next() {
    [[unroll]] for (uint i = 0u; i < A_LOADS; i++) {
        uint item = lane() + i * THREADS;
        if (A_QUADS % THREADS == 0u || item < A_QUADS) tile_a[item] = next_a[i];
    }
    [[unroll]] for (uint i = 0u; i < B_LOADS; i++) {
        uint item = lane() + i * THREADS;
        if (B_QUADS % THREADS == 0u || item < B_QUADS) tile_b[item] = next_b[i];
    }
}

void multiply() {
    uint a_base = lane() / LANES_N, b_base = lane() % LANES_N;
    // The loop is left to the driver. Unrolled, it outgrows the instruction caches of small GPUs.
    for (uint k = 0u; k < BK; k++) {
        vec4 b[COLS];
        [[unroll]] for (uint c = 0u; c < COLS; c++) b[c] = tile_b[k * B_STRIDE + b_base + c * LANES_N];
        [[unroll]] for (uint r = 0u; r < ROWS; r++) {
            vec4 a = tile_a[k * A_STRIDE + a_base + r * LANES_M];
            [[unroll]] for (uint c = 0u; c < COLS; c++) {
                acc[4u * r][c] = fma(vec4(a.x), b[c], acc[4u * r][c]);
                acc[4u * r + 1u][c] = fma(vec4(a.y), b[c], acc[4u * r + 1u][c]);
                acc[4u * r + 2u][c] = fma(vec4(a.z), b[c], acc[4u * r + 2u][c]);
                acc[4u * r + 3u][c] = fma(vec4(a.w), b[c], acc[4u * r + 3u][c]);
            }
        }
    }
}

void main() {
    uint tile = group_index(), rest = tile / tiles_n;
    uint tile_n = tile - rest * tiles_n, tile_m = rest % tiles_m, split = rest / tiles_m;
    if (split >= splits) return; // all of the workgroup
    uint first = split * split_pixels, end = min(first + split_pixels, pixels), first_col = tile_n * B_STRIDE;
    [[unroll]] for (uint i = 0u; i < A_LOADS; i++) {
        uint item = lane() + i * THREADS;
        rows[i] = find_row_quad(tile_m * A_STRIDE + item % A_STRIDE);
        at[i] = find_pixel(first + item / A_STRIDE);
    }
    [[unroll]] for (uint r = 0u; r < TM; r++)
        [[unroll]] for (uint c = 0u; c < COLS; c++) acc[r][c] = vec4(0.0);

    fetch(first, end, first_col);
    store_next();
    barrier();
    for (uint p = first; p < end; p += BK) {
        bool more = p + BK < end;
        if (more) fetch(p + BK, end, first_col);
        multiply();
        barrier();
        if (more) store_next();
        barrier();
    }

    [[unroll]] for (uint r = 0u; r < TM; r++) {
        uint row;
        if (!find_row(tile_m * A_STRIDE + lane() / LANES_N + r / 4u * LANES_M, r % 4u, row)) continue;
        [[unroll]] for (uint c = 0u; c < COLS; c++) {
            uint col = first_col + lane() % LANES_N + c * LANES_N;
            if (col >= n_quads) continue;
            if (PARTIAL != 0u) layers[((layer + split) * taps * in_c + row) * n_quads + col] = acc[r][c];
            else dw[row * n_quads + col] = quad_store(acc[r][c]);
        }
    }
}
