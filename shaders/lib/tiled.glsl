// SPDX-License-Identifier: MIT
// Computes a matrix product with tiles in shared memory. A workgroup computes BM rows x BN columns, in steps of BK
// terms of the sum. Every invocation keeps TM rows x TN columns in registers. Neighbours along x are neighbours along
// the columns. The rows and columns of one invocation lie (BM / TM) rows and (BN / TN) quads apart. So a subgroup of
// any size reads one stretch of w's tile without bank conflicts, and few different rows of x's. Rows of x's tile are
// PAD quads longer than their data, for the same reason.
// While a step is multiplied, the next one is on its way from memory into registers. Two BUFFERS let it go on into
// the other half of the shared memory, with one barrier a step.
//
// The same source does convolutions (CONV). Terms then run over the taps of the kernel and the channels of each, in
// quads that lie in a pixel. x's tile is gathered from the image. Sums are f32. ARITH_F16 sums the terms of one
// step in f16 first.
//
// Nothing here depends on the subgroup size.
#extension GL_EXT_control_flow_attributes : require
layout(constant_id = 3) const uint BM = 64;
layout(constant_id = 4) const uint BN = 64;
layout(constant_id = 5) const uint BK = 16;
layout(constant_id = 6) const uint TM = 8;
layout(constant_id = 7) const uint TN = 4;
layout(constant_id = 8) const uint BUFFERS = 2;
layout(constant_id = 9) const uint PAD = 1;
layout(constant_id = 10) const uint ACT = 0;
layout(constant_id = 11) const uint EPILOGUE = 0;   // bits: 1 bias, 2 row, 4 residual
layout(constant_id = 12) const uint K_TAIL = 0;     // 1: the channels of x are not a multiple of 4
layout(constant_id = 13) const uint TRANSPOSED = 0; // 1: w is [n, k]
layout(constant_id = 14) const uint PARTIAL = 0;    // 1: sums go to scratch, one layer per split
layout(constant_id = 15) const uint CONV = 0;
layout(constant_id = 16) const uint UP = 0;         // 1: the image is read doubled
layout(constant_id = 17) const uint NORM = 0;       // 1: x is read as act(x factor + addend)
layout(constant_id = 18) const uint NORM_ACT = 0;
// Activation of gates. The tile's columns are then BN / 2 values and their BN / 2 gates, which lie half of all columns
// on. TN is 8, so an invocation has both. Such a sum is not split.
layout(constant_id = 19) const uint GATE = 0;

#include "lib/gemm_push.glsl"

layout(set = 0, binding = 0) readonly buffer X { QUAD x[]; };
#ifdef QUANTISED
layout(set = 0, binding = 1) readonly buffer W { uvec4 w[]; };
#define w_words(i) w[i]
#include "weight.glsl"
#else
layout(set = 0, binding = 1) readonly buffer W { QUAD w[]; };
#endif
layout(set = 0, binding = 2) readonly buffer Bias { QUAD bias[]; };
layout(set = 0, binding = 3) readonly buffer Row { QUAD row[]; };
layout(set = 0, binding = 4) readonly buffer Residual { QUAD residual[]; };
layout(set = 0, binding = 5) writeonly buffer Y { QUAD y[]; };
layout(set = 0, binding = 5) writeonly buffer Layers { vec4 layers[]; };
layout(set = 0, binding = 6) readonly buffer Norm { vec4 norm[]; }; // [image, 2, channels]: factors, then addends

#ifdef ARITH_F16
#define TILE f16vec4
#define SCALAR float16_t
#else
#define TILE vec4
#define SCALAR float
#endif

