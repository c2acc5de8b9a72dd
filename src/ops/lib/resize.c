// SPDX-License-Identifier: MIT
#include "ops/lib/resize.h"

#include "ops/lib/texels.h"
#include "shaders/resize.pc.h"

bool fum_resize_infer(struct fum_op_call *call, int64_t *factor, struct fum_why *why) {
    char text[96];
    if (call->in[0].shape.rank != 4)
        return fum_refuse(why, "input is %s; expected [batch, height, width, channels]",
                          fum_shape_text(&call->in[0].shape, text, sizeof text));
    if (!fum_attr_int(call->attr[0], (struct fum_attr_range){"factor", 1, 64}, factor, why))
        return false;
    call->out = call->in[0];
    call->out.shape.dim[1] *= *factor;
    call->out.shape.dim[2] *= *factor;
    return true;
}

// Adds lines [first, first + count) of the output, a line being a row of pixels of any image of the
// batch.
static bool emit_lines(const struct fum_op_call *call, bool shuffle, struct fum_dispatches *list,
                       int64_t first, int64_t count) {
    const struct fum_desc *in = &call->in[0], *out = &call->out;
    int64_t factor = (int64_t)call->attr[0], width = in->shape.dim[2],
            out_width = out->shape.dim[2];
    int64_t in_first = first / factor, in_count = (first + count - 1) / factor - in_first + 1;
    uint64_t quads = (uint64_t)(count * out_width * fum_shape_row_quads(&out->shape));
    struct fum_dispatch *d = fum_emit_quads(list, "resize", fum_raw_variant(out->dtype), quads);
    if (!d) return false;
    if (out->dtype != FUM_I32) fum_read_texels(list, d, 1);
    fum_emit_spec(d, shuffle);
    struct fum_resize_push push = {
        .quads = (uint32_t)quads,
        .factor = (uint32_t)factor,
        .width = (uint32_t)width,
        .channels = (uint32_t)fum_shape_channels(&out->shape),
        .x_row_quads = (uint32_t)fum_shape_row_quads(&in->shape),
        .first_line = (uint32_t)first,
    };
    push.x_base =
        fum_emit_rows(list, d, 0, (struct fum_rows){in, in_first * width, in_count * width}) -
        (uint32_t)(in_first * width) * push.x_row_quads;
    push.y_skip = fum_emit_rows(list, d, FUM_OUT,
                                (struct fum_rows){out, first * out_width, count * out_width});
    FUM_EMIT_PUSH(d, push);
    return true;
}

bool fum_resize_dispatch(const struct fum_op_call *call, bool shuffle,
                         struct fum_dispatches *list) {
    const struct fum_desc *in = &call->in[0], *out = &call->out;
    if (!fum_shape_count(&out->shape)) return true;
    int64_t factor = (int64_t)call->attr[0], lines = out->shape.dim[0] * out->shape.dim[1];
    int64_t in_lines = fum_rows_per_binding(list->info, in),
            out_lines = fum_rows_per_binding(list->info, out);
    // A window of `most` output lines may reach into one input line more than most / factor.
    if (in_lines < INT64_MAX) in_lines = (in_lines / in->shape.dim[2] - 1) * factor;
    if (out_lines < INT64_MAX) out_lines /= out->shape.dim[2];
    int64_t most = FUM_MIN(in_lines, out_lines);
    if (most <= 0) return fum_refuse_size(&list->why, list->info, "a pair of lines of pixels");
    most = FUM_MIN(most, lines);
    for (int64_t first = 0; first < lines; first += most)
        if (!emit_lines(call, shuffle, list, first, FUM_MIN(most, lines - first))) return false;
    return true;
}
