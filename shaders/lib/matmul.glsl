// SPDX-License-Identifier: MIT
// y = act(scale x w + bias + row) + residual, for rows of x flattened (w shared) or per batch. If GATE, the columns of w
// are two halves, the values and their gates: y = value act(gate), of the sums with their bias. Include after
// lib/matmul_columns.glsl or lib/matmul_columns_texel.glsl.

uint x_at[FETCHES]; // where the rows of x start
uint w_at;          // where the batch of w starts
uint w_first[COLS]; // quad of w where each column starts

// Tiles of strips of rows follow each other: a strip meets all blocks of w, one after the other.
void find_block(out uint tile_m, out uint tile_n) {
    uint each = tiles_m * tiles_n, tile = group_index(), b = tile / each;
    inside = b < batches;
    batch = min(b, batches - 1u);
    tile -= b * each;
    uint first = tile / (strip * tiles_n) * strip, high = min(strip, tiles_m - first);
    tile -= first * tiles_n;
    tile_n = tile / high;
    tile_m = first + tile - tile_n * high;
    EACH_FETCH(f) x_at[f] = x_skip + (x_batch(batch) * rows + min(fetch_row(tile_m, f), rows - 1u)) * k_quads;
    find_columns(tile_n);
}

#ifdef QUANTISED

void sum_block() {
    uint at[COLS];
    EACH_COL(c) at[c] = w_skip + w_batch(batch) * (k_size / W_TERMS * W_ROWS * n_quads) + col[c];
    for (uint b = 0u; b < k_size / W_TERMS; b++) {
        W_BLOCK block[COLS];
        EACH_COL(c) block[c] = w_block(at[c]);
        [[dont_unroll]] for (uint i = 0u; i < W_TERMS / 4u; i++) {
            EACH_FETCH(f) a[f] = x_load(x_at[f] + W_TERMS / 4u * b + i);
            EACH_COL(c) {
                vec4 w0, w1, w2, w3;
                w_terms(at[c], block[c], i, w0, w1, w2, w3);
                gemm_add(c, w0, w1, w2, w3);
            }
        }
        EACH_COL(c) at[c] += W_ROWS * n_quads;
    }
}

#else

// Loads a 4 x 4 block of w whose rows are outputs, and transposes it.
void load_transposed(uint k, uint col, out vec4 w0, out vec4 w1, out vec4 w2, out vec4 w3) {
    uint n = col * 4u;
    mat4 b = transpose(mat4(w_load(w_at + n * k_quads + k), w_load(w_at + min(n + 1u, n_size - 1u) * k_quads + k),
                            w_load(w_at + min(n + 2u, n_size - 1u) * k_quads + k),
                            w_load(w_at + min(n + 3u, n_size - 1u) * k_quads + k)));
    w0 = b[0];
    w1 = b[1];
    w2 = b[2];
    w3 = b[3];
}

void load_w(uint k, uint c, out vec4 w0, out vec4 w1, out vec4 w2, out vec4 w3) {
    if (TRANSPOSED != 0u) {
        load_transposed(k, col[c], w0, w1, w2, w3);
    } else {
        uint i = w_first[c] + 4u * k * panel_quads;
        w0 = w_load(i);
        w1 = w_load(i + panel_quads);
        w2 = w_load(i + 2u * panel_quads);
        w3 = w_load(i + 3u * panel_quads);
    }
}

// Adds the last quad of terms, of which not all exist. Padding is undefined on both sides: both become zero. Rows of w
// past the last are not read.
void add_tail() {
    uint k = k_size / 4u, left = k_size % 4u, last = k_size - 1u;
    EACH_FETCH(f) a[f] = quad_mask(x_load(x_at[f] + k), k, k_size, 0.0);
    EACH_COL(c) {
        vec4 w0, w1, w2, w3;
        if (TRANSPOSED != 0u) {
            load_transposed(k, col[c], w0, w1, w2, w3);
        } else {
            w0 = w_load(w_first[c] + 4u * k * panel_quads);
            w1 = w_load(w_first[c] + min(4u * k + 1u, last) * panel_quads);
            w2 = w_load(w_first[c] + min(4u * k + 2u, last) * panel_quads);
        }
        gemm_add(c, w0, left > 1u ? w1 : vec4(0.0), left > 2u ? w2 : vec4(0.0), vec4(0.0));
    }
}

void sum_block() {
    w_at = w_skip + w_batch(batch) * (TRANSPOSED != 0u ? n_size * k_quads : k_size * n_quads);
    EACH_COL(c) w_first[c] = w_at + col[c] / panel_quads * panel_quads * k_size + col[c] % panel_quads;
    for (uint k = 0u; k < k_size / 4u; k++) {
        EACH_FETCH(f) a[f] = x_load(x_at[f] + k);
        EACH_COL(c) {
            vec4 w0, w1, w2, w3;
            load_w(k, c, w0, w1, w2, w3);
            gemm_add(c, w0, w1, w2, w3);
        }
    }
    if (K_TAIL != 0u) add_tail();
}

#endif

void main() {
    uint tile_m, tile_n;
    find_block(tile_m, tile_n);
    touch_block(tile_m, tile_n);
    gemm_clear();
    sum_block();
    finish_block(tile_m, tile_n);
}
