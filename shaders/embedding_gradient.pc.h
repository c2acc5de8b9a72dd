// SPDX-License-Identifier: MIT
// Push constants of embedding_gradient.
#include "lib/push.h"

PUSH_CONSTANTS(fum_embedding_gradient_push) {
    uint quads, row_quads;       // of the rows in this window
    uint count, tokens, ids_row; // ids in all, per row, and their padded count
    int last, first;             // the table's last row, and the window's first
    uint skip;
};
