// SPDX-License-Identifier: MIT
// Push constants of device_pack.comp.
#include "lib/push.h"

PUSH_CONSTANTS(fum_device_pack_push) {
    uint rows, columns; // of the result in this dispatch
    uint row_quads;     // from one row of the result to the next
    uint first_quad;    // where in the result this dispatch starts
    uint taps, channels;
};
