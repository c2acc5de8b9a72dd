// SPDX-License-Identifier: MIT
// Push constants of copy.comp.
#include "lib/push.h"

PUSH_CONSTANTS(fum_copy_push) {
    uint items, row_items; // quads of the target to write, in all and per row
    uint run;              // rows come in runs of this many
    // Quad of the first row in its window, quads from run to run and from row to row.
    uint x_base, x_run, x_row;
    uint y_base, y_run, y_row;
    uint x_channel, y_channel, channels; // the region starts here and is so wide
};
