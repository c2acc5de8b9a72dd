// SPDX-License-Identifier: MIT
// Push constants of kernels that give each row of x an integer: top_class and nearest_row.
#include "lib/push.h"

PUSH_CONSTANTS(fum_row_index_push) {
    uint rows, channels; // of x
    uint y_channels;     // of y, which has an element for each row of x
    uint table_rows;     // of nearest_row
};
