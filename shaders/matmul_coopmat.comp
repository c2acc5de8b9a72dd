// y = act(scale x w + bias + row) + residual as matmul, by cooperative matrices.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/storage.glsl"
#include "lib/index.glsl"
#include "lib/act.glsl"

layout(push_constant) uniform Push {
    uint k_size, n_size, kq, nq, tiles_n, epilogue; // as GEMM_PUSH of lib/gemm.glsl
    uint rows;     // rows of a batch in this dispatch
    uint batches;
    uint tiles_m;  // tiles of rows
    uint x_skip, w_skip, y_skip, residual_skip;
    uint w_div, w_mod;                 // batch b of x meets batch (b / w_div) % w_mod of w
    uint row_base, row_first, row_div; // row operand of flat row i: row_base + (row_first + i) / row_div; 0: the first
    float scale;
};
#include "lib/coopmat.glsl" // uses these

uint batch, w_at;
uvec2 tile;
uint x_at[X_EACH]; // the rows of x that this invocation stages

void fetch(uint step) {
    uint k = step * TILE_K;
    [[unroll]] for (uint i = 0u; i < X_EACH; i++) {
        uint first = k + x_column(i) * 8u;
        next_x[i] = uvec4(0u);
        if (K_TAIL == 0u || first < k_size) next_x[i] = x_unit(x_at[i], first / 4u);
        if (K_TAIL != 0u) next_x[i] = unit_mask(next_x[i], first, k_size);
    }
    fetch_w(w_at, k, tile.y);
}

void finish(uint m, uint n, vec4 sum) {
    if (m >= rows || n >= nq) return;
    uint flat_row = batch * rows + m, at = flat_row * nq + n;
    uint row_at = row_div == 0u ? 0u : (row_base + (row_first + flat_row) / max(row_div, 1u)) * nq;
    y[y_skip + at] = quad_store(coopmat_epilogue(sum, scale, n, row_at + n, residual_skip + at));
}

void main() {
    uint i = group_index();
    batch = i / (tiles_m * tiles_n);
    if (batch >= batches) return;
    tile = tile_place(i % (tiles_m * tiles_n), tiles_m, tiles_n);
    w_at = w_skip + batch / w_div % w_mod * (TRANSPOSED != 0u ? n_size * kq : k_size * nq);
    [[unroll]] for (uint r = 0u; r < X_EACH; r++)
        x_at[r] = x_skip + (batch * rows + min(tile.x * TILE_M + x_row(r), rows - 1u)) * kq;
    coopmat_run((k_size + TILE_K - 1u) / TILE_K, tile.x, tile.y);
}
