// SPDX-License-Identifier: MIT
// Computes the mean and sum of squared differences of a group of channels over the rows of a batch. A whole workgroup
// does so in one pass. Each lane takes those of short runs of rows by Welford's recurrence. The results are merged, m2
// = m2_a + m2_b + n_a n_b / n (mean_a - mean_b)^2 (Chan, Golub and LeVeque, "Updating formulae", 1979). That keeps its
// digits however large the mean is.
// Before this file the shader defines the input: vec4 x_at(second, row, quad), with second = in_second(quad).
layout(constant_id = 3) const uint LANES = 8;      // of the workgroup; a power of two
layout(constant_id = 4) const uint ALONG_ROWS = 0; // 1: all lanes lie along rows; 0: first along the quads of a row

const uint RUN = 64u; // rows of one recurrence

shared float s_n[LANES], s_mean[LANES], s_m2[LANES];

float n, mean, m2; // of this lane

void merge(float n_b, float mean_b, float m2_b) {
    if (n_b == 0.0) return;
    float both = n + n_b, delta = mean_b - mean;
    float share = n_b / both;
    m2 += fma(delta * delta, n * share, m2_b);
    mean = fma(delta, share, mean);
    n = both;
}

// Returns the number of lanes along `quads` quads of a row.
uint lanes_along(uint quads) { return ALONG_ROWS != 0u ? 1u : min(quads, LANES); }

// Adds quad q of rows row, row + lanes_r, .. up to end_row. second: it is in the second input.
void add_quad(const bool second, uint q, uint row, uint end_row, uint lanes_r, uint first, uint end) {
    for (; row < end_row; row += RUN * lanes_r) {
        vec4 mu = vec4(0.0), squares = vec4(0.0);
        uint count = min(RUN, (end_row - row + lanes_r - 1u) / lanes_r);
        for (uint i = 0u; i < count; i++) {
            vec4 v = x_at(second, row + i * lanes_r, q);
            vec4 delta = v - mu;
            mu = fma(delta, vec4(1.0 / float(i + 1u)), mu);
            squares = fma(delta, v - mu, squares);
        }
        // Joins those of the quad's four channels that are in the group: as many rows of each.
        bvec4 ours = lessThan(uvec4(4u * q - first) + uvec4(0u, 1u, 2u, 3u), uvec4(end - first));
        float channels = dot(vec4(ours), vec4(1.0)), middle = dot(mix(vec4(0.0), mu, ours), vec4(1.0)) / channels;
        vec4 between = mu - middle;
        merge(channels * float(count), middle,
              dot(mix(vec4(0.0), fma(between * between, vec4(float(count)), squares), ours), vec4(1.0)));
    }
}

// Covers channels [first, end) of `rows` rows from `first_row` on. n, mean and m2 are then those of all in every lane.
// The whole workgroup must call it. The two inputs have loops of their own, since CPU drivers execute both sides of a
// branch.
void moments(uint first_row, uint rows, uint first, uint end) {
    uint lane = gl_LocalInvocationID.x, end_quad = (end + 3u) / 4u;
    uint lanes_q = lanes_along(end_quad - first / 4u), lanes_r = LANES / lanes_q, lane_r = lane / lanes_q;
    n = mean = m2 = 0.0;
    for (uint q = first / 4u + lane % lanes_q; q < end_quad && lane_r < lanes_r; q += lanes_q) {
        if (in_second(q)) add_quad(true, q, first_row + lane_r, first_row + rows, lanes_r, first, end);
        else add_quad(false, q, first_row + lane_r, first_row + rows, lanes_r, first, end);
    }
    s_n[lane] = n;
    s_mean[lane] = mean;
    s_m2[lane] = m2;
    barrier();
    for (uint step = LANES / 2u; step > 0u; step /= 2u) {
        if (lane < step) {
            merge(s_n[lane + step], s_mean[lane + step], s_m2[lane + step]);
            s_n[lane] = n;
            s_mean[lane] = mean;
            s_m2[lane] = m2;
        }
        barrier();
    }
    n = s_n[0];
    mean = s_mean[0];
    m2 = s_m2[0];
    barrier(); // before the next use
}
