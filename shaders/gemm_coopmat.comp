// SPDX-License-Identifier: MIT
// y = act(scale x w + bias + row) + residual, and convolutions as such products, with cooperative matrices
// (VK_KHR_cooperative_matrix): f16 or bf16 in, f32 sums.
// A workgroup of GROUPS_M x GROUPS_N subgroups computes a tile of TILE_M x TILE_N outputs, each subgroup FRAGMENTS_M x
// FRAGMENTS_N matrices of it. Tiles of x and w, TILE_K terms deep, are staged in shared memory, two of each. While one
// is multiplied, the next is on its way through registers.
// Terms of a convolution run over the taps of its kernel and the channels of each, in units of eight. x is gathered
// from the image. Terms past the end are staged as zero. Rows and columns outside of the output are computed from
// arbitrary values and not stored.
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
// Bits: 1 rows of x are whole units, 2 those of w.
layout(constant_id = 17) const uint WIDE = 0;
layout(constant_id = 18) const uint PARTIAL = 0;    // 1: sums go to scratch, one layer per split
layout(constant_id = 19) const uint CONV = 0;
layout(constant_id = 20) const uint UP = 0;         // 1: the image is read doubled
layout(constant_id = 21) const uint NORM = 0;       // 1: x is read as act(x factor + addend)
layout(constant_id = 22) const uint NORM_ACT = 0;
// Activation of gates. Each subgroup's columns are then half values and half their gates, which lie half of all columns
// on. Such a sum is not split.
layout(constant_id = 23) const uint GATE = 0;

layout(set = 0, binding = 0) readonly buffer X { uvec2 x[]; };
layout(set = 0, binding = 0) readonly buffer XWide { uvec4 x_wide[]; };
layout(set = 0, binding = 1) readonly buffer W { uvec2 w[]; };
layout(set = 0, binding = 1) readonly buffer WWide { uvec4 w_wide[]; };
#ifdef QUANTISED
#define w_words(i) w_wide[i]
#include "weight.glsl"
#endif
layout(set = 0, binding = 2) readonly buffer Bias { QUAD bias[]; };
layout(set = 0, binding = 3) readonly buffer Row { QUAD row[]; };
layout(set = 0, binding = 4) readonly buffer Residual { QUAD residual[]; };
layout(set = 0, binding = 5) writeonly buffer Y { QUAD y[]; };
layout(set = 0, binding = 5) writeonly buffer Layers { vec4 layers[]; };
layout(set = 0, binding = 6) readonly buffer Norm { vec4 norm[]; }; // [image, 2, channels]: factors, then addends

const uint TILE_M = GROUPS_M * FRAGMENTS_M * MATRIX_M;
const uint TILE_N = GROUPS_N * FRAGMENTS_N * MATRIX_N;
// A unit is eight elements, 16 bytes. One unit between rows keeps them in different banks.
const uint UNITS_K = TILE_K / 8u;
const uint UNITS_N = TILE_N / 8u;
const uint STRIDE = UNITS_K + 1u;
const uint X_UNITS = TILE_M * STRIDE;
// Both tiles lie as [row of x or column of w][TILE_K], so that every matrix is loaded by whole units. One more unit
// follows each of w's matrices, so that neighbours write to different banks, too.
const uint W_UNITS = TILE_N * STRIDE + TILE_N / MATRIX_N;
const uint HALF = X_UNITS + W_UNITS; // of the shared memory: one tile of each
// The share of an invocation in staging each tile: units of x, and units or pairs of units, one below the other, of w.
const uint X_EACH = (TILE_M * UNITS_K + THREADS - 1u) / THREADS;
const uint W_ITEMS = TRANSPOSED * TILE_N * UNITS_K + (1u - TRANSPOSED) * UNITS_N * TILE_K / 2u;
const uint W_EACH = (W_ITEMS + THREADS - 1u) / THREADS;
// Sums on their way out, one row of matrices of every subgroup at a time, four to 16 bytes.
const uint SUBGROUP = THREADS / (GROUPS_M * GROUPS_N);
const uint OUT_QUADS = FRAGMENTS_N * MATRIX_N / 4u;
const uint OUT_STRIDE = OUT_QUADS + 1u;
const uint HALF_QUADS = OUT_QUADS / 2u; // of a gated row: values, and as many gates