// Depend on the build, not on the device: expressions over specialisation constants.
const uint KQ = BK / 4u;
const uint COLS = TN / 4u;
const uint LANES_N = BN / TN;
const uint LANES_M = BM / TM;
const uint THREADS = LANES_M * LANES_N;
const uint A_STRIDE = KQ + PAD;
const uint B_STRIDE = BN / 4u;
const uint A_QUADS = BM * KQ;
const uint B_QUADS = BK * B_STRIDE;
const uint A_LOADS = (A_QUADS + THREADS - 1u) / THREADS; // quads that an invocation brings, a step
const uint B_LOADS = (B_QUADS + THREADS - 1u) / THREADS;
const uint A_SIZE = BM * A_STRIDE;
const uint A_ALL = BUFFERS * A_SIZE;
const uint B_ALL = BUFFERS * B_QUADS;

shared TILE tile_a[A_ALL];
shared TILE tile_b[B_ALL];

vec4 acc[TM][COLS];
TILE next_a[A_LOADS];
TILE next_b[B_LOADS];

// ---- fetching a step ----

uint a_at[A_LOADS];               // of each quad's row: where it starts, or (CONV) row 0 of its image
int a_y[A_LOADS], a_x[A_LOADS];   // top left input pixel of its output pixel
uint a_image[A_LOADS];
uint a_quad, a_c, a_tap_y, a_tap_x; // the quad of terms that this invocation brings next, and what it is of the kernel
uint w_at, col_first;

uint lane() { return gl_LocalInvocationID.x; }

// Returns the quad of the product's columns at quad `at` of the tile's.
uint column(uint at) {
    if (GATE != 0u && at >= B_STRIDE / 2u) return n_quads / 2u + col_first + at - B_STRIDE / 2u;
    return col_first + at;
}

void find_tap() {
    uint tap = a_quad / channel_quads;
    a_c = a_quad - tap * channel_quads;
    a_tap_y = tap / kernel_w;
    a_tap_x = tap - a_tap_y * kernel_w;
}

// Offsets of the rows of this invocation's quads of x.
void begin_a(uint batch, uint row_at, uint q_begin) {
    a_quad = q_begin + lane() % KQ;
    if (CONV != 0u) find_tap();
    [[unroll]] for (uint i = 0u; i < A_LOADS; i++) {
        uint r = min(row_at + (lane() + i * THREADS) / KQ, rows - 1u);
        if (CONV != 0u) {
            uint image = r / pixels, pixel = r - image * pixels, oy = pixel / out_w;
            a_y[i] = int((oy + first) * stride) - int(pad);
            a_x[i] = int((pixel - oy * out_w) * stride) - int(pad_x);
            a_at[i] = image * in_h - in_first;
            a_image[i] = image;
        } else {
            a_at[i] = x_skip + (x_batch(batch) * rows + r) * channel_quads;
        }
    }
}

vec4 normalised(vec4 v, uint image) {
    uint at = norm_skip + 2u * image * channel_quads + a_c;
    return act_apply(NORM_ACT, fma(v, norm[at], norm[at + channel_quads]));
}

void fetch_a(uint q_end) {
    bool there = a_quad < q_end;
    [[unroll]] for (uint i = 0u; i < A_LOADS; i++) {
        vec4 v = vec4(0.0);
        if (CONV != 0u) {
            int iy = a_y[i] + int(a_tap_y), ix = a_x[i] + int(a_tap_x);
            if (there && uint(iy) < in_h << UP && uint(ix) < in_w << UP) {
                v = quad_load(x[x_skip + ((a_at[i] + (uint(iy) >> UP)) * in_w + (uint(ix) >> UP)) * channel_quads + a_c]);
                if (NORM != 0u) v = normalised(v, a_image[i]);
                if (K_TAIL != 0u) v = quad_mask(v, a_c, channels, 0.0);
            }
        } else if (there) {
            v = quad_load(x[a_at[i] + a_quad]);
            if (K_TAIL != 0u) v = quad_mask(v, a_quad, channels, 0.0);
        }
        next_a[i] = TILE(v);
    }
    a_quad += KQ;
    if (CONV != 0u) {
        if (channel_quads >= KQ) {
            a_c += KQ;
            if (a_c >= channel_quads) {
                a_c -= channel_quads;
                a_tap_x++;
                if (a_tap_x == kernel_w) {
                    a_tap_x = 0u;
                    a_tap_y++;
                }
            }
        } else {
            find_tap();
        }
    }
}

