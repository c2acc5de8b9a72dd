// SPDX-License-Identifier: MIT
// Computes the gradient of conv2d by its image, which is also a transposed convolution. Declare dy, w and the push
// constants of conv2d_gradient.pc.h first.

// Finds the output that reads a line or column by a tap. Returns false if none does.
bool find_output(uint at, uint tap, uint count, out uint o) {
    int from = int(at) + pad - int(tap);
    o = uint(from / stride);
    return from >= 0 && from % stride == 0 && o < count;
}

// Returns quad i of the image: for each channel the sum of w dy over taps and output channels.
vec4 image_quad(uint i) {
    uint in_quads = (in_c + 3u) / 4u, out_quads = (out_c + 3u) / 4u;
    uint q = i % in_quads, pixel = i / in_quads, image = pixel / in_w / in_h;
    vec4 sum = vec4(0.0);
    for (uint tap = 0u; tap < kernel_h * kernel_w; tap++) {
        uint oy, ox;
        bool there = find_output(pixel / in_w % in_h, tap / kernel_w, out_h, oy);
        if (!find_output(pixel % in_w, tap % kernel_w, out_w, ox) || !there) continue;
        uint from = ((image * out_h + oy) * out_w + ox) * out_quads;
        for (uint k = 0u; k < out_quads; k++) {
            vec4 d = quad_mask(quad_load(dy[from + k]), k, out_c, 0.0);
            for (uint j = 0u; j < 4u; j++) {
                uint row = tap * in_c + min(4u * q + j, in_c - 1u);
                sum[j] += dot(d, quad_mask(quad_load(w[row * out_quads + k]), k, out_c, 0.0));
            }
        }
    }
    return sum;
}
