// SPDX-License-Identifier: MIT
// Weights in panels of columns. Those of linear layers are [out, in] in files and [panels, in,
// PANEL] packed. Square kernels of convolutions are [out, in, side, side] in files. Packed they are
// [side, side * panels, in, PANEL]: one tap after the other, each in panels. What a kernel reads
// for a block of columns lies together, so that the processor fetches it ahead.
#include "base/dtype.h"
#include "base/macros.h"
#include "weights/transpose.h"

enum { PANEL = FUM_PACK_PANEL, RUN = FUM_PACK_RUN, STRIDE = FUM_PACK_STRIDE };

static struct fum_view file_view(const struct fum_shape *shape) {
    const int64_t *d = shape->dim;
    if (shape->rank != 3 || d[2] != PANEL) return (struct fum_view){0};
    return (struct fum_view){.rank = 2, .dim = {d[0] * PANEL, d[1]}};
}

static struct fum_view conv_file_view(const struct fum_shape *shape) {
    const int64_t *d = shape->dim;
    if (shape->rank != 4 || d[3] != PANEL || d[0] < 1 || d[0] > FUM_PACK_MOST_SIDE ||
        d[1] % d[0] != 0)
        return (struct fum_view){0};
    return (struct fum_view){.rank = 4, .dim = {d[1] / d[0] * PANEL, d[2], d[0], d[0]}};
}

// Input channels [from, from + count) of a panel, with all their taps.
struct run {
    int64_t taps, panels, inputs;
    int64_t panel, from, count;
};

// Returns the packed row of a tap of the run's first channel, counted from the target's first.
static int64_t first_row(const struct run *r, int64_t tap, const struct fum_pack_target *to) {
    return (tap * r->panels + r->panel) * r->inputs + r->from - to->first;
}

static bool is_wanted(const struct run *r, const struct fum_pack_target *to) {
    for (int64_t tap = 0; tap < r->taps; tap++) {
        int64_t row = first_row(r, tap, to);
        if (row < to->count && row + r->count > 0) return true;
    }
    return false;
}

#define SCATTER(element)                                                \
    for (int64_t e = 0; e < r->count * r->taps; e++) {                  \
        int64_t row = first_row(r, e % r->taps, to) + e / r->taps;      \
        if (row < 0 || row >= to->count) continue;                      \
        element *packed = (element *)to->data + row * to->row_elements; \
        const element *at = (const element *)values + e;                \
        for (int64_t c = 0; c < PANEL; c++) packed[c] = at[c * STRIDE]; \
    }

static void pack_run(const struct fum_pack_job *job, const struct run *r) {
    uint32_t values[PANEL * STRIDE];
    const struct fum_pack_target *to = &job->to;
    size_t size = fum_dtype_size(to->type);
    for (int64_t c = 0; c < PANEL; c++)
        fum_pack_convert((uint8_t *)values + (size_t)(c * STRIDE) * size, to->type, job->view,
                         ((r->panel * PANEL + c) * r->inputs + r->from) * r->taps,
                         r->count * r->taps);
    if (size == 4) {
        SCATTER(uint32_t)
    } else {
        SCATTER(uint16_t)
    }
}

static void pack_rows(const struct fum_pack_job *job) {
    const struct fum_shape *shape = job->shape;
    int64_t side = shape->rank == 4 ? shape->dim[0] : 1;
    struct run r = {.taps = side * side,
                    .panels = shape->dim[shape->rank - 3] / side,
                    .inputs = shape->dim[shape->rank - 2]};
    for (; r.panel < r.panels; r.panel++) {
        for (r.from = 0; r.from < r.inputs; r.from += r.count) {
            r.count = FUM_MIN(r.inputs - r.from, RUN / r.taps);
            if (is_wanted(&r, &job->to)) pack_run(job, &r);
        }
    }
}

const struct fum_packing fum_packing_panels = {
    .name = "panels",
    .file_view = file_view,
    .whole = true,
    .rows = pack_rows,
};

const struct fum_packing fum_packing_conv_panels = {
    .name = "conv_panels",
    .file_view = conv_file_view,
    .whole = true,
    .rows = pack_rows,
};