#define SUMS coopmat<float, gl_ScopeSubgroup, MATRIX_M, MATRIX_N, gl_MatrixUseAccumulator>

shared uvec4 tiles[SHARED];
SUMS sums[FRAGMENTS_M * FRAGMENTS_N];
uvec4 next_x[X_EACH], next_w[W_EACH], next_w_below[W_EACH]; // the next tiles, on their way

// ---- fetching a step ----

uint x_at[X_EACH]; // of each unit's row: where it starts; of a convolution its first tap, or (UP) row 0 of its image
uint x_row_of[X_EACH], x_col_of[X_EACH]; // input pixel of its output pixel at the next step's tap; at the first, with a tail
uint x_image[X_EACH];
bool x_there[X_EACH]; // whether the next unit is one of the image, not of its border
uint w_from[W_EACH];   // where each item's next one starts; with a tail, where those at the first term do
uint w_second[W_EACH]; // where the second half of its units is from there: 1, or 0 past the row's end
uint w_at, column_first; // where w starts, and the tile's first column
uint tap_x, place; // of the next step, without a tail: the tap in its row, and the unit of its channels
uint x_step;       // quads from x_at there

// Returns the row in the tile of staged unit i of this invocation, and its place in the row, the same for all of x.
uint x_row(uint i) { return (i * THREADS + gl_LocalInvocationID.x) / UNITS_K; }
uint x_place() { return gl_LocalInvocationID.x % UNITS_K; }
// Returns the first column and the first term of item i of w.
uint w_item(uint i) { return i * THREADS + gl_LocalInvocationID.x; }
uint w_col(uint i) { return TRANSPOSED != 0u ? w_item(i) / UNITS_K : w_item(i) % UNITS_N * 8u; }
uint term_of(uint i) { return TRANSPOSED != 0u ? w_item(i) % UNITS_K * 8u : w_item(i) / UNITS_N * 2u; }

// Returns the product's column at column `at` of the tile. Units of eight stay whole.
uint column(uint at) {
    if (GATE == 0u) return column_first + at;
    uint group = at / (4u * OUT_QUADS), within = at % (4u * OUT_QUADS);
    return column_first + group * 4u * HALF_QUADS + within % (4u * HALF_QUADS) +
           (within >= 4u * HALF_QUADS ? n_size / 2u : 0u);
}

uint w_quad(uint i) { return min(column(w_col(i)) / 4u, n_quads - 1u); }

// Returns the tap of unit `at` of the terms, and its place there.
void find_tap(uint at, out uint tap, out uint within) {
    uint each = (channel_quads + 1u) / 2u;
    tap = CONV != 0u ? at / each : 0u;
    within = at - tap * each;
}

void begin_x(uint batch, uint tile_m) {
    [[unroll]] for (uint i = 0u; i < X_EACH; i++) {
        uint r = min(tile_m * TILE_M + x_row(i), rows - 1u);
        if (CONV != 0u) {
            uint image = r / pixels, pixel = r - image * pixels, oy = pixel / out_w;
            x_row_of[i] = (oy + first) * stride - pad; // "negative" ones are larger than any image
            x_col_of[i] = (pixel - oy * out_w) * stride - pad_x;
            x_at[i] = image * in_h - in_first;
            if (UP == 0u) x_at[i] = x_skip + ((x_at[i] + x_row_of[i]) * in_w + x_col_of[i]) * channel_quads;
            x_image[i] = image;
        } else {
            x_at[i] = x_skip + (x_batch(batch) * rows + r) * channel_quads;
        }
        if (K_TAIL == 0u && UP == 0u) x_at[i] += 2u * x_place();
    }
}

