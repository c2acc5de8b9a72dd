// y = act(scale x w + bias + row) + residual, and convolutions as such products, by cooperative matrices
// (VK_KHR_cooperative_matrix): f16 or bf16 in, f32 sums. A workgroup of GROUPS_M x GROUPS_N subgroups computes a tile of
// TILE_M x TILE_N outputs, each subgroup FRAGMENTS_M x FRAGMENTS_N matrices of it. Tiles of x and w, TILE_K terms deep,
// are staged in shared memory, two of each: while one is multiplied, the next is on its way through registers. Terms of
// a convolution run over the taps of its kernel and the channels of each, in units of eight, and x is gathered from the
// image. Terms that do not exist are staged as zero; rows and columns outside of the output are computed from whatever
// is there and not stored.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_EXT_control_flow_attributes : require
#include "lib/storage.glsl"
#include "lib/half.glsl"
#include "lib/index.glsl"
#include "lib/act.glsl"
#include "lib/gemm_push.glsl" // quads and split_quads count units here: two quads, the last of a tap may be half

layout(constant_id = 3) const uint MATRIX_M = 16; // of the device's matrices
layout(constant_id = 4) const uint MATRIX_N = 16;
layout(constant_id = 5) const uint MATRIX_K = 16;
layout(constant_id = 6) const uint FRAGMENTS_M = 2;
layout(constant_id = 7) const uint FRAGMENTS_N = 2;
layout(constant_id = 8) const uint GROUPS_M = 2;
layout(constant_id = 9) const uint GROUPS_N = 2;
layout(constant_id = 10) const uint TILE_K = 32;    // a multiple of MATRIX_K and of 8
layout(constant_id = 11) const uint THREADS = 128;  // of the workgroup: GROUPS_M GROUPS_N subgroups
layout(constant_id = 12) const uint SHARED = 4096;  // units of shared memory
layout(constant_id = 13) const uint ACT = 0;
layout(constant_id = 14) const uint EPILOGUE = 0;   // bits: 1 bias, 2 row, 4 residual
layout(constant_id = 15) const uint TRANSPOSED = 0; // 1: w is [n, k]
layout(constant_id = 16) const uint K_TAIL = 1;     // 0: the terms (of each tap) are a multiple of TILE_K
// Bits: 1 rows of x are whole units, 2 those of w; 4: w is packed as FUM_PACK_Q8.
layout(constant_id = 17) const uint WIDE = 0;
layout(constant_id = 18) const uint PARTIAL = 0;    // 1: sums go to scratch, one layer per split
layout(constant_id = 19) const uint CONV = 0;
layout(constant_id = 20) const uint UP = 0;         // 1: the image is read doubled
layout(constant_id = 21) const uint NORM = 0;       // 1: x is read as act(x factor + addend)
layout(constant_id = 22) const uint NORM_ACT = 0;
// Activation of gates: each subgroup's columns are then half values and half the gates that belong to them, which lie
// half of all columns on. Such a sum is not split.
layout(constant_id = 23) const uint GATE = 0;

layout(set = 0, binding = 0) readonly buffer X { uvec2 x[]; };
layout(set = 0, binding = 0) readonly buffer XWide { uvec4 x_wide[]; };
layout(set = 0, binding = 1) readonly buffer W { uvec2 w[]; };
layout(set = 0, binding = 1) readonly buffer WWide { uvec4 w_wide[]; };
layout(set = 0, binding = 2) readonly buffer Bias { QUAD bias[]; };
layout(set = 0, binding = 3) readonly buffer Row { QUAD row[]; };
layout(set = 0, binding = 4) readonly buffer Residual { QUAD residual[]; };
layout(set = 0, binding = 5) writeonly buffer Y { QUAD y[]; };
layout(set = 0, binding = 5) writeonly buffer Layers { vec4 layers[]; };
layout(set = 0, binding = 6) readonly buffer Norm { vec4 norm[]; }; // [image, 2, channels]: factors, then addends