// Returns a row of w by its place among the terms. Quads of a tap are padded, rows of w are not.
bool find_w_row(uint q, uint j, out uint at) {
    if (K_TAIL == 0u) {
        at = 4u * q + j;
        return true;
    }
    uint tap = CONV != 0u ? q / channel_quads : 0u, c = 4u * (q - tap * channel_quads) + j;
    at = tap * channels + c;
    return c < channels;
}

// Returns an item of the tile of w that starts at quad q of the terms. It is four columns of a term, or (TRANSPOSED)
// four terms of a column. Terms from quad q_end on are zero.
vec4 load_b(uint item, uint q, uint q_end) {
    vec4 v = vec4(0.0);
#ifdef QUANTISED
    uint k = 4u * q + item / B_STRIDE, col = min(column(item % B_STRIDE), n_quads - 1u);
    if (k / 4u < q_end) v = w_term(w_at + k / W_TERMS * W_ROWS * n_quads + col, k % W_TERMS);
#else
    if (TRANSPOSED != 0u) {
        uint n = min(column(item / KQ / 4u) * 4u + item / KQ % 4u, n_size - 1u), k = q + item % KQ;
        if (k < q_end) v = quad_load(w[w_at + n * channel_quads + k]);
        if (K_TAIL != 0u) v = quad_mask(v, k, channels, 0.0);
    } else {
        uint k = item / B_STRIDE, col = min(column(item % B_STRIDE), n_quads - 1u), at;
        bool there = q + k / 4u < q_end;
        if (find_w_row(q + k / 4u, k % 4u, at) && there) v = quad_load(w[w_at + at * n_quads + col]);
    }
#endif
    return v;
}

void fetch_b(uint q, uint q_end) {
    [[unroll]] for (uint i = 0u; i < B_LOADS; i++) next_b[i] = TILE(load_b(lane() + i * THREADS, q, q_end));
}

void store_next(uint half_at) {
    [[unroll]] for (uint i = 0u; i < A_LOADS; i++) {
        uint item = lane() + i * THREADS;
        if (A_QUADS % THREADS == 0u || item < A_QUADS)
            tile_a[half_at * A_SIZE + item / KQ * A_STRIDE + item % KQ] = next_a[i];
    }
    [[unroll]] for (uint i = 0u; i < B_LOADS; i++) {
        uint item = lane() + i * THREADS;
        if (B_QUADS % THREADS != 0u && item >= B_QUADS) continue;
        if (TRANSPOSED != 0u) {
            uint n = item / KQ, at = half_at * B_QUADS + item % KQ * 4u * B_STRIDE + n / 4u;
            [[unroll]] for (uint j = 0u; j < 4u; j++) tile_b[at + j * B_STRIDE][n % 4u] = next_b[i][j];
        } else {
            tile_b[half_at * B_QUADS + item] = next_b[i];
        }
    }
}

// ---- multiplying a step ----

#ifdef ARITH_F16
#define SUM part
#else
#define SUM acc
#endif

void multiply(uint half_at) {
#ifdef ARITH_F16
    f16vec4 part[TM][COLS];
    [[unroll]] for (uint r = 0u; r < TM; r++)
        [[unroll]] for (uint c = 0u; c < COLS; c++) part[r][c] = f16vec4(0.0);
#endif
    uint a_base = half_at * A_SIZE + lane() / LANES_N * A_STRIDE, b_base = half_at * B_QUADS + lane() % LANES_N;
    // The loop is left to the driver. Unrolled, it outgrows the instruction caches of small GPUs.
    for (uint k = 0u; k < KQ; k++) {
        TILE a[TM];
        [[unroll]] for (uint r = 0u; r < TM; r++) a[r] = tile_a[a_base + r * LANES_M * A_STRIDE + k];
        [[unroll]] for (uint c = 0u; c < COLS; c++) {
            uint at = b_base + 4u * k * B_STRIDE + c * LANES_N;
            TILE b0 = tile_b[at], b1 = tile_b[at + B_STRIDE];
            TILE b2 = tile_b[at + 2u * B_STRIDE], b3 = tile_b[at + 3u * B_STRIDE];
            [[unroll]] for (uint r = 0u; r < TM; r++) {
                TILE s = SUM[r][c];
                s = fma(TILE(a[r].x), b0, s);
                s = fma(TILE(a[r].y), b1, s);
                s = fma(TILE(a[r].z), b2, s);
                SUM[r][c] = fma(TILE(a[r].w), b3, s);
            }
        }
    }
#ifdef ARITH_F16
    [[unroll]] for (uint r = 0u; r < TM; r++)
        [[unroll]] for (uint c = 0u; c < COLS; c++) acc[r][c] += vec4(part[r][c]);
#endif
}

