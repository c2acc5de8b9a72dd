// SPDX-License-Identifier: MIT
// Splits a call over tensors of B images (batches) of U units each (rows, or rows of pixels) into
// parts that fit the device's bindings: several whole images when one fits, else ranges of units of
// one image.
#ifndef FUM_OPS_PART_H
#define FUM_OPS_PART_H

#include "graph/op.h"

struct fum_part {
    int64_t batch, batches; // images [batch, batch + batches)
    int64_t first, count;   // units [first, first + count) of each
};

// Steps to the next part; start with *part all zero. `whole` is how many images fit one part; when
// 0, `fit` (at least 1) units of an image do. False after the last part, and at once when there is
// nothing to do.
static inline bool fum_part_next(struct fum_part *part, int64_t batches, int64_t units,
                                 int64_t whole, int64_t fit) {
    bool begun = part->batches > 0;
    if (batches <= 0 || units <= 0) return false;
    if (begun && part->first + part->count < units) {
        part->first += part->count;
    } else {
        part->batch += part->batches;
        part->first = 0;
    }
    if (part->batch >= batches) return false;
    part->batches = whole < 1 ? 1 : whole < batches - part->batch ? whole : batches - part->batch;
    part->count = whole < 1 && fit < units - part->first ? fit : units - part->first;
    return true;
}

static inline int64_t fum_min_i64(int64_t a, int64_t b) {
    return a < b ? a : b;
}

// Adds a dispatch to the list; NULL when it is full.
static inline struct fum_dispatch *fum_dispatch_add(struct fum_dispatches *list) {
    return list->count < FUM_MAX_DISPATCHES ? &list->item[list->count++] : NULL;
}

// Binds rows [first, first + count) of a tensor as binding `slot`; *skip as of fum_window_rows.
static inline void fum_bind_rows(const struct fum_dispatches *list, struct fum_dispatch *d,
                                 int slot, int operand, bool write, const struct fum_desc *desc,
                                 int64_t first, int64_t count, uint32_t *skip) {
    struct fum_dispatch_bind *b = &d->bind[slot];
    b->operand = operand;
    b->write = write;
    fum_window_rows(list->info, desc, first, count, &b->offset, &b->bytes, skip);
}

#endif
