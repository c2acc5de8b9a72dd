// SPDX-License-Identifier: MIT
#include "ops/lib/copy.h"

#include "base/macros.h"
#include "ops/lib/texels.h"
#include "shaders/copy.pc.h"

#include <string.h>

// Rows [first, first + count) of each of the runs [first_run, first_run + runs).
struct region {
    int64_t first_run, runs, first, count;
};

static bool emit_region(struct fum_dispatches *list, const struct fum_copy *c, struct region r) {
    int64_t first_quad = c->dst_channel / 4, end_quad = FUM_DIV_UP(c->dst_channel + c->channels, 4);
    int64_t row_items = end_quad - first_quad, items = r.runs * r.count * row_items;
    const struct fum_rows src = {&c->src, c->src_row + r.first_run * c->src_step + r.first,
                                 (r.runs - 1) * c->src_step + r.count};
    const struct fum_rows dst = {&c->dst, c->dst_row + r.first_run * c->dst_step + r.first,
                                 (r.runs - 1) * c->dst_step + r.count};
    uint32_t src_quads = (uint32_t)fum_shape_row_quads(&c->src.shape);
    uint32_t dst_quads = (uint32_t)fum_shape_row_quads(&c->dst.shape);
    struct fum_dispatch *d =
        fum_emit_quads(list, "copy", fum_raw_variant(c->dst.dtype), (uint64_t)items);
    if (!d) return false;
    if (c->dst.dtype != FUM_I32) fum_read_texels(list, d, 1);
    fum_emit_spec(d, c->src_channel % 4 == 0 && c->dst_channel % 4 == 0);
    struct fum_copy_push push = {
        .items = (uint32_t)items,
        .row_items = (uint32_t)row_items,
        .run = (uint32_t)r.count,
        .x_run = (uint32_t)c->src_step * src_quads,
        .x_row = src_quads,
        .y_run = (uint32_t)c->dst_step * dst_quads,
        .y_row = dst_quads,
        .x_channel = (uint32_t)c->src_channel,
        .y_channel = (uint32_t)c->dst_channel,
        .channels = (uint32_t)c->channels,
    };
    push.x_base = fum_emit_rows(list, d, c->operand, src);
    push.y_base = fum_emit_rows(list, d, FUM_OUT, dst);
    FUM_EMIT_PUSH(d, push);
    return true;
}

bool fum_copy_emit(struct fum_dispatches *list, const struct fum_copy *c) {
    if (!c->runs || !c->run || !c->channels) return true;
    int64_t src_rows = fum_rows_per_binding(list->info, &c->src),
            dst_rows = fum_rows_per_binding(list->info, &c->dst);
    int64_t most = FUM_MIN(src_rows, dst_rows);
    if (most == 0) return fum_refuse_size(&list->why, list->info, "one row");
    if (most == INT64_MAX) return emit_region(list, c, (struct region){0, c->runs, 0, c->run});
    for (int64_t run = 0; run < c->runs; run++)
        for (int64_t first = 0; first < c->run; first += most)
            if (!emit_region(list, c,
                             (struct region){run, 1, first, FUM_MIN(most, c->run - first)}))
                return false;
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
    if (!fum_attr_int(attr, (struct fum_attr_range){"axis", -shape->rank, shape->rank - 1}, &value,
                      why))
        return false;
    *axis = (int)(value < 0 ? value + shape->rank : value);
    return true;
}

void fum_axis_rows(const struct fum_shape *shape, int axis, int64_t *outer, int64_t *inner_rows) {
    *outer = *inner_rows = 1;
    for (int i = 0; i < axis; i++) *outer *= shape->dim[i];
    for (int i = axis + 1; i + 1 < shape->rank; i++) *inner_rows *= shape->dim[i];
}

struct fum_copy fum_copy_along(const struct fum_desc *src, const struct fum_desc *dst,
                               struct fum_axis_place place) {
    int64_t src_size = src->shape.dim[place.axis], dst_size = dst->shape.dim[place.axis];
    int64_t outer, rows, count = FUM_MIN(src_size, dst_size);
    struct fum_copy c = {.src = *src, .dst = *dst};
    if (place.axis == src->shape.rank - 1) {
        c.runs = 1;
        c.run = fum_shape_rows(&src->shape);
        c.src_channel = place.src;
        c.dst_channel = place.dst;
        c.channels = count;
        return c;
    }
    fum_axis_rows(&src->shape, place.axis, &outer, &rows);
    c.runs = outer;
    c.run = count * rows;
    c.src_step = src_size * rows;
    c.dst_step = dst_size * rows;
    c.src_row = place.src * rows;
    c.dst_row = place.dst * rows;
    c.channels = fum_shape_channels(&src->shape);
    return c;
}
