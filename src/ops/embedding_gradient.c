// SPDX-License-Identifier: MIT
// The gradient of embedding by its table of `rows` rows: ids [..] and dy [.., C] give [rows, C]. An
// id outside the table counts for the nearest row, as embedding reads it.
#include "ops/lib/emit.h"
#include "shaders/embedding_gradient.pc.h"

#include <string.h>

static const struct fum_attr_def attrs[] = {{"rows", 1}, {0}};

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    const struct fum_desc *ids = &call->in[0], *dy = &call->in[1];
    int64_t rows;
    if (!fum_attr_int(call->attr[0], (struct fum_attr_range){"rows", 1, INT32_MAX}, &rows, why))
        return false;
    if (ids->dtype != FUM_I32 || !fum_is_storage(dy->dtype) ||
        dy->shape.rank != ids->shape.rank + 1 ||
        fum_shape_rows(&dy->shape) != fum_shape_count(&ids->shape))
        return fum_refuse(why, "ids must be i32 and dy have one row for each of them");
    call->out.dtype = dy->dtype;
    call->out.shape = (struct fum_shape){2, {rows, fum_shape_channels(&dy->shape)}};
    return true;
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    int64_t channels = fum_shape_channels(&call->out.shape), last = call->out.shape.dim[0] - 1;
    memset(out, 0, (size_t)fum_shape_count(&call->out.shape) * sizeof *out);
    for (int64_t i = 0; i < fum_shape_count(&call->in[0].shape); i++) {
        int64_t row = fum_clamp_i64((int64_t)in[0][i], 0, last);
        for (int64_t c = 0; c < channels; c++) out[row * channels + c] += in[1][i * channels + c];
    }
}

// How a kernel fills a window of the table: see the shader.
enum pass { EACH_ROW, CLEAR, EACH_ID };

static bool emit_pass(const struct fum_op_call *call, struct fum_dispatches *list,
                      const struct fum_rows *window, enum pass pass) {
    const struct fum_desc *ids = &call->in[0], *dy = &call->in[1];
    uint32_t row_quads = (uint32_t)fum_shape_row_quads(&call->out.shape);
    struct fum_embedding_gradient_push push = {
        .quads = (uint32_t)window->count * row_quads,
        .row_quads = row_quads,
        .count = (uint32_t)fum_shape_count(&ids->shape),
        .tokens = (uint32_t)fum_shape_channels(&ids->shape),
        .ids_row = (uint32_t)fum_shape_row_quads(&ids->shape) * 4,
        .last = (int32_t)(call->out.shape.dim[0] - 1),
        .first = (int32_t)window->first,
    };
    uint64_t items = pass == EACH_ID ? (uint64_t)push.count * row_quads : push.quads;
    struct fum_dispatch *d = fum_emit(list, "embedding_gradient", call->out.dtype, items);
    if (!d || !fum_emit_input(list, d, 0, ids) || !fum_emit_input(list, d, 1, dy)) return false;
    fum_emit_spec(d, pass);
    push.skip = fum_emit_rows(list, d, FUM_OUT, *window);
    FUM_EMIT_PUSH(d, push);
    return true;
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    const struct fum_desc *out = &call->out;
    int64_t ids = fum_shape_count(&call->in[0].shape);
    if (!fum_shape_count(&out->shape)) return true;
    int64_t rows = out->shape.dim[0], most = fum_rows_per_binding(list->info, out);
    if (most == 0) return fum_refuse_size(&list->why, list->info, "one row of the table");
    most = FUM_MIN(most, rows);
    for (int64_t first = 0; first < rows; first += most) {
        const struct fum_rows window = {out, first, FUM_MIN(most, rows - first)};
        bool by_id = ids < rows; // the vocabulary of a text encoder beside a prompt
        if (!emit_pass(call, list, &window, by_id ? CLEAR : EACH_ROW)) return false;
        if (by_id && ids && !emit_pass(call, list, &window, EACH_ID)) return false;
    }
    return true;
}

const struct fum_op fum_op_embedding_gradient = {
    .name = "embedding_gradient",
    .attrs = attrs,
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
};
