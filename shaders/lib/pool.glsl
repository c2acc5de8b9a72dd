// SPDX-License-Identifier: MIT
// Windows of a pool. Include pool.pc.h first.
struct pool_window {
    int top, bottom, left, right; // the part inside the image, the ends excluded
    float divisor;
};
pool_window window_of(int oy, int ox) {
    int y = oy * stride - pad, x = ox * stride - pad;
    pool_window w;
    w.top = max(y, 0);
    w.left = max(x, 0);
    w.bottom = min(y + kernel, int(in_h));
    w.right = min(x + kernel, int(in_w));
    w.divisor = float(counts_pad != 0u ? kernel * kernel : (w.bottom - w.top) * (w.right - w.left));
    return w;
}

// The first and last output along one direction whose window may hold the pixel.
int first_window(int at) { return max(at + pad - kernel + stride, 0) / stride; }
int last_window(int at, uint count) { return min((at + pad) / stride, int(count) - 1); }