// ---- the end ----

vec4 epilogue(vec4 sum, uint flat_row, uint col) {
    vec4 v = sum * scale;
    if ((EPILOGUE & 1u) != 0u) v += quad_load(bias[col]);
    if ((EPILOGUE & 2u) != 0u)
        v += quad_load(row[(row_share == 0u ? 0u : row_begin + (row_phase + flat_row) / row_share) * n_quads + col]);
    v = act_apply(ACT, v);
    if ((EPILOGUE & 4u) != 0u) v += quad_load(residual[residual_skip + flat_row * n_quads + col]);
    return v;
}

void main() {
    uint tile = group_index(), rest = tile / tiles_n;
    uint tile_n = tile - rest * tiles_n, tile_m = rest % tiles_m;
    rest /= tiles_m;
    uint batch = rest % batches, split = rest / batches;
    if (split >= splits) return; // all of the workgroup

    uint row_at = tile_m * BM, q_begin = split * split_quads, q_end = min(q_begin + split_quads, quads);
    col_first = tile_n * (GATE != 0u ? B_STRIDE / 2u : B_STRIDE);
#ifdef QUANTISED
    uint w_quads = channels / W_TERMS * W_ROWS * n_quads;
#else
    uint w_quads = TRANSPOSED != 0u ? n_size * channel_quads : channels * n_quads;
#endif
    w_at = w_skip + w_batch(batch) * w_quads;
    begin_a(batch, row_at, q_begin);
    [[unroll]] for (uint r = 0u; r < TM; r++)
        [[unroll]] for (uint c = 0u; c < COLS; c++) acc[r][c] = vec4(0.0);

    uint half_at = 0u;
    if (q_begin < q_end) {
        fetch_a(q_end);
        fetch_b(q_begin, q_end);
        store_next(0u);
    }
    barrier();
    for (uint q = q_begin; q < q_end; q += KQ) {
        bool more = q + KQ < q_end;
        if (more) {
            fetch_a(q_end);
            fetch_b(q + KQ, q_end);
        }
        multiply(half_at);
        if (BUFFERS == 1u) barrier();
        else half_at ^= 1u;
        if (more) store_next(half_at);
        barrier();
    }

    [[unroll]] for (uint r = 0u; r < TM; r++) {
        uint m = row_at + lane() / LANES_N + r * LANES_M, flat_row = batch * rows + m;
        if (GATE != 0u) {
            uint col = col_first + lane() % LANES_N;
            if (m >= rows || col >= n_quads / 2u) continue;
            vec4 gate = epilogue(acc[r][COLS - 1u], flat_row, n_quads / 2u + col);
            y[y_skip + flat_row * (n_quads / 2u) + col] = quad_store(epilogue(acc[r][0], flat_row, col) * act_apply(GATE, gate));
            continue;
        }
        [[unroll]] for (uint c = 0u; c < COLS; c++) {
            uint col = col_first + lane() % LANES_N + c * LANES_N;
            if (m >= rows || col >= n_quads) continue;
            if (PARTIAL != 0u) layers[(split * batches * rows + flat_row) * n_quads + col] = acc[r][c];
            else y[y_skip + flat_row * n_quads + col] = quad_store(epilogue(acc[r][c], flat_row, col));
        }
    }
}
