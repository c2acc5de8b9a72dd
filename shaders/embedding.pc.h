// SPDX-License-Identifier: MIT
// Push constants of embedding.comp.
#include "lib/push.h"

PUSH_CONSTANTS(fum_embedding_push) {
    uint quads, row_quads; // of y
    uint tokens, ids_row;  // ids per row and their padded count
    int last;              // the table's last row
    int first, count;      // rows in this window
    uint skip;
};
