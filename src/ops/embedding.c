// SPDX-License-Identifier: MIT
// Rows of a table by number: ids [B, T] or [T] and table [V, C] give [..., C]. An id outside the
// table takes the nearest row, so that no id can read past it.
#include "graph/gradient.h"
#include "ops/lib/emit.h"
#include "shaders/embedding.pc.h"

#include <string.h>

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    const struct fum_desc *ids = &call->in[0], *table = &call->in[1];
    char text[96];
    if (ids->dtype != FUM_I32 || ids->shape.rank >= FUM_MAX_DIMS)
        return fum_refuse(why, "ids are %s %s; expected i32 of at most %d dimensions",
                          fum_dtype_name(ids->dtype),
                          fum_shape_text(&ids->shape, text, sizeof text), FUM_MAX_DIMS - 1);
    if (table->shape.rank != 2 || table->shape.dim[0] < 1 || table->shape.dim[0] > INT32_MAX)
        return fum_refuse(why, "the table is %s; expected [rows, channels]",
                          fum_shape_text(&table->shape, text, sizeof text));
    call->out = *ids;
    call->out.dtype = table->dtype;
    call->out.shape.dim[call->out.shape.rank++] = table->shape.dim[1];
    return true;
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    int64_t channels = fum_shape_channels(&call->out.shape), last = call->in[1].shape.dim[0] - 1;
    for (int64_t i = 0; i < fum_shape_count(&call->in[0].shape); i++) {
        int64_t row = (int64_t)in[0][i];
        row = fum_clamp_i64(row, 0, last);
        memcpy(out + i * channels, in[1] + row * channels, (size_t)channels * sizeof *out);
    }
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    const struct fum_desc *ids = &call->in[0], *table = &call->in[1], *out = &call->out;
    if (!fum_shape_count(&out->shape)) return true;
    int64_t rows = table->shape.dim[0], most = fum_rows_per_binding(list->info, table);
    if (most == 0) return fum_refuse_size(&list->why, list->info, "one row of the table");
    uint64_t quads = fum_desc_quads(out);
    most = FUM_MIN(most, rows);
    for (int64_t first = 0; first < rows; first += most) {
        const struct fum_rows window = {table, first, FUM_MIN(most, rows - first)};
        struct fum_embedding_push push = {
            .quads = (uint32_t)quads,
            .row_quads = (uint32_t)fum_shape_row_quads(&out->shape),
            .tokens = (uint32_t)fum_shape_channels(&ids->shape),
            .ids_row = (uint32_t)fum_shape_row_quads(&ids->shape) * 4,
            .last = (int32_t)(rows - 1),
            .first = (int32_t)window.first,
            .count = (int32_t)window.count,
        };
        struct fum_dispatch *d = fum_emit(list, "embedding", fum_raw_variant(table->dtype), quads);
        if (!d || !fum_emit_whole(list, d, 0, ids)) return false;
        push.skip = fum_emit_rows(list, d, 1, window);
        if (!fum_emit_whole(list, d, FUM_OUT, out)) return false;
        FUM_EMIT_PUSH(d, push);
    }
    return true;
}

static bool gradient(struct fum_gradient *g) {
    const fum_tensor *table = g->node->in[1];
    const struct fum_attr rows[] = {{"rows", (double)table->desc.shape.dim[0]}, {0}};
    if (g->needed[0]) return fum_refuse(&g->why, "ids have no gradient");
    g->grad[1] =
        fum_gradient_add(g, "embedding_gradient", FUM_INPUTS(g->node->in[0], g->dout), rows);
    return true;
}

const struct fum_op fum_op_embedding = {
    .name = "embedding",
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
    .gradient = gradient,
};