const uint TILE_M = GROUPS_M * FRAGMENTS_M * MATRIX_M;
const uint TILE_N = GROUPS_N * FRAGMENTS_N * MATRIX_N;
// A unit is eight elements, 16 bytes. One of them between rows keeps those in different banks.
const uint UNITS_K = TILE_K / 8u;
const uint UNITS_N = TILE_N / 8u;
const uint X_STRIDE = UNITS_K + 1u;
const uint X_UNITS = TILE_M * X_STRIDE;
// w is staged as it lies: [TILE_K][TILE_N], or [TILE_N][TILE_K] when transposed.
const uint W_ROW = TRANSPOSED * UNITS_K + (1u - TRANSPOSED) * UNITS_N;
const uint W_ROWS = TRANSPOSED * TILE_N + (1u - TRANSPOSED) * TILE_K;
const uint W_STRIDE = W_ROW + 1u;
const uint HALF = X_UNITS + W_ROWS * W_STRIDE; // of the shared memory: one tile of each
// Units that an invocation stages of each tile.
const uint X_EACH = (TILE_M * UNITS_K + THREADS - 1u) / THREADS;
const uint W_EACH = (W_ROWS * W_ROW + THREADS - 1u) / THREADS;
// Sums on their way out, one row of matrices of every subgroup at a time, four to 16 bytes.
const uint OUT_QUADS = FRAGMENTS_N * MATRIX_N / 4u;
const uint OUT_STRIDE = OUT_QUADS + 1u;
const uint HALF_QUADS = OUT_QUADS / 2u; // of a gated row: values, and as many gates

#define SUMS coopmat<float, gl_ScopeSubgroup, MATRIX_M, MATRIX_N, gl_MatrixUseAccumulator>

shared uvec4 tiles[SHARED];
SUMS sums[FRAGMENTS_M * FRAGMENTS_N];
uvec4 next_x[X_EACH], next_w[W_EACH]; // the next tiles, on their way

// ---- bringing a step in ----

uint x_at[X_EACH];               // of each unit's row: where it starts, or (CONV) row 0 of its image
int x_top[X_EACH], x_left[X_EACH]; // input pixel at the first tap of its output pixel
uint x_image[X_EACH];
uint w_at, column_first; // where w starts, and the tile's first column

// Of staged unit i of this invocation: its row in the tile and its place in the row. All of x have the same place.
uint x_row(uint i) { return (i * THREADS + gl_LocalInvocationID.x) / UNITS_K; }
uint x_place() { return gl_LocalInvocationID.x % UNITS_K; }
uint w_row(uint i) { return (i * THREADS + gl_LocalInvocationID.x) / W_ROW; }
uint w_place(uint i) { return (i * THREADS + gl_LocalInvocationID.x) % W_ROW; }

// The product's column at column `at` of the tile. Units of eight stay whole.
uint column(uint at) {
    if (GATE == 0u) return column_first + at;
    uint group = at / (4u * OUT_QUADS), within = at % (4u * OUT_QUADS);
    return column_first + group * 4u * HALF_QUADS + within % (4u * HALF_QUADS) +
           (within >= 4u * HALF_QUADS ? n_size / 2u : 0u);
}

void begin(uint batch, uint tile_m) {
    [[unroll]] for (uint i = 0u; i < X_EACH; i++) {
        uint r = min(tile_m * TILE_M + x_row(i), rows - 1u);
        if (CONV != 0u) {
            uint image = r / pixels, pixel = r - image * pixels, oy = pixel / out_w;
            x_top[i] = int((oy + first) * stride) - int(pad);
            x_left[i] = int((pixel - oy * out_w) * stride) - int(pad);
            x_at[i] = image * in_h - in_first;
            x_image[i] = image;
        } else {
            x_at[i] = x_skip + (batch * rows + r) * cq;
        }
    }
}

