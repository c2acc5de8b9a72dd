// SPDX-License-Identifier: MIT
// What matrix products by tiles in shared memory share.
#include "gemm.pc.h"

// Returns the batch of x and of w for batch b of the output.
uint x_batch(uint b) { return w_share == 0u ? 0u : b; }
uint w_batch(uint b) { return w_share == 0u ? b : b / max(w_share, 1u) % w_batches; }
