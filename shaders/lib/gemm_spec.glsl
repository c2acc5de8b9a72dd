// SPDX-License-Identifier: MIT
// Specialisation constants that all kernels of matmul and conv2d take.
layout(constant_id = 3) const uint ROWS = 8;
layout(constant_id = 4) const uint COLS = 2;
layout(constant_id = 5) const uint LANES_N = 8;
layout(constant_id = 6) const uint ACT = 0;
layout(constant_id = 7) const uint EPILOGUE = 0; // sum of 1 bias, 2 row, 4 residual; 8: what the push constant says
layout(constant_id = 8) const uint K_TAIL = 0;   // 1: k is not a multiple of 4
// Sizes are push constants, so that a driver compiles one kernel for all shapes of a kind. On CPU drivers a compilation
// takes longer than many a dispatch.