// Fetches from unit `at` of the terms.
void begin_w(uint at) {
    [[unroll]] for (uint i = 0u; i < W_EACH; i++) {
        if (TRANSPOSED != 0u) { // only products: one tap
            w_from[i] = w_at + min(column(w_col(i)), n_size - 1u) * channel_quads;
            w_second[i] = 1u;
            if (K_TAIL == 0u) w_from[i] += 2u * at + term_of(i) / 4u;
        } else {
            uint quad = column(w_col(i)) / 4u, last = (WIDE & 2u) != 0u ? n_quads - 2u : n_quads - 1u;
            w_from[i] = w_at + min(quad, last);
            w_second[i] = quad < last ? 1u : 0u;
            if (K_TAIL == 0u) w_from[i] += (8u * at + term_of(i)) * n_quads;
        }
    }
}

void begin(uint at) {
    uint tap;
    find_tap(at, tap, place);
    uint tap_y = CONV != 0u ? tap / kernel_w : 0u;
    tap_x = CONV != 0u ? tap - tap_y * kernel_w : 0u;
    x_step = (UP == 0u ? (tap_y * in_w + tap_x) * channel_quads : 0u) + 2u * place;
    begin_w(at);
    if (CONV == 0u || K_TAIL != 0u) return;
    [[unroll]] for (uint i = 0u; i < X_EACH; i++) {
        x_row_of[i] += tap_y;
        x_col_of[i] += tap_x;
    }
}

// Advances to the next step, if there is one. Without a tail a whole step is in one tap, and neighbouring taps of a row
// follow each other in memory.
void advance(bool more) {
    if (K_TAIL != 0u) return;
    uint units = more ? UNITS_K : 0u, w_quads = TRANSPOSED != 0u ? 2u * units : 8u * units * n_quads;
    [[unroll]] for (uint i = 0u; i < W_EACH; i++) w_from[i] += w_quads;
    x_step += 2u * units;
    if (CONV == 0u) return;
    place += units;
    uint right = 2u * place >= channel_quads ? 1u : 0u;
    place = right != 0u ? 0u : place;
    tap_x += right;
    uint down = tap_x == kernel_w ? 1u : 0u;
    right -= down * kernel_w;
    tap_x = down != 0u ? 0u : tap_x;
    x_step += down * (in_w - kernel_w) * channel_quads;
    [[unroll]] for (uint i = 0u; i < X_EACH; i++) {
        x_row_of[i] += down;
        x_col_of[i] += right;
    }
}

// Returns a unit whose first element is number `at` of `count`, with zeros past the end.
uvec4 mask(uvec4 u, uint at, uint count) {
    uint left = count - min(at, count);
    [[unroll]] for (uint i = 0u; i < 4u; i++) u[i] &= left > 2u * i + 1u ? ~0u : left > 2u * i ? 0xffffu : 0u;
    return u;
}

// Returns a unit of which only the first quad may be in its row, unless rows are WIDE.
uvec4 x_unit(uint at, uint second) {
    return (WIDE & 1u) != 0u ? x_wide[at / 2u] : uvec4(x[at], x[at + second]);
}
uvec4 w_unit(uint at, uint second) {
    return (WIDE & 2u) != 0u ? w_wide[at / 2u] : uvec4(w[at], w[at + second]);
}

// Returns the unit of columns of item i for row `row` of w, one of its terms.
uvec4 w_row(uint i, uint row) {
#ifdef QUANTISED
    uint q = w_quad(i), block = w_at + row / W_TERMS * W_ROWS * n_quads;
    vec4 low = w_term(block + q, row % W_TERMS), high = w_term(block + min(q + 1u, n_quads - 1u), row % W_TERMS);
    return uvec4(half_store(low), half_store(high));
#else
    return w_unit(w_from[i] + row * n_quads, w_second[i]);
#endif
}

uvec2 normalised(uvec2 quad, uint image, uint q) {
    uint at = norm_skip + image * 2u * channel_quads + min(q, channel_quads - 1u);
    return half_store(act_apply(NORM_ACT, fma(half_load(quad), norm[at], norm[at + channel_quads])));
}

