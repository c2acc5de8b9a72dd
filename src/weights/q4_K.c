// SPDX-License-Identifier: MIT
// Weights of 4 bits, as ggml's q4_K: 256 inputs of an output are eight groups with scales and
// minimums.
#include "weights/coded.h"

FUM_CODED_PACKING(q4_K, 256, 38, &fum_packing_q8_0, {.low_bits = 4, .minimums = true});
