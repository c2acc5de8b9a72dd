// SPDX-License-Identifier: MIT
// Push constants of group_norm_stats.comp.
#include "lib/push.h"

PUSH_CONSTANTS(fum_group_norm_stats_push) {
    uint quads; // of a row
    uint chunk_rows;
    uint rows;         // of a batch
    uint last_row;     // one past the last row of this dispatch
    uint chunks;       // of this dispatch and one batch
    uint first_chunk;  // of this dispatch
    uint batch_chunks; // of a whole batch
    uint batches, first_batch;
    uint x_skip; // where row first_chunk * chunk_rows of the first batch lies
};
