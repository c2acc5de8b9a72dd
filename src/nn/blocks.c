// SPDX-License-Identifier: MIT
// Adds residual blocks of convolutions, resizing and the time embedding's MLP.
//
// Easy to get wrong: the time embedding passes SiLU before its projection, and is added between the
// two convolutions. A shortcut convolution exists only if the channel count changes. The
// scale is the first half of a scale_shift. It is applied as 1 + scale after the norm, before SiLU.
#include "nn/nn.h"

#include "base/alloc.h"
#include "graph/graph.h"

// Adds a block's projections for all steps: [steps, rows · channels].
static fum_tensor *time_table(struct fum_nn *nn, fum_tensor *time,
                              const struct fum_nn_time_row *r) {
    size_t mark = fum_nn_enter(nn, "%s", r->path);
    fum_tensor *table = fum_nn_linear(nn, r->layer, time, r->channels, true);
    fum_nn_leave(nn, mark);
    struct fum_shape s = fum_tensor_shape(table);
    return fum_nn_reshape(nn, NULL, table, (struct fum_shape){2, {s.dim[0], s.dim[1] * s.dim[2]}});
}

// Adds a concatenation along the channels. An op takes FUM_MAX_INPUTS, and the array of tensors is
// overwritten.
static fum_tensor *concat_all(struct fum_nn *nn, fum_tensor **in, int count) {
    while (count > 1) {
        int groups = 0;
        for (int first = 0; first < count; groups++) {
            int n = count - first < FUM_MAX_INPUTS ? count - first : FUM_MAX_INPUTS;
            fum_tensor *all = n == 1 ? in[first]
                                     : fum_graph_add(nn->graph, "concat", NULL,
                                                     (struct fum_inputs){in + first, n}, NULL);
            in[groups] = all;
            first += n;
        }
        count = groups;
    }
    return in[0];
}

// Adds the rows of a single step, [1, rows, channels], without a table of steps.
static bool single_step(struct fum_nn *nn, fum_tensor *time, struct fum_nn_time_row *rows,
                        int count) {
    int64_t batch = fum_tensor_shape(time).dim[1];
    for (int i = 0; i < count; i++) {
        size_t mark = fum_nn_enter(nn, "%s", rows[i].path);
        fum_tensor *row = fum_nn_linear(nn, rows[i].layer, time, rows[i].channels, true);
        rows[i].row =
            fum_nn_reshape(nn, NULL, row, (struct fum_shape){4, {batch, 1, 1, rows[i].channels}});
        fum_nn_leave(nn, mark);
    }
    return !count || rows[count - 1].row;
}

bool fum_nn_time_rows(struct fum_nn *nn, fum_tensor *time, fum_tensor *counter,
                      struct fum_nn_time_row *rows, int count) {
    fum_tensor *tables[FUM_NN_TIME_ROWS];
    if (!time || count > FUM_NN_TIME_ROWS) return false;
    if (!counter) return fum_tensor_shape(time).dim[0] == 1 && single_step(nn, time, rows, count);
    int64_t batch = fum_tensor_shape(time).dim[1], start = 0;
    for (int i = 0; i < count; i++)
        if (!(tables[i] = time_table(nn, time, &rows[i]))) return false;
    fum_tensor *all = count ? concat_all(nn, tables, count) : NULL;
    all = all ? fum_graph_add(nn->graph, "step_row", NULL, FUM_INPUTS(all, counter), NULL) : NULL;
    for (int i = 0; i < count; i++) {
        int64_t elements = batch * rows[i].channels;
        fum_tensor *row = fum_nn_slice(nn, NULL, all, (struct fum_nn_range){0, start, elements});
        rows[i].row =
            fum_nn_reshape(nn, NULL, row, (struct fum_shape){4, {batch, 1, 1, rows[i].channels}});
        start += elements;
    }
    return !count || rows[count - 1].row;
}

// Adds norm2(h) · (1 + scale) + shift.
static fum_tensor *scale_shift(struct fum_nn *nn, fum_tensor *h, fum_tensor *row,
                               int64_t channels) {
    fum_tensor *scale = fum_nn_scale(
        nn, NULL, fum_nn_slice(nn, NULL, row, (struct fum_nn_range){3, 0, channels}), 1, 1);
    fum_tensor *shift = fum_nn_slice(nn, NULL, row, (struct fum_nn_range){3, channels, channels});
    return fum_nn_add(nn, NULL, fum_nn_mul(nn, NULL, h, scale), shift);
}

