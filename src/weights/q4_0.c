// SPDX-License-Identifier: MIT
// Weights of 4 bits, as ggml's q4_0: 32 inputs of an output share a factor.
#include "weights/coded.h"

FUM_CODED_PACKING(q4_0, 32, 5, NULL, {.low_bits = 4, .zero = 8});