// Fetches x at a tap's unit of channels. y, x0: the tap, if x_row_of does not know it. Pixels outside of the image are
// read somewhere else and become zero once they are staged. So nothing is tested, and so waited for, here.
void fetch_x_at(uint y, uint x0, uint unit, uint step_at, bool there) {
    uint q = min(2u * unit, channel_quads - 1u), second = 2u * unit + 1u < channel_quads ? 1u : 0u;
    [[unroll]] for (uint i = 0u; i < X_EACH; i++) {
        uint from = x_at[i] + step_at;
        x_there[i] = there;
        if (CONV != 0u) {
            uint iy = x_row_of[i] + y, ix = x_col_of[i] + x0;
            x_there[i] = there && iy < in_h << UP && ix < in_w << UP;
            if (UP != 0u) from = x_skip + ((x_at[i] + (iy >> UP)) * in_w + (ix >> UP)) * channel_quads + q;
        }
        next_x[i] = x_unit(x_there[i] ? from : x_skip, second);
        if (NORM != 0u)
            next_x[i] = uvec4(normalised(next_x[i].xy, x_image[i], 2u * unit),
                              normalised(next_x[i].zw, x_image[i], 2u * unit + 1u));
        if (K_TAIL != 0u) next_x[i] = mask(next_x[i], 8u * unit, channels);
    }
}

void fetch_x(uint at, uint end) {
    if (K_TAIL == 0u) {
        fetch_x_at(0u, 0u, place + x_place(), x_step, true);
    } else {
        uint tap, unit;
        find_tap(at + x_place(), tap, unit);
        uint y = CONV != 0u ? tap / kernel_w : 0u, x0 = CONV != 0u ? tap - y * kernel_w : 0u;
        fetch_x_at(y, x0, unit, (y * in_w + x0) * channel_quads + 2u * unit, at + x_place() < end);
    }
}

// Returns w's row `term` below unit `at` of the terms in a tail's steps, zero past their end.
uvec4 w_tail(uint i, uint at, uint end, uint term) {
    uint tap, unit;
    find_tap(at + term / 8u, tap, unit);
    uint k = 8u * unit + term % 8u;
    bool there = at + term / 8u < end && k < channels;
    uint row = there ? tap * channels + k : 0u;
    uvec4 u = w_row(i, row);
    return there ? u : uvec4(0u);
}

// Does the same if w lies by columns.
uvec4 w_tail_transposed(uint i, uint at, uint end) {
    uint k = at + term_of(i) / 8u, q = min(2u * k, (WIDE & 2u) != 0u ? channel_quads - 2u : channel_quads - 1u);
    return mask(w_unit(w_from[i] + q, q + 1u < channel_quads ? 1u : 0u), k < end ? 8u * k : channels, channels);
}

void fetch_w(uint at, uint end) {
    [[unroll]] for (uint i = 0u; i < W_EACH; i++) {
#ifdef QUANTISED
        if (K_TAIL == 0u) {
            next_w[i] = w_row(i, 8u * at + term_of(i));
            next_w_below[i] = w_row(i, 8u * at + term_of(i) + 1u);
            continue;
        }
#endif
        if (K_TAIL == 0u) {
            next_w[i] = w_unit(w_from[i], w_second[i]);
            if (TRANSPOSED == 0u) next_w_below[i] = w_unit(w_from[i] + n_quads, w_second[i]);
        } else if (TRANSPOSED == 0u) {
            next_w[i] = w_tail(i, at, end, term_of(i));
            next_w_below[i] = w_tail(i, at, end, term_of(i) + 1u);
        } else {
            next_w[i] = w_tail_transposed(i, at, end);
        }
    }
}