fum_tensor *fum_nn_ada_group_norm(struct fum_nn *nn, fum_tensor *x, fum_tensor *row,
                                  const struct fum_nn_groups *groups) {
    int64_t channels = fum_nn_channels(x);
    float *ones = x ? fum_alloc((size_t)channels, sizeof *ones) : NULL,
          *zeros = fum_calloc((size_t)channels, sizeof *zeros);
    fum_tensor *gamma = NULL, *beta = NULL;
    for (int64_t i = 0; i < channels && ones; i++) ones[i] = 1;
    if (ones && zeros) {
        gamma = fum_graph_constant(nn->graph, "ones", (struct fum_shape){1, {channels}}, ones);
        beta = fum_graph_constant(nn->graph, "zeros", (struct fum_shape){1, {channels}}, zeros);
    }
    if (x && (!ones || !zeros))
        fum_graph_fail(nn->graph, FUM_ERR_NOMEM, "no memory for the factors of a norm");
    fum_free(ones);
    fum_free(zeros);
    if (!gamma || !beta) return NULL;
    const struct fum_attr attrs[] = {{"groups", groups->count}, {"eps", groups->eps}, {0}};
    x = fum_graph_add(nn->graph, "group_norm", NULL, FUM_INPUTS(x, gamma, beta), attrs);
    return scale_shift(nn, x, row, channels);
}

static fum_tensor *resample(struct fum_nn *nn, fum_tensor *x, const struct fum_nn_resblock *b) {
    if (b->resample == FUM_NN_HALVE) return fum_nn_halve(nn, x);
    if (b->resample == FUM_NN_DOUBLE) return fum_nn_double(nn, x, b->height, b->width);
    if (b->resample == FUM_NN_SMOOTH_HALVE) return fum_nn_smooth_halve(nn, x);
    if (b->resample == FUM_NN_SMOOTH_DOUBLE)
        return fum_nn_smooth_double(nn, x, b->height, b->width);
    return x;
}

fum_tensor *fum_nn_resblock(struct fum_nn *nn, const char *name, fum_tensor *x,
                            const struct fum_nn_resblock *b) {
    size_t mark = fum_nn_enter(nn, "%s", name);
    fum_graph_begin_block(nn->graph);
    const char *act = b->activation ? b->activation : "silu";
    fum_tensor *h =
        fum_nn_unary(nn, act, NULL, fum_nn_group_norm(nn, "norm1", x, b->groups, b->eps));
    x = resample(nn, x, b);
    h = fum_nn_conv(nn, "conv1", resample(nn, h, b), b->out, NULL);
    if (b->time && !b->scale_shift) h = fum_nn_add(nn, NULL, h, b->time);
    h = fum_nn_group_norm(nn, "norm2", h, b->groups_out ? b->groups_out : b->groups, b->eps);
    if (b->time && b->scale_shift) h = scale_shift(nn, h, b->time, b->out);
    h = fum_nn_conv(nn, "conv2", fum_nn_unary(nn, act, NULL, h), b->out, NULL);
    fum_tensor *shortcut = x;
    if (b->shortcut || fum_nn_channels(x) != b->out)
        shortcut = fum_nn_conv(nn, "conv_shortcut", x, b->out, &(struct fum_nn_conv){.kernel = 1});
    bool scaled = b->output_scale != 0 && b->output_scale != 1;
    h = fum_nn_add(nn, scaled ? NULL : "", h, shortcut);
    if (scaled) h = fum_nn_scale(nn, "", h, 1 / b->output_scale, 0);
    fum_graph_end_block(nn->graph);
    fum_nn_leave(nn, mark);
    return h;
}

// Cuts a picture to height × width.
static fum_tensor *cut(struct fum_nn *nn, fum_tensor *x, int64_t height, int64_t width) {
    struct fum_shape s = fum_tensor_shape(x);
    if (x && s.dim[1] != height) x = fum_nn_slice(nn, NULL, x, (struct fum_nn_range){1, 0, height});
    if (x && s.dim[2] != width) x = fum_nn_slice(nn, NULL, x, (struct fum_nn_range){2, 0, width});
    return x;
}

