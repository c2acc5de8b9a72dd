// SPDX-License-Identifier: MIT
// Weights of linear layers in panels of columns: [out, in] in files, [panels, in, PANEL] packed.
// What a kernel reads for a block of columns lies together, so that the processor fetches it ahead.
#include "base/dtype.h"
#include "base/macros.h"
#include "weights/transpose.h"

enum { PANEL = FUM_PACK_PANEL, RUN = FUM_PACK_RUN, STRIDE = FUM_PACK_STRIDE };

static struct fum_view file_view(const struct fum_shape *shape) {
    const int64_t *d = shape->dim;
    if (shape->rank != 3 || d[2] != PANEL) return (struct fum_view){0};
    return (struct fum_view){.rank = 2, .dim = {d[0] * PANEL, d[1]}};
}

#define SCATTER(element)                                                      \
    for (int64_t e = 0; e < count; e++) {                                     \
        element *packed = (element *)to->data + (row + e) * to->row_elements; \
        const element *at = (const element *)values + e;                      \
        for (int64_t c = 0; c < PANEL; c++) packed[c] = at[c * STRIDE];       \
    }

// Packs `count` rows of a panel, from input `first` and row `row` of the target on.
static void pack_run(const struct fum_pack_job *job, int64_t panel, int64_t first, int64_t count,
                     int64_t row) {
    uint32_t values[PANEL * STRIDE];
    const struct fum_pack_target *to = &job->to;
    size_t size = fum_dtype_size(to->type);
    int64_t inputs = job->shape->dim[1];
    for (int64_t c = 0; c < PANEL; c++)
        fum_pack_convert((uint8_t *)values + (size_t)(c * STRIDE) * size, to->type, job->view,
                         (panel * PANEL + c) * inputs + first, count);
    if (size == 4) {
        SCATTER(uint32_t)
    } else {
        SCATTER(uint16_t)
    }
}

static void pack_rows(const struct fum_pack_job *job) {
    int64_t inputs = job->shape->dim[1], count;
    for (int64_t row = 0; row < job->to.count; row += count) {
        int64_t at = job->to.first + row, first = at % inputs;
        count = FUM_MIN(FUM_MIN(inputs - first, RUN), job->to.count - row);
        pack_run(job, at / inputs, first, count, row);
    }
}

const struct fum_packing fum_packing_panels = {
    .name = "panels",
    .file_view = file_view,
    .whole = true,
    .rows = pack_rows,
};
