// What matmul_coopmat and conv2d_coopmat share: matrix products by cooperative matrices (VK_KHR_cooperative_matrix), f16
// or bf16 in, f32 sums. A workgroup of GROUPS_M x GROUPS_N subgroups computes a tile of TILE_M x TILE_N outputs, each
// subgroup FRAGMENTS_M x FRAGMENTS_N matrices of it. Tiles of x and w, TILE_K terms deep, are staged in shared memory,
// two of each: while one is multiplied, the next is on its way through registers. What lies outside of x or w along the
// sum is staged as zero; rows and columns outside of the output are computed from whatever is there and not stored.
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_EXT_control_flow_attributes : require
#include "lib/half.glsl"

layout(constant_id = 3) const uint MATRIX_M = 16; // of the device's matrices
layout(constant_id = 4) const uint MATRIX_N = 16;
layout(constant_id = 5) const uint MATRIX_K = 16;
layout(constant_id = 6) const uint FRAGMENTS_M = 2;
layout(constant_id = 7) const uint FRAGMENTS_N = 2;
layout(constant_id = 8) const uint GROUPS_M = 2;
layout(constant_id = 9) const uint GROUPS_N = 2;
layout(constant_id = 10) const uint TILE_K = 32;     // a multiple of MATRIX_K and of 8
layout(constant_id = 11) const uint THREADS = 128;   // of the workgroup: GROUPS_M GROUPS_N subgroups
layout(constant_id = 12) const uint SHARED = 4096;   // 16-byte units of shared memory
layout(constant_id = 13) const uint ACT = 0;
layout(constant_id = 14) const uint TRANSPOSED = 0;  // w is [N, K]
layout(constant_id = 15) const uint K_TAIL = 1;      // 1: k is not a multiple of TILE_K
layout(constant_id = 16) const uint WIDE = 0;        // sum of 1: rows of x are whole units of 16 bytes; 2: those of w

const uint TILE_M = GROUPS_M * FRAGMENTS_M * MATRIX_M;
const uint TILE_N = GROUPS_N * FRAGMENTS_N * MATRIX_N;
// In units of eight elements (16 bytes). One unit between rows keeps them in different banks.
const uint UNITS_K = TILE_K / 8u;
const uint UNITS_N = TILE_N / 8u;
const uint X_STRIDE = UNITS_K + 1u;
const uint X_UNITS = TILE_M * X_STRIDE;
const uint W_STRIDE_ROWS = UNITS_N + 1u; // w staged as [TILE_K][TILE_N]
const uint W_STRIDE_COLUMNS = UNITS_K + 1u; // transposed: as [TILE_N][TILE_K]
const uint W_UNITS = TRANSPOSED * TILE_N * W_STRIDE_COLUMNS + (1u - TRANSPOSED) * TILE_K * W_STRIDE_ROWS;
// Units that an invocation stages of each tile.
const uint X_EACH = (TILE_M * UNITS_K + THREADS - 1u) / THREADS;
const uint W_EACH = (TILE_N * UNITS_K + THREADS - 1u) / THREADS;
// Sums on their way out, one row of matrices of every subgroup at a time, in units of four f32.
const uint OUT_STRIDE = FRAGMENTS_N * MATRIX_N / 4u + 1u;

layout(set = 0, binding = 0) readonly buffer X { uvec2 x[]; };
layout(set = 0, binding = 0) readonly buffer XWide { uvec4 x_wide[]; };
layout(set = 0, binding = 1) readonly buffer W { uvec2 w[]; };
layout(set = 0, binding = 1) readonly buffer WWide { uvec4 w_wide[]; };
layout(set = 0, binding = 2) readonly buffer Bias { QUAD bias[]; };
layout(set = 0, binding = 3) readonly buffer Row { QUAD row[]; };
layout(set = 0, binding = 4) readonly buffer Residual { QUAD residual[]; };
layout(set = 0, binding = 5) writeonly buffer Y { QUAD y[]; };

shared uvec4 tile_memory[SHARED];

uvec4 next_x[X_EACH], next_w[W_EACH]; // the next tiles, on their way
coopmat<float, gl_ScopeSubgroup, MATRIX_M, MATRIX_N, gl_MatrixUseAccumulator> sums[FRAGMENTS_M * FRAGMENTS_N];

