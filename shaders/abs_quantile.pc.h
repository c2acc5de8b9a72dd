// SPDX-License-Identifier: MIT
// Push constants of abs_quantile.comp.
#include "lib/push.h"

PUSH_CONSTANTS(fum_abs_quantile_push) {
    uint images;
    uint count;                // elements of an image
    uint channels, row_floats; // of a row, without and with its padding
    uint rank;                 // elements below the quantile
    float fraction;            // of the way from there to the next element
};