void stage(uint half_at) {
    [[unroll]] for (uint i = 0u; i < X_EACH; i++)
        if (TILE_M * UNITS_K % THREADS == 0u || x_row(i) < TILE_M)
            tiles[half_at + x_row(i) * STRIDE + x_place()] = x_there[i] ? next_x[i] : uvec4(0u);
    [[unroll]] for (uint i = 0u; i < W_EACH; i++) {
        if (W_ITEMS % THREADS != 0u && w_item(i) >= W_ITEMS) continue;
        uint to = half_at + X_UNITS + w_col(i) * STRIDE + w_col(i) / MATRIX_N + term_of(i) / 8u;
        if (TRANSPOSED != 0u) {
            tiles[to] = next_w[i];
        } else { // two terms of eight columns
            [[unroll]] for (uint j = 0u; j < 4u; j++) {
                uint above = next_w[i][j], below = next_w_below[i][j], word = term_of(i) % 8u / 2u;
                tiles[to + 2u * j * STRIDE][word] = bitfieldInsert(above, below, 16, 16);
                tiles[to + (2u * j + 1u) * STRIDE][word] = bitfieldInsert(below, above >> 16, 0, 16);
            }
        }
    }
}

// ---- multiplying a step ----

void multiply(uint half_at, uint group_m, uint group_n) {
    uint a_at = half_at + group_m * FRAGMENTS_M * MATRIX_M * STRIDE;
    uint b_at = half_at + X_UNITS + group_n * FRAGMENTS_N * (MATRIX_N * STRIDE + 1u);
    [[unroll]] for (uint k = 0u; k < UNITS_K; k += MATRIX_K / 8u) {
        coopmat<ELEMENT, gl_ScopeSubgroup, MATRIX_M, MATRIX_K, gl_MatrixUseA> a[FRAGMENTS_M];
        [[unroll]] for (uint m = 0u; m < FRAGMENTS_M; m++)
            coopMatLoad(a[m], tiles, a_at + m * MATRIX_M * STRIDE + k, STRIDE, gl_CooperativeMatrixLayoutRowMajor);
        [[unroll]] for (uint n = 0u; n < FRAGMENTS_N; n++) {
            coopmat<ELEMENT, gl_ScopeSubgroup, MATRIX_K, MATRIX_N, gl_MatrixUseB> b;
            coopMatLoad(b, tiles, b_at + n * (MATRIX_N * STRIDE + 1u) + k, STRIDE, gl_CooperativeMatrixLayoutColumnMajor);
            [[unroll]] for (uint m = 0u; m < FRAGMENTS_M; m++)
                sums[m * FRAGMENTS_N + n] = coopMatMulAdd(a[m], b, sums[m * FRAGMENTS_N + n]);
        }
    }
}

// ---- the end ----

void finish(uint batch, uint split, uint m, uint n, vec4 sum) {
    if (m >= rows || n >= n_quads) return;
    uint flat_row = batch * rows + m, at = flat_row * n_quads + n;
    if (PARTIAL != 0u) {
        layers[split * batches * rows * n_quads + at] = sum;
        return;
    }
    vec4 v = sum * scale;
    if ((EPILOGUE & 1u) != 0u) v += quad_load(bias[n]);
    if ((EPILOGUE & 2u) != 0u)
        v += quad_load(row[(row_share == 0u ? 0u : row_begin + (row_phase + flat_row) / row_share) * n_quads + n]);
    v = act_apply(ACT, v);
    if ((EPILOGUE & 4u) != 0u) v += quad_load(residual[residual_skip + at]);
    y[y_skip + at] = quad_store(v);
}

void finish_gated(uint batch, uint m, uint n, vec4 sum, vec4 gate) {
    if (m >= rows || n >= n_quads / 2u) return;
    vec4 v = sum * scale, g = gate * scale;
    if ((EPILOGUE & 1u) != 0u) {
        v += quad_load(bias[n]);
        g += quad_load(bias[n_quads / 2u + n]);
    }
    y[y_skip + (batch * rows + m) * (n_quads / 2u) + n] = quad_store(v * act_apply(GATE, g));
}

