// SPDX-License-Identifier: MIT
// Computes the mean and sum of squared differences of every channel, for a norm over a picture of
// which only a part is at hand. x is [.., channels]. range is i32 [2]: the first row and the number
// of rows, with x as rows of channels. The range's rows are cut into `chunks` chunks of equal
// length (the last ones may be shorter or empty). The result is f32 [chunks, 2, channels].
#include "base/macros.h"
#include "ops/lib/emit.h"
#include "ops/lib/unary.h"
#include "shaders/channel_stats.pc.h"

static const struct fum_attr_def attrs[] = {{"chunks", 1}, {0}};

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    const struct fum_desc *range = &call->in[1];
    int64_t chunks;
    if (!fum_attr_int(call->attr[0], (struct fum_attr_range){"chunks", 1, 1 << 20}, &chunks, why))
        return false;
    if (!fum_is_storage(call->in[0].dtype)) return fum_refuse(why, "x must be f32, f16 or bf16");
    if (range->dtype != FUM_I32 || range->shape.rank != 1 || range->shape.dim[0] != 2)
        return fum_refuse(why, "the range must be i32 [2]");
    call->out =
        (struct fum_desc){{3, {chunks, 2, fum_shape_channels(&call->in[0].shape)}}, FUM_F32};
    return true;
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    int64_t channels = fum_shape_channels(&call->out.shape), chunks = call->out.shape.dim[0];
    int64_t rows = fum_shape_rows(&call->in[0].shape), begin = (int64_t)in[1][0],
            total = (int64_t)in[1][1];
    begin = fum_clamp_i64(begin, 0, rows);
    total = fum_clamp_i64(total, 0, rows - begin);
    int64_t each = FUM_DIV_UP(total, chunks);
    for (int64_t k = 0; k < chunks; k++) {
        int64_t first = k * each < total ? k * each : total,
                count = each < total - first ? each : total - first;
        for (int64_t c = 0; c < channels; c++) {
            const double *x = in[0] + (begin + first) * channels + c;
            double mean = 0, m2 = 0;
            for (int64_t r = 0; r < count; r++) mean += x[r * channels] / (double)count;
            for (int64_t r = 0; r < count; r++)
                m2 += (x[r * channels] - mean) * (x[r * channels] - mean);
            out[(2 * k) * channels + c] = mean;
            out[(2 * k + 1) * channels + c] = m2;
        }
    }
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    int64_t quads = fum_shape_row_quads(&call->out.shape), chunks = call->out.shape.dim[0];
    if (fum_shape_count(&call->out.shape) == 0) return true;
    struct fum_dispatch *d =
        fum_emit(list, "channel_stats", call->in[0].dtype, (uint64_t)(chunks * quads));
    if (!d || !fum_emit_whole(list, d, 0, &call->in[0]) ||
        !fum_emit_whole(list, d, 1, &call->in[1]) || !fum_emit_whole(list, d, FUM_OUT, &call->out))
        return false;
    const struct fum_channel_stats_push push = {.quads = (uint32_t)quads,
                                                .rows =
                                                    (uint32_t)fum_shape_rows(&call->in[0].shape),
                                                .chunks = (uint32_t)chunks};
    FUM_EMIT_PUSH(d, push);
    return true;
}

const struct fum_op fum_op_channel_stats = {
    .name = "channel_stats",
    .attrs = attrs,
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
};