// Of a unit whose first element is number `at` of `count`: those past the end as zero.
uvec4 mask(uvec4 u, uint at, uint count) {
    uint left = count - min(at, count);
    [[unroll]] for (uint i = 0u; i < 4u; i++) u[i] &= left > 2u * i + 1u ? ~0u : left > 2u * i ? 0xffffu : 0u;
    return u;
}

// The unit at quad q, an even one, of the row of x or w that starts at quad `at` and has row_quads.
uvec4 x_unit(uint at, uint q) {
    if ((WIDE & 1u) != 0u) return x_wide[(at + min(q, cq - 2u)) / 2u];
    return uvec4(x[at + min(q, cq - 1u)], x[at + min(q + 1u, cq - 1u)]);
}
uvec4 w_unit(uint at, uint q, uint row_quads) {
    if ((WIDE & 2u) != 0u) return w_wide[(at + min(q, row_quads - 2u)) / 2u];
    return uvec4(w[at + min(q, row_quads - 1u)], w[at + min(q + 1u, row_quads - 1u)]);
}

// The unit of columns from quad q on for term `at` of a weight in blocks of 32 terms, nine rows, the last of them factors.
uvec4 multiply_out(uint at, uint q) {
    uint block = w_at + at / 32u * 9u * nq, words = block + at % 32u / 4u * nq, next = min(q + 1u, nq - 1u);
    int byte = int(at % 4u * 8u);
    vec4 low = uintBitsToFloat(w_wide[block + 8u * nq + q]) * vec4(bitfieldExtract(ivec4(w_wide[words + q]), byte, 8));
    vec4 high = uintBitsToFloat(w_wide[block + 8u * nq + next]) * vec4(bitfieldExtract(ivec4(w_wide[words + next]), byte, 8));
    return uvec4(half_store(low), half_store(high));
}

uvec2 normalised(uvec2 quad, uint image, uint q) {
    uint at = norm_skip + image * 2u * cq + min(q, cq - 1u);
    return half_store(act_apply(NORM_ACT, fma(half_load(quad), norm[at], norm[at + cq])));
}

// Which tap unit `at` of the terms belongs to, and its place there.
void find_tap(uint at, out uint tap, out uint place) {
    uint each = (cq + 1u) / 2u;
    tap = CONV != 0u ? at / each : 0u;
    place = at - tap * each;
}

// Reads units [at, end) of the terms, as many as a tile has.
void fetch_x(uint at, uint end) {
    uint tap, place;
    // Without a tail all of the step is in one tap, and the compiler sees that it is the same for all invocations.
    find_tap(K_TAIL != 0u ? at + x_place() : at, tap, place);
    if (K_TAIL == 0u) place += x_place();
    bool there = K_TAIL == 0u || at + x_place() < end;
    int tap_y = CONV != 0u ? int(tap / kernel_w) : 0, tap_x = CONV != 0u ? int(tap % kernel_w) : 0;
    [[unroll]] for (uint i = 0u; i < X_EACH; i++) {
        next_x[i] = uvec4(0u);
        if (CONV != 0u) {
            int iy = x_top[i] + tap_y, ix = x_left[i] + tap_x;
            if (there && iy >= 0 && iy < int(in_h << UP) && ix >= 0 && ix < int(in_w << UP)) {
                uint pixel = (x_at[i] + (uint(iy) >> UP)) * in_w + (uint(ix) >> UP);
                next_x[i] = x_unit(x_skip + pixel * cq, 2u * place);
                if (NORM != 0u)
                    next_x[i] = uvec4(normalised(next_x[i].xy, x_image[i], 2u * place),
                                      normalised(next_x[i].zw, x_image[i], 2u * place + 1u));
            }
        } else if (there) {
            next_x[i] = x_unit(x_at[i], 2u * place);
        }
        if (K_TAIL != 0u) next_x[i] = mask(next_x[i], 8u * place, channels);
    }
}

