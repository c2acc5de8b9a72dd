// SPDX-License-Identifier: MIT
// matmul.comp for drivers where fetching texels is cheaper than loading from storage buffers; see lib/gemm_texel.glsl.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/texel.glsl"
#include "lib/index.glsl"
#include "lib/act.glsl"
#include "lib/gemm_texel.glsl"

#include "lib/gemm_matmul_texel.glsl"

void load_w(uint at, uint k, uint col, out vec4 w0, out vec4 w1, out vec4 w2, out vec4 w3) {
    if (TRANSPOSED != 0u) {
        // Rows of w are outputs: load a 4 x 4 block and turn it.
        uint n = col * 4u;
        mat4 b = transpose(mat4(texel_load(w, at + n * k_quads + k), texel_load(w, at + min(n + 1u, n_size - 1u) * k_quads + k),
                                texel_load(w, at + min(n + 2u, n_size - 1u) * k_quads + k),
                                texel_load(w, at + min(n + 3u, n_size - 1u) * k_quads + k)));
        w0 = b[0];
        w1 = b[1];
        w2 = b[2];
        w3 = b[3];
    } else {
        uint i = at + 4u * k * n_quads + col;
        w0 = texel_load(w, i);
        w1 = texel_load(w, i + n_quads);
        w2 = texel_load(w, i + 2u * n_quads);
        w3 = texel_load(w, i + 3u * n_quads);
    }
}

void main() {
    uint tile = group_index();
    uint tile_m = tile % tiles_m, rest = tile / tiles_m;
    uint tile_n = rest % tiles_n;
    inside = rest / tiles_n < batches;
    batch = min(rest / tiles_n, batches - 1u);

    uint x_at[FETCHES];
    EACH_FETCH(f) x_at[f] = x_skip + (x_batch(batch) * rows + min(fetch_row(tile_m, f), rows - 1u)) * k_quads;
    find_columns(tile_n);
    uint w_at = w_skip + w_batch(batch) * (TRANSPOSED != 0u ? n_size * k_quads : k_size * n_quads);

    gemm_clear();
    for (uint k = 0u; k < k_size / 4u; k++) {
        EACH_FETCH(f) a[f] = texel_load(x, x_at[f] + k);
        EACH_COL(c) {
            vec4 w0, w1, w2, w3;
            load_w(w_at, k, col[c], w0, w1, w2, w3);
            gemm_add(c, w0, w1, w2, w3);
        }
    }
    if (K_TAIL != 0u) {
        // Padding is undefined on both sides: both become zero. Rows of w past the last are read as the last.
        uint k = k_size / 4u, left = k_size % 4u, last = k_size - 1u;
        EACH_FETCH(f) a[f] = quad_mask(texel_load(x, x_at[f] + k), k, k_size, 0.0);
        EACH_COL(c) {
            vec4 w0, w1, w2, w3;
            if (TRANSPOSED != 0u) {
                load_w(w_at, k, col[c], w0, w1, w2, w3);
            } else {
                uint i = w_at + col[c];
                w0 = texel_load(w, i + 4u * k * n_quads);
                w1 = texel_load(w, i + min(4u * k + 1u, last) * n_quads);
                w2 = texel_load(w, i + min(4u * k + 2u, last) * n_quads);
                w3 = vec4(0.0);
            }
            gemm_add(c, w0, left > 1u ? w1 : vec4(0.0), left > 2u ? w2 : vec4(0.0), vec4(0.0));
        }
    }

    finish_block(tile_m, tile_n);
}
