// SPDX-License-Identifier: MIT
// The layout of weights of 8 bits, as ggml's q8_0.
//
// A linear weight is [out, in] in files, in a multiple of 32. Each 32 inputs of an output are
// integers of 8 bits times one factor, d = max |x| / 127 rounded to f16. The packed weight is
// [in / 32 * 9, out], of 32-bit words that pass for f32. Rows 9b to 9b + 7 hold four
// integers a word: those of inputs 32b + 4r to 32b + 4r + 3 from the low byte up. Row 9b + 8 holds
// the factors as f32. A convolution, [out, in, height, width] in files with up to nine taps, is
// [height, width, in / 32 * 9, out]: the same for each tap.
#ifndef FUM_WEIGHTS_Q8_H
#define FUM_WEIGHTS_Q8_H

// Inputs of a block, rows that hold it, and the most taps of a convolution's kernel.
enum { FUM_Q8_BLOCK = 32, FUM_Q8_ROWS = FUM_Q8_BLOCK / 4 + 1, FUM_Q8_MAX_TAPS = 9 };

#endif