void fetch_w(uint at, uint end) {
    uint tap, place;
    if (K_TAIL == 0u) find_tap(at, tap, place);
    [[unroll]] for (uint i = 0u; i < W_EACH; i++) {
        next_w[i] = uvec4(0u);
        if (TRANSPOSED != 0u) { // only products: one tap
            uint n = min(column(w_row(i)), n_size - 1u), k = at + w_place(i);
            if (K_TAIL == 0u || k < end) next_w[i] = w_unit(w_at + n * cq, 2u * k, cq);
            if (K_TAIL != 0u) next_w[i] = mask(next_w[i], 8u * k, channels);
        } else {
            if (K_TAIL != 0u) find_tap(at + w_row(i) / 8u, tap, place);
            uint k = 8u * place + (K_TAIL != 0u ? w_row(i) % 8u : w_row(i));
            if (K_TAIL == 0u || (at + w_row(i) / 8u < end && k < channels)) {
                uint q = column(8u * w_place(i)) / 4u;
                if ((WIDE & 4u) != 0u) next_w[i] = multiply_out(tap * channels + k, min(q, nq - 1u));
                else next_w[i] = w_unit(w_at + (tap * channels + k) * nq, q, nq);
            }
        }
    }
}

void stage(uint half_at) {
    [[unroll]] for (uint i = 0u; i < X_EACH; i++)
        if (TILE_M * UNITS_K % THREADS == 0u || x_row(i) < TILE_M)
            tiles[half_at + x_row(i) * X_STRIDE + x_place()] = next_x[i];
    [[unroll]] for (uint i = 0u; i < W_EACH; i++)
        if (W_ROWS * W_ROW % THREADS == 0u || w_row(i) < W_ROWS)
            tiles[half_at + X_UNITS + w_row(i) * W_STRIDE + w_place(i)] = next_w[i];
}

// ---- multiplying it ----

void multiply(uint half_at, uint group_m, uint group_n) {
    uint a_at = half_at + group_m * FRAGMENTS_M * MATRIX_M * X_STRIDE, b_at = half_at + X_UNITS;
    [[unroll]] for (uint k = 0u; k < TILE_K; k += MATRIX_K) {
        coopmat<ELEMENT, gl_ScopeSubgroup, MATRIX_M, MATRIX_K, gl_MatrixUseA> a[FRAGMENTS_M];
        [[unroll]] for (uint m = 0u; m < FRAGMENTS_M; m++)
            coopMatLoad(a[m], tiles, a_at + m * MATRIX_M * X_STRIDE + k / 8u, X_STRIDE,
                        gl_CooperativeMatrixLayoutRowMajor);
        [[unroll]] for (uint n = 0u; n < FRAGMENTS_N; n++) {
            coopmat<ELEMENT, gl_ScopeSubgroup, MATRIX_K, MATRIX_N, gl_MatrixUseB> b;
            uint at_n = (group_n * FRAGMENTS_N + n) * MATRIX_N;
            if (TRANSPOSED != 0u)
                coopMatLoad(b, tiles, b_at + at_n * W_STRIDE + k / 8u, W_STRIDE,
                            gl_CooperativeMatrixLayoutColumnMajor);
            else
                coopMatLoad(b, tiles, b_at + k * W_STRIDE + at_n / 8u, W_STRIDE, gl_CooperativeMatrixLayoutRowMajor);
            [[unroll]] for (uint m = 0u; m < FRAGMENTS_M; m++)
                sums[m * FRAGMENTS_N + n] = coopMatMulAdd(a[m], b, sums[m * FRAGMENTS_N + n]);
        }
    }
}

// ---- the end ----

void finish(uint batch, uint split, uint m, uint n, vec4 sum) {
    if (m >= rows || n >= nq) return;
    uint flat_row = batch * rows + m, at = flat_row * nq + n;
    if (PARTIAL != 0u) {
        layers[split * batches * rows * nq + at] = sum;
        return;
    }
    vec4 v = sum * scale;
    if ((EPILOGUE & 1u) != 0u) v += quad_load(bias[n]);
    if ((EPILOGUE & 2u) != 0u)
        v += quad_load(row[(row_div == 0u ? 0u : row_base + (row_first + flat_row) / row_div) * nq + n]);
    v = act_apply(ACT, v);
    if ((EPILOGUE & 4u) != 0u) v += quad_load(residual[residual_skip + at]);
    y[y_skip + at] = quad_store(v);
}