// Stores row m of the subgroup's matrices.
void put_row(uint m, uint slab) {
    [[unroll]] for (uint n = 0u; n < FRAGMENTS_N; n++)
        coopMatStore(sums[m * FRAGMENTS_N + n], tiles, slab + n * MATRIX_N / 4u, OUT_STRIDE,
                     gl_CooperativeMatrixLayoutRowMajor);
}

void main() {
    uint tiles_all = tiles_m * tiles_n, number = group_index() % tiles_all, rest = group_index() / tiles_all;
    uint batch = rest % batches, split = rest / batches;
    if (split >= splits) return; // all of the workgroup
    // Tiles run in bands of eight rows, so that those running at once share x and w in the cache.
    uint band = number / (8u * tiles_n), within = number % (8u * tiles_n), high = min(tiles_m - band * 8u, 8u);
    uint tile_m = band * 8u + within % high, tile_n = within / high;
    uint group_m = gl_SubgroupID / GROUPS_N, group_n = gl_SubgroupID % GROUPS_N;
    column_first = tile_n * (GATE != 0u ? TILE_N / 2u : TILE_N);
    uint w_quads = TRANSPOSED != 0u ? n_size * channel_quads : channels * n_quads;
#ifdef QUANTISED
    w_quads = channels / W_TERMS * W_ROWS * n_quads;
#endif
    w_at = w_skip + w_batch(batch) * w_quads;
    begin_x(batch, tile_m);

    uint at = split * split_quads, end = min(at + split_quads, quads), half_at = 0u;
    begin(at);
    fetch_x(at, end);
    fetch_w(at, end);
    stage(0u);
    shared_barrier();
    [[unroll]] for (uint i = 0u; i < FRAGMENTS_M * FRAGMENTS_N; i++) sums[i] = SUMS(0.0);

    // The last step fetches its own terms once more. Without a branch, nothing waits for a fetch before it is staged,
    // behind the products.
    while (at < end) {
        bool more = at + UNITS_K < end;
        uint next = more ? at + UNITS_K : at;
        advance(more);
        fetch_x(next, end);
        fetch_w(next, end);
        multiply(half_at, group_m, group_n);
        half_at = HALF - half_at;
        if (more) stage(half_at);
        shared_barrier();
        at += UNITS_K;
    }

    // Each subgroup puts a row of its matrices into shared memory and reads it back in rows of quads. The loop is not
    // unrolled, which gives one epilogue in place of several. Sums are only ever indexed by constants, or drivers would
    // keep them in memory. (Mesa unrolls no loop around another one.)
    uint slab = gl_SubgroupID * MATRIX_M * OUT_STRIDE;
    [[dont_unroll]] for (uint m = 0u; m < FRAGMENTS_M; m++) {
        [[unroll]] for (uint i = 0u; i < FRAGMENTS_M; i++)
            if (i == m) put_row(i, slab);
        own_barrier();
        uint first_row = tile_m * TILE_M + (group_m * FRAGMENTS_M + m) * MATRIX_M;
        if (GATE != 0u) {
            [[dont_unroll]] for (uint i = gl_SubgroupInvocationID; i < MATRIX_M * HALF_QUADS; i += SUBGROUP) {
                uint at = slab + i / HALF_QUADS * OUT_STRIDE + i % HALF_QUADS;
                finish_gated(batch, first_row + i / HALF_QUADS, column_first / 4u + group_n * HALF_QUADS + i % HALF_QUADS,
                             uintBitsToFloat(tiles[at]), uintBitsToFloat(tiles[at + HALF_QUADS]));
            }
        } else {
            [[dont_unroll]] for (uint i = gl_SubgroupInvocationID; i < MATRIX_M * OUT_QUADS; i += SUBGROUP)
                finish(batch, split, first_row + i / OUT_QUADS, column_first / 4u + group_n * OUT_QUADS + i % OUT_QUADS,
                       uintBitsToFloat(tiles[slab + i / OUT_QUADS * OUT_STRIDE + i % OUT_QUADS]));
        }
        own_barrier();
    }
}