// act(scale sum + bias + row) + residual, as the push constant says (1 bias, 2 row, 4 residual); col: output quad, row_at and residual_at: indices of theirs.
vec4 coopmat_epilogue(vec4 sum, float scale, uint col, uint row_at, uint residual_at) {
    vec4 v = sum * scale;
    if ((epilogue & 1u) != 0u) v += quad_load(bias[col]);
    if ((epilogue & 2u) != 0u) v += quad_load(row[row_at]);
    v = act_apply(ACT, v);
    if ((epilogue & 4u) != 0u) v += quad_load(residual[residual_at]);
    return v;
}

// Of a unit whose first element is number `first` of a sum of `count` terms: those past the end as zero.
uvec4 unit_mask(uvec4 u, uint first, uint count) {
    uint left = count - min(first, count);
    for (uint i = 0u; i < 4u; i++) u[i] &= left > 2u * i + 1u ? ~0u : left > 2u * i ? 0xffffu : 0u;
    return u;
}

// The unit at quad `q`, even where WIDE says so, of a row of x that starts at quad `at`.
uvec4 x_unit(uint at, uint q) {
    if ((WIDE & 1u) != 0u) return x_wide[(at + min(q, kq - 2u)) / 2u];
    return uvec4(x[at + min(q, kq - 1u)], x[at + min(q + 1u, kq - 1u)]);
}
// The same of w, with rows of row_quads.
uvec4 w_unit(uint at, uint q, uint row_quads) {
    if ((WIDE & 2u) != 0u) return w_wide[(at + min(q, row_quads - 2u)) / 2u];
    return uvec4(w[at + min(q, row_quads - 1u)], w[at + min(q + 1u, row_quads - 1u)]);
}

// What staged unit i of this invocation is: its row in the tile and its unit of the row.
uint x_row(uint i) { return (i * THREADS + gl_LocalInvocationID.x) / UNITS_K; }
uint x_column(uint i) { return (i * THREADS + gl_LocalInvocationID.x) % UNITS_K; }
uint w_row(uint i) { return (i * THREADS + gl_LocalInvocationID.x) / (TRANSPOSED != 0u ? UNITS_K : UNITS_N); }
uint w_column(uint i) { return (i * THREADS + gl_LocalInvocationID.x) % (TRANSPOSED != 0u ? UNITS_K : UNITS_N); }

// Reads the tile of w from term k on: at is the quad where w, or the tap of it, begins.
void fetch_w(uint at, uint k, uint tile_n) {
    [[unroll]] for (uint i = 0u; i < W_EACH; i++) {
        if (TRANSPOSED != 0u) {
            uint n = min(tile_n * TILE_N + w_row(i), n_size - 1u), first = k + w_column(i) * 8u;
            next_w[i] = uvec4(0u);
            if (K_TAIL == 0u || first < k_size) next_w[i] = w_unit(at + n * kq, first / 4u, kq);
            if (K_TAIL != 0u) next_w[i] = unit_mask(next_w[i], first, k_size);
        } else {
            uint term = k + w_row(i);
            next_w[i] = uvec4(0u);
            if (K_TAIL == 0u || term < k_size)
                next_w[i] = w_unit(at + min(term, k_size - 1u) * nq, (tile_n * TILE_N) / 4u + w_column(i) * 2u, nq);
        }
    }
}

// Of the shader: reads tile `step` of x and w into next_x and next_w; ends row m, quad n of the output, whose sum is v.
void fetch(uint step);
void finish(uint m, uint n, vec4 v);

void stage(uint half_at) {
    [[unroll]] for (uint i = 0u; i < X_EACH; i++)
        if (x_row(i) < TILE_M) tile_memory[half_at + x_row(i) * X_STRIDE + x_column(i)] = next_x[i];
    uint rows = TRANSPOSED != 0u ? TILE_N : TILE_K, stride = TRANSPOSED != 0u ? W_STRIDE_COLUMNS : W_STRIDE_ROWS;
    [[unroll]] for (uint i = 0u; i < W_EACH; i++)
        if (w_row(i) < rows) tile_memory[half_at + X_UNITS + w_row(i) * stride + w_column(i)] = next_w[i];
}

