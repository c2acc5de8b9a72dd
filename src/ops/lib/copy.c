// SPDX-License-Identifier: MIT
#include "ops/lib/copy.h"

#include "base/macros.h"
#include "ops/lib/emit.h"

#include <string.h>

// One dispatch; windows of all rows, or of one piece of one run.
static bool emit(struct fum_dispatches *list, const struct fum_copy *c, int64_t first_run,
                 int64_t runs, int64_t first, int64_t count) {
    int64_t first_quad = c->dst_channel / 4, end_quad = FUM_DIV_UP(c->dst_channel + c->channels, 4);
    int64_t row_items = end_quad - first_quad;
    int64_t src_row = c->src_row + first_run * c->src_step + first;
    int64_t dst_row = c->dst_row + first_run * c->dst_step + first;
    int64_t src_span = (runs - 1) * c->src_step + count,
            dst_span = (runs - 1) * c->dst_step + count;
    uint32_t src_rq = (uint32_t)fum_shape_row_quads(&c->src.shape);
    uint32_t dst_rq = (uint32_t)fum_shape_row_quads(&c->dst.shape);

    struct fum_dispatch *d =
        fum_emit(list, "copy", fum_raw_variant(c->dst.dtype), (uint64_t)(runs * count * row_items));
    if (!d) return false;
    fum_emit_spec(d, c->src_channel % 4 == 0 && c->dst_channel % 4 == 0);
    uint32_t src_base = fum_emit_bind_rows(list, d, c->operand, false, &c->src, src_row, src_span);
    uint32_t dst_base = fum_emit_bind_rows(list, d, FUM_OUT, true, &c->dst, dst_row, dst_span);
    fum_emit_push(d, (uint32_t)(runs * count * row_items));
    fum_emit_push(d, (uint32_t)row_items);
    fum_emit_push(d, (uint32_t)count);
    fum_emit_push(d, src_base);
    fum_emit_push(d, (uint32_t)c->src_step * src_rq);
    fum_emit_push(d, src_rq);
    fum_emit_push(d, dst_base);
    fum_emit_push(d, (uint32_t)c->dst_step * dst_rq);
    fum_emit_push(d, dst_rq);
    fum_emit_push(d, (uint32_t)c->src_channel);
    fum_emit_push(d, (uint32_t)c->dst_channel);
    fum_emit_push(d, (uint32_t)c->channels);
    return true;
}

bool fum_copy_emit(struct fum_dispatches *list, const struct fum_copy *c) {
    if (!c->runs || !c->run || !c->channels) return true;
    int64_t src_rows = fum_rows_per_binding(list->info, &c->src),
            dst_rows = fum_rows_per_binding(list->info, &c->dst);
    int64_t most = src_rows < dst_rows ? src_rows : dst_rows;
    if (most == 0) return fum_refuse(&list->why, "one row is larger than the device's binding");
    if (most == INT64_MAX) return emit(list, c, 0, c->runs, 0, c->run);
    for (int64_t run = 0; run < c->runs; run++)
        for (int64_t first = 0; first < c->run; first += most) {
            int64_t count = c->run - first < most ? c->run - first : most;
            if (!emit(list, c, run, 1, first, count)) return false;
        }
    return true;
}

void fum_copy_reference(const struct fum_copy *c, const double *src, double *dst) {
    int64_t src_channels = fum_shape_channels(&c->src.shape),
            dst_channels = fum_shape_channels(&c->dst.shape);
    for (int64_t run = 0; run < c->runs; run++)
        for (int64_t r = 0; r < c->run; r++)
            memcpy(dst + (c->dst_row + run * c->dst_step + r) * dst_channels + c->dst_channel,
                   src + (c->src_row + run * c->src_step + r) * src_channels + c->src_channel,
                   (size_t)c->channels * sizeof *dst);
}

bool fum_axis(const struct fum_shape *shape, double attr, int *axis, struct fum_why *why) {
    int64_t value;
    if (!fum_attr_int(attr, "axis", -shape->rank, shape->rank - 1, &value, why)) return false;
    *axis = (int)(value < 0 ? value + shape->rank : value);
    return true;
}

void fum_axis_rows(const struct fum_shape *shape, int axis, int64_t *outer, int64_t *inner_rows) {
    *outer = *inner_rows = 1;
    for (int i = 0; i < axis; i++) *outer *= shape->dim[i];
    for (int i = axis + 1; i + 1 < shape->rank; i++) *inner_rows *= shape->dim[i];
}