fum_tensor *fum_nn_halve(struct fum_nn *nn, fum_tensor *x) {
    return fum_nn_unary(nn, "average_pool", NULL, x);
}

fum_tensor *fum_nn_double(struct fum_nn *nn, fum_tensor *x, int64_t height, int64_t width) {
    // torch's nearest interpolation from n to 2n - 1 is doubling without the last row.
    return cut(nn, fum_nn_unary(nn, "upsample", NULL, x), height, width);
}

// Adds the filter 1, 2, 1 in both directions, as two means of 2×2 pixels.
static fum_tensor *smooth(struct fum_nn *nn, fum_tensor *x) {
    const struct fum_attr padded[] = {{"stride", 1}, {"pad", 1}, {0}},
                          inside[] = {{"stride", 1}, {0}};
    if (x) x = fum_graph_add(nn->graph, "average_pool", NULL, FUM_INPUTS(x), padded);
    return x ? fum_graph_add(nn->graph, "average_pool", NULL, FUM_INPUTS(x), inside) : NULL;
}

// Adds the filter 1, 3, 3, 1 as 1, 2, 1 and then the mean of pairs.
fum_tensor *fum_nn_smooth_halve(struct fum_nn *nn, fum_tensor *x) {
    return fum_nn_halve(nn, smooth(nn, x));
}

fum_tensor *fum_nn_smooth_double(struct fum_nn *nn, fum_tensor *x, int64_t height, int64_t width) {
    return cut(nn, smooth(nn, fum_nn_unary(nn, "upsample", NULL, x)), height, width);
}

// Adds the filter 1, 2, 1 along both axes to what a row and a column around the picture were added
// to. They are copies of those at `distance` from each border.
static fum_tensor *smooth_within(struct fum_nn *nn, fum_tensor *x, int64_t distance) {
    const struct fum_attr inside[] = {{"stride", 1}, {0}};
    for (int axis = 1; axis <= 2 && x; axis++) {
        const struct fum_attr along[] = {{"axis", axis}, {0}};
        int64_t end = fum_tensor_shape(x).dim[axis] - 1 - distance;
        fum_tensor *first = fum_nn_slice(nn, NULL, x, (struct fum_nn_range){axis, distance, 1}),
                   *last = fum_nn_slice(nn, NULL, x, (struct fum_nn_range){axis, end, 1});
        if (!first || !last) return NULL;
        x = fum_graph_add(nn->graph, "concat", NULL, FUM_INPUTS(first, x, last), along);
    }
    for (int i = 0; i < 2 && x; i++)
        x = fum_graph_add(nn->graph, "average_pool", NULL, FUM_INPUTS(x), inside);
    return x;
}

fum_tensor *fum_nn_reflect_halve(struct fum_nn *nn, fum_tensor *x) {
    return fum_nn_halve(nn, smooth_within(nn, x, 1));
}

fum_tensor *fum_nn_reflect_double(struct fum_nn *nn, fum_tensor *x) {
    // The pixel beside the border one begins at the third of the doubled ones.
    return smooth_within(nn, fum_nn_unary(nn, "upsample", NULL, x), 2);
}

fum_tensor *fum_nn_downsample(struct fum_nn *nn, const char *name, fum_tensor *x,
                              const struct fum_nn_conv *conv) {
    size_t mark = fum_nn_enter(nn, "%s", name);
    x = fum_nn_conv(nn, "conv", x, fum_nn_channels(x), conv);
    fum_nn_leave(nn, mark);
    return x;
}

fum_tensor *fum_nn_upsample(struct fum_nn *nn, const char *name, fum_tensor *x, int64_t height,
                            int64_t width) {
    size_t mark = fum_nn_enter(nn, "%s", name);
    x = fum_nn_double(nn, x, height, width);
    x = fum_nn_conv(nn, "conv", x, fum_nn_channels(x), NULL);
    fum_nn_leave(nn, mark);
    return x;
}

fum_tensor *fum_nn_time_mlp(struct fum_nn *nn, const char *name, fum_tensor *x, int64_t out) {
    size_t mark = fum_nn_enter(nn, "%s", name);
    x = fum_nn_unary(nn, "silu", NULL, fum_nn_linear(nn, "linear_1", x, out, true));
    x = fum_nn_linear(nn, "linear_2", x, out, true);
    fum_nn_leave(nn, mark);
    return x;
}
