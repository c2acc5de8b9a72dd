// SPDX-License-Identifier: MIT
// The largest element of a row of x, and the sum of e^(x - largest). Declare x and the push constants first.
uint class_quads() { return (classes + 3u) / 4u; }

float row_top(uint row) {
    vec4 top = vec4(-3.4e38);
    for (uint c = 0u; c < class_quads(); c++)
        top = max(top, quad_mask(quad_load(x[row * class_quads() + c]), c, classes, -3.4e38));
    return max(max(top.x, top.y), max(top.z, top.w));
}

float row_sum(uint row, float top) {
    vec4 sum = vec4(0.0);
    for (uint c = 0u; c < class_quads(); c++)
        sum += quad_mask(exp4(quad_load(x[row * class_quads() + c]) - top), c, classes, 0.0);
    return sum.x + sum.y + sum.z + sum.w;
}
