// SPDX-License-Identifier: MIT
// Weights of 5 bits, as ggml's q5_K: 256 inputs of an output are eight groups with scales and
// minimums.
#include "weights/coded.h"

FUM_CODED_PACKING(q5_K, 256, 46, &fum_packing_q8_0,
                  {.low_bits = 4, .high_bits = 1, .minimums = true});
