// SPDX-License-Identifier: MIT
// A tensor's shape and type, and where its elements lie in memory.
//
// Layout, for every tensor of every type: dense rows of the innermost dimension, each row padded to
// a multiple of four elements. So every load and store of a kernel is a whole vec4, and a row
// starts on one. The padding is undefined: no kernel may let it reach a result. Kernels index in
// units of four elements ("quads"), which keeps every index of a binding of up to 4 GiB within 32
// bits.
#ifndef FUM_BASE_DESC_H
#define FUM_BASE_DESC_H

#include <fumarole/tensor.h>

#include "base/macros.h"

struct fum_desc {
    struct fum_shape shape;
    enum fum_dtype dtype;
};

// Helpers on shapes; inline because every op file uses them.
static inline int64_t fum_shape_count(const struct fum_shape *s) { // elements, without padding
    int64_t n = 1;
    for (int i = 0; i < s->rank; i++) n *= s->dim[i];
    return n;
}
static inline int64_t fum_shape_channels(const struct fum_shape *s) { // the innermost dimension
    return s->dim[s->rank - 1];
}
static inline int64_t fum_shape_rows(const struct fum_shape *s) { // product of all the others
    int64_t n = 1;
    for (int i = 0; i + 1 < s->rank; i++) n *= s->dim[i];
    return n;
}
// Returns the quads from one row to the next.
static inline int64_t fum_shape_row_quads(const struct fum_shape *s) {
    return FUM_DIV_UP(fum_shape_channels(s), 4);
}
// Compares rank and dimensions: memcmp would see padding.
static inline bool fum_shape_same(const struct fum_shape *a, const struct fum_shape *b) {
    bool same = a->rank == b->rank;
    for (int i = 0; same && i < a->rank; i++) same = a->dim[i] == b->dim[i];
    return same;
}
static inline uint64_t fum_desc_row_bytes(const struct fum_desc *d) {
    return (uint64_t)fum_shape_row_quads(&d->shape) * 4 * fum_dtype_size(d->dtype);
}
static inline uint64_t fum_desc_bytes(const struct fum_desc *d) { // with padding
    return (uint64_t)fum_shape_rows(&d->shape) * fum_desc_row_bytes(d);
}

#endif
