// SPDX-License-Identifier: MIT
// From a file's order of a weight to the kernels' (enum fum_pack), by ranges of rows.
#ifndef FUM_WEIGHTS_PACK_H
#define FUM_WEIGHTS_PACK_H

#include "base/view.h"
#include "weights/weight.h"

// Whether the file's tensor is this weight: element count and dimensions by `pack`. On failure
// `why` says what was wanted and found.
bool fum_pack_check(const struct fum_view *view, enum fum_pack pack, const struct fum_shape *shape,
                    char *why, size_t why_size);

// Writes rows [first, first + count) of the packed weight: each row `row_elements` apart in dst
// (padding is zeroed), elements of type dst_type. The view's bytes are in memory.
void fum_pack_rows(const struct fum_view *view, enum fum_pack pack, const struct fum_shape *shape,
                   int64_t first, int64_t count, void *dst, enum fum_dtype dst_type,
                   int64_t row_elements);

// Destination of a packed weight, laid out as fum_pack_rows does.
struct fum_pack_target {
    void *data;
    enum fum_dtype type;
    int64_t row_elements;
};
// Writes all rows of the weight. A view that is still in its file is read in chunks.
enum fum_result fum_pack_tensor(const struct fum_view *view, enum fum_pack pack,
                                const struct fum_shape *shape, const struct fum_pack_target *to,
                                struct fum_error *err);

#endif
