// SPDX-License-Identifier: MIT
// The mean and the variance of each channel over all rows of x [.., channels]: f32 [2, channels],
// the statistics of a batch norm. "unbiased" 1 divides the variance by one less than the rows, as
// running statistics do.
#include "graph/gradient.h"
#include "ops/lib/emit.h"
#include "shaders/batch_stats.pc.h"

enum { MOST_CHUNKS = 64, LEAST_ROWS = 32 }; // chunks of rows, and rows of each
static const struct fum_attr_def attrs[] = {{"unbiased", 0}, {0}};

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    int64_t rows = fum_shape_rows(&call->in[0].shape);
    if (!fum_is_storage(call->in[0].dtype)) return fum_refuse(why, "x must be f32, f16 or bf16");
    if (rows < 1 || (call->attr[0] != 0 && rows < 2))
        return fum_refuse(why, "x has too few rows for a variance");
    call->out = (struct fum_desc){{2, {2, fum_shape_channels(&call->in[0].shape)}}, FUM_F32};
    return true;
}

// Returns what a sum of squared differences is divided by.
static double divisor_of(const struct fum_shape *x, bool unbiased) {
    return (double)(fum_shape_rows(x) - (unbiased ? 1 : 0));
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    const struct fum_shape *x = &call->in[0].shape;
    int64_t rows = fum_shape_rows(x), channels = fum_shape_channels(x);
    for (int64_t c = 0; c < channels; c++) {
        double mean = 0, m2 = 0;
        for (int64_t r = 0; r < rows; r++) mean += in[0][r * channels + c] / (double)rows;
        for (int64_t r = 0; r < rows; r++) {
            double off = in[0][r * channels + c] - mean;
            m2 += off * off;
        }
        out[c] = mean;
        out[channels + c] = m2 / divisor_of(x, call->attr[0] != 0);
    }
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    const struct fum_shape *x = &call->in[0].shape;
    uint64_t quads = (uint64_t)fum_shape_row_quads(x), rows = (uint64_t)fum_shape_rows(x);
    uint64_t chunks = FUM_MIN(FUM_DIV_UP(rows, LEAST_ROWS), MOST_CHUNKS);
    struct fum_batch_stats_push push = {.quads = (uint32_t)quads,
                                        .rows = (uint32_t)rows,
                                        .chunks = (uint32_t)chunks,
                                        .divisor = (float)divisor_of(x, call->attr[0] != 0)};
    if (!quads) return true;
    list->scratch_bytes = chunks * quads * 2 * 16;
    for (uint32_t last = 0; last < 2; last++) {
        struct fum_dispatch *d =
            fum_emit(list, "batch_stats", call->in[0].dtype, last ? quads : quads * chunks);
        if (!d || !fum_emit_whole(list, d, 0, &call->in[0])) return false;
        fum_emit_spec(d, last);
        const struct fum_dispatch_bind partial = fum_bind_scratch(0, list->scratch_bytes, !last);
        fum_emit_bind(d, partial);
        if (last)
            fum_emit_operand(d, FUM_OUT);
        else
            fum_emit_bind(d, partial); // not used
        FUM_EMIT_PUSH(d, push);
    }
    return true;
}

// Adds dx = dmean / rows + 2 (x - mean) dvariance / divisor, in f32.
static bool gradient(struct fum_gradient *g) {
    const struct fum_shape *shape = &g->node->in[0]->desc.shape;
    fum_tensor *x = fum_gradient_cast(g, g->node->in[0], FUM_F32);
    fum_tensor *mean = fum_gradient_part(g, fum_gradient_output(g), 0, 1);
    fum_tensor *off = fum_gradient_pair(g, "sub", x, mean);
    fum_tensor *by_mean = fum_gradient_scale(g, fum_gradient_part(g, g->dout, 0, 1),
                                             1 / (double)fum_shape_rows(shape));
    fum_tensor *by_variance = fum_gradient_scale(g, fum_gradient_part(g, g->dout, 1, 1),
                                                 2 / divisor_of(shape, g->node->attr[0] != 0));
    fum_tensor *slope = fum_gradient_pair(g, "mul", off, by_variance);
    g->grad[0] = fum_gradient_pair(g, "add", slope, by_mean);
    return true;
}

static double flops(const struct fum_op_call *call) {
    return 4 * (double)fum_shape_count(&call->in[0].shape);
}

const struct fum_op fum_op_batch_stats = {
    .name = "batch_stats",
    .attrs = attrs,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
    .gradient = gradient,
    .flops = flops,
};
