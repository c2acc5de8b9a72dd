// SPDX-License-Identifier: MIT
// y = act(scale x w + bias + row) + residual, for rows of x flattened (w shared) or per batch. With GATE the columns of w
// are two halves, the values and their gates: y = value act(gate), of the sums with their bias.
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "lib/act.glsl"
#include "lib/gemm.glsl"

#include "lib/gemm_matmul.glsl"

#ifndef w_load // a quad of w
#define w_load(q) quad_load(q)
#endif

void load_w(uint at, uint k, uint col, out vec4 w0, out vec4 w1, out vec4 w2, out vec4 w3) {
    if (TRANSPOSED != 0u) {
        // Rows of w are outputs: loads a 4 x 4 block and transposes it.
        uint n = col * 4u;
        mat4 b = transpose(mat4(w_load(w[at + n * k_quads + k]), w_load(w[at + min(n + 1u, n_size - 1u) * k_quads + k]),
                                w_load(w[at + min(n + 2u, n_size - 1u) * k_quads + k]),
                                w_load(w[at + min(n + 3u, n_size - 1u) * k_quads + k])));
        w0 = b[0];
        w1 = b[1];
        w2 = b[2];
        w3 = b[3];
    } else {
        uint i = at + 4u * k * n_quads + col, last = k_size - 1u;
        w0 = w_load(w[i]);
        w1 = w_load(w[4u * k + 1u <= last ? i + n_quads : i]);
        w2 = w_load(w[4u * k + 2u <= last ? i + 2u * n_quads : i]);
        w3 = w_load(w[4u * k + 3u <= last ? i + 3u * n_quads : i]);
    }
}

// The same where all four rows exist.
void load_w_inner(uint at, uint k, uint col, out vec4 w0, out vec4 w1, out vec4 w2, out vec4 w3) {
    if (TRANSPOSED != 0u) {
        load_w(at, k, col, w0, w1, w2, w3);
    } else {
        uint i = at + 4u * k * n_quads + col;
        w0 = w_load(w[i]);
        w1 = w_load(w[i + n_quads]);
        w2 = w_load(w[i + 2u * n_quads]);
        w3 = w_load(w[i + 3u * n_quads]);
    }
}

void main() {
    uint tile = group_index();
    uint tile_m = tile % tiles_m, rest = tile / tiles_m;
    uint tile_n = rest % tiles_n;
    inside = rest / tiles_n < batches;
    batch = min(rest / tiles_n, batches - 1u);

    uint x_at[ROWS], col[COLS];
    uint x_row = x_batch(batch) * rows;
    for (uint r = 0u; r < ROWS; r++) x_at[r] = x_skip + (x_row + min(tile_row(tile_m, r), rows - 1u)) * k_quads;
    for (uint c = 0u; c < COLS; c++) col[c] = block_col(tile_n, c);
    uint w_at = w_skip + w_batch(batch) * (TRANSPOSED != 0u ? n_size * k_quads : k_size * n_quads);

    gemm_clear();
    for (uint k = 0u; k < k_size / 4u; k++) {
        for (uint r = 0u; r < ROWS; r++) a[r] = quad_load(x[x_at[r] + k]);
        for (uint c = 0u; c < COLS; c++) {
            vec4 w0, w1, w2, w3;
            load_w_inner(w_at, k, col[c], w0, w1, w2, w3);
            gemm_add(c, w0, w1, w2, w3);
        }
    }
    if (K_TAIL != 0u) {
        // Padding is undefined on both sides: both become zero.
        uint k = k_size / 4u, left = k_size % 4u;
        for (uint r = 0u; r < ROWS; r++) a[r] = quad_mask(quad_load(x[x_at[r] + k]), k, k_size, 0.0);
        for (uint c = 0u; c < COLS; c++) {
            vec4 w0, w1, w2, w3;
            load_w(w_at, k, col[c], w0, w1, w2, w3);
            gemm_add(c, w0, left > 1u ? w1 : vec4(0.0), left > 2u ? w2 : vec4(0.0), vec4(0.0));
        }
    }

    finish_block(tile_m, tile_n);
}
