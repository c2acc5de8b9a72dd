// SPDX-License-Identifier: MIT
// Splits a call over tensors of B images (batches) of U units each (rows, or rows of pixels) into
// parts that fit the device's bindings. Parts are several whole images when one fits, else ranges
// of units of one image.
#ifndef FUM_OPS_PART_H
#define FUM_OPS_PART_H

#include "graph/op.h"

struct fum_part {
    int64_t batch, batches; // images [batch, batch + batches)
    int64_t first, count;   // units [first, first + count) of each
};

// What fits one part: images, or where that is 0, units of an image (at least 1).
struct fum_cut {
    int64_t whole, fit;
};

// Steps to the next part; start with *part all zero. Returns false after the last part, and at once
// when there is nothing to do.
static inline bool fum_part_next(struct fum_part *part, int64_t batches, int64_t units,
                                 struct fum_cut cut) {
    bool begun = part->batches > 0;
    if (batches <= 0 || units <= 0) return false;
    if (begun && part->first + part->count < units) {
        part->first += part->count;
    } else {
        part->batch += part->batches;
        part->first = 0;
    }
    if (part->batch >= batches) return false;
    int64_t left = units - part->first;
    part->batches = FUM_MIN(FUM_MAX(cut.whole, 1), batches - part->batch);
    part->count = cut.whole < 1 ? FUM_MIN(cut.fit, left) : left;
    return true;
}

#endif