void finish_gated(uint batch, uint m, uint n, vec4 sum, vec4 gate) {
    if (m >= rows || n >= nq / 2u) return;
    vec4 v = sum * scale, g = gate * scale;
    if ((EPILOGUE & 1u) != 0u) {
        v += quad_load(bias[n]);
        g += quad_load(bias[nq / 2u + n]);
    }
    y[y_skip + (batch * rows + m) * (nq / 2u) + n] = quad_store(v * act_apply(GATE, g));
}

void main() {
    uint tiles_all = tiles_m * tiles_n, number = group_index() % tiles_all, rest = group_index() / tiles_all;
    uint batch = rest % batches, split = rest / batches;
    if (split >= splits) return; // all of the workgroup
    // In bands of eight rows of tiles, so that those running at once share x and w in the cache.
    uint band = number / (8u * tiles_n), within = number % (8u * tiles_n), high = min(tiles_m - band * 8u, 8u);
    uint tile_m = band * 8u + within % high, tile_n = within / high;
    uint group_m = gl_SubgroupID / GROUPS_N, group_n = gl_SubgroupID % GROUPS_N;
    column_first = tile_n * (GATE != 0u ? TILE_N / 2u : TILE_N);
    w_at = w_skip + batch / w_div % w_mod * (TRANSPOSED != 0u ? n_size * cq : channels * nq);
    begin(batch, tile_m);
    [[unroll]] for (uint i = 0u; i < FRAGMENTS_M * FRAGMENTS_N; i++) sums[i] = SUMS(0.0);

    uint at = split * split_quads, end = min(at + split_quads, quads), half_at = 0u;
    fetch_x(at, end);
    fetch_w(at, end);
    stage(0u);
    barrier();
    while (at < end) {
        at += UNITS_K;
        if (at < end) {
            fetch_x(at, end);
            fetch_w(at, end);
        }
        multiply(half_at, group_m, group_n);
        half_at = HALF - half_at;
        if (at < end) stage(half_at);
        barrier();
    }

    // Each subgroup puts a row of its matrices into shared memory and reads it back in rows of quads.
    uint slab = gl_SubgroupID * MATRIX_M * OUT_STRIDE;
    [[unroll]] for (uint m = 0u; m < FRAGMENTS_M; m++) {
        [[unroll]] for (uint n = 0u; n < FRAGMENTS_N; n++)
            coopMatStore(sums[m * FRAGMENTS_N + n], tiles, slab + n * MATRIX_N / 4u, OUT_STRIDE,
                         gl_CooperativeMatrixLayoutRowMajor);
        barrier();
        uint first_row = tile_m * TILE_M + (group_m * FRAGMENTS_M + m) * MATRIX_M;
        if (GATE != 0u) {
            for (uint i = gl_SubgroupInvocationID; i < MATRIX_M * HALF_QUADS; i += gl_SubgroupSize) {
                uint at = slab + i / HALF_QUADS * OUT_STRIDE + i % HALF_QUADS;
                finish_gated(batch, first_row + i / HALF_QUADS, column_first / 4u + group_n * HALF_QUADS + i % HALF_QUADS,
                             uintBitsToFloat(tiles[at]), uintBitsToFloat(tiles[at + HALF_QUADS]));
            }
        } else {
            for (uint i = gl_SubgroupInvocationID; i < MATRIX_M * OUT_QUADS; i += gl_SubgroupSize)
                finish(batch, split, first_row + i / OUT_QUADS, column_first / 4u + group_n * OUT_QUADS + i % OUT_QUADS,
                       uintBitsToFloat(tiles[slab + i / OUT_QUADS * OUT_STRIDE + i % OUT_QUADS]));
        }
        barrier();
    }
}