// Multiplies the staged tiles at half_at by this subgroup's share.
void multiply(uint half_at, uint group_m, uint group_n) {
    uint x_at = half_at + group_m * FRAGMENTS_M * MATRIX_M * X_STRIDE;
    [[unroll]] for (uint k = 0u; k < TILE_K; k += MATRIX_K) {
        coopmat<ELEMENT, gl_ScopeSubgroup, MATRIX_M, MATRIX_K, gl_MatrixUseA> a[FRAGMENTS_M];
        [[unroll]] for (uint m = 0u; m < FRAGMENTS_M; m++)
            coopMatLoad(a[m], tile_memory, x_at + m * MATRIX_M * X_STRIDE + k / 8u, X_STRIDE,
                        gl_CooperativeMatrixLayoutRowMajor);
        [[unroll]] for (uint n = 0u; n < FRAGMENTS_N; n++) {
            coopmat<ELEMENT, gl_ScopeSubgroup, MATRIX_K, MATRIX_N, gl_MatrixUseB> b;
            uint column = (group_n * FRAGMENTS_N + n) * MATRIX_N;
            if (TRANSPOSED != 0u)
                coopMatLoad(b, tile_memory, half_at + X_UNITS + column * W_STRIDE_COLUMNS + k / 8u, W_STRIDE_COLUMNS,
                            gl_CooperativeMatrixLayoutColumnMajor);
            else
                coopMatLoad(b, tile_memory, half_at + X_UNITS + k * W_STRIDE_ROWS + column / 8u, W_STRIDE_ROWS,
                            gl_CooperativeMatrixLayoutRowMajor);
            [[unroll]] for (uint m = 0u; m < FRAGMENTS_M; m++)
                sums[m * FRAGMENTS_N + n] = coopMatMulAdd(a[m], b, sums[m * FRAGMENTS_N + n]);
        }
    }
}

// Every subgroup puts a row of its matrices into shared memory and reads it back as rows of quads, which finish() ends.
void finish_all(uint tile_m, uint tile_n, uint group_m, uint group_n) {
    const uint quads = FRAGMENTS_N * MATRIX_N / 4u;
    uint slab = gl_SubgroupID * MATRIX_M * OUT_STRIDE;
    [[unroll]] for (uint m = 0u; m < FRAGMENTS_M; m++) {
        barrier();
        [[unroll]] for (uint n = 0u; n < FRAGMENTS_N; n++)
            coopMatStore(sums[m * FRAGMENTS_N + n], tile_memory, slab + n * MATRIX_N / 4u, OUT_STRIDE,
                         gl_CooperativeMatrixLayoutRowMajor);
        barrier();
        for (uint i = gl_SubgroupInvocationID; i < MATRIX_M * quads; i += gl_SubgroupSize)
            finish(tile_m * TILE_M + (group_m * FRAGMENTS_M + m) * MATRIX_M + i / quads,
                   tile_n * (TILE_N / 4u) + group_n * quads + i % quads,
                   uintBitsToFloat(tile_memory[slab + i / quads * OUT_STRIDE + i % quads]));
    }
}

// The whole tile, in `steps` steps along the sum.
void coopmat_run(uint steps, uint tile_m, uint tile_n) {
    uint group_m = gl_SubgroupID / GROUPS_N, group_n = gl_SubgroupID % GROUPS_N;
    const uint half_units = X_UNITS + W_UNITS;
    [[unroll]] for (uint i = 0u; i < FRAGMENTS_M * FRAGMENTS_N; i++)
        sums[i] = coopmat<float, gl_ScopeSubgroup, MATRIX_M, MATRIX_N, gl_MatrixUseAccumulator>(0.0);
    if (steps > 0u) {
        fetch(0u);
        stage(0u);
    }
    barrier();
    for (uint step = 0u; step < steps; step++) {
        bool more = step + 1u < steps;
        if (more) fetch(step + 1u);
        multiply((step & 1u) * half_units, group_m, group_n);
        if (more) stage((step + 1u & 1u) * half_units);
        barrier();
    }
    finish_all(tile_m, tile_n, group_m, group_n);
}

// Tile number i of tiles_m x tiles_n, in bands of eight rows of tiles, so that those running at once share x and w in
// the cache.
uvec2 tile_place(uint i, uint tiles_m, uint tiles_n) {
    uint band = i / (8u * tiles_n), within = i % (8u * tiles_n), high = min(tiles_m - band * 8u, 8u);
    return uvec2(band * 8u + within % high, within / high);
}
