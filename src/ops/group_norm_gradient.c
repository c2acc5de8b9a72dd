// SPDX-License-Identifier: MIT
// The gradient of a group norm by its input. Inputs dy and x are [batch, .., channels]. Then come
// group_norm_sums' f32 [batch, 2, channels] of both, and gamma [channels]. The last is
// group_norm_affine's f32 [batch, 2, channels] of x for a gamma of 1 and a beta of 0. It normalises
// x: n = x / deviation - mean / deviation. Over a group's means
// dx = (gamma dy - mean(gamma dy) - n mean(gamma dy n)) / deviation.
// Where an activation "act" follows the norm, dy is the gradient by its result. The kernels then
// put dy act'(gamma n + beta) in the place of dy, and the norm's beta [channels] is the last input.
#include "ops/lib/part.h"
#include "ops/lib/texels.h"
#include "ops/lib/unary.h"
#include "shaders/group_norm_gradient.pc.h"

enum { DY, X, SUMS, GAMMA, FACTORS, BETA };
enum { BLOCK = 8 }; // rows of an invocation
enum { GROUPS, ACT };
static const struct fum_attr_def attrs[] = {
    [GROUPS] = {"groups", 32}, [ACT] = {"act", FUM_ACT_NONE}, {0}};

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    const struct fum_desc *dy = &call->in[DY];
    int64_t batches = dy->shape.dim[0], channels = fum_shape_channels(&dy->shape), groups, act;
    const struct fum_shape by_channel = {3, {batches, 2, channels}};
    const struct fum_attr_range ranges[] = {
        [GROUPS] = {"groups", 1, INT32_MAX}, [ACT] = {"act", FUM_ACT_NONE, FUM_ACT_SIGMOID}};
    if (!fum_attr_int(call->attr[GROUPS], ranges[GROUPS], &groups, why) ||
        !fum_attr_int(call->attr[ACT], ranges[ACT], &act, why))
        return false;
    bool same = fum_is_storage(dy->dtype) && call->in[X].dtype == dy->dtype &&
                call->in[GAMMA].dtype == dy->dtype &&
                fum_shape_same(&call->in[X].shape, &dy->shape);
    bool sums = dy->shape.rank >= 2 && channels % groups == 0;
    const int f32[] = {SUMS, FACTORS};
    for (int i = 0; i < 2; i++)
        sums = sums && call->in[f32[i]].dtype == FUM_F32 &&
               fum_shape_same(&call->in[f32[i]].shape, &by_channel);
    if (!same || !sums || fum_shape_count(&call->in[GAMMA].shape) != channels)
        return fum_refuse(why, "dy and x must be of one shape and type, and the others by channel");
    if (act != FUM_ACT_NONE && (!call->has[BETA] || call->in[BETA].dtype != dy->dtype ||
                                fum_shape_count(&call->in[BETA].shape) != channels))
        return fum_refuse(why, "an activation needs beta by channel");
    call->out = *dy;
    return true;
}

// Returns the sum over the group of channel c of gamma times the sums of dy (half 0) or dy n (1).
static double group_sum(const struct fum_op_call *call, const double *const *in, int half,
                        int64_t b, int64_t c) {
    int64_t channels = fum_shape_channels(&call->out.shape),
            each = channels / (int64_t)call->attr[GROUPS];
    double sum = 0;
    for (int64_t i = c / each * each; i < (c / each + 1) * each; i++)
        sum += in[GAMMA][i] * in[SUMS][(2 * b + half) * channels + i];
    return sum;
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    const struct fum_shape *shape = &call->out.shape;
    int64_t batches = shape->dim[0], channels = fum_shape_channels(shape);
    int64_t rows = batches ? fum_shape_rows(shape) / batches : 0;
    double n = (double)(rows * (channels / (int64_t)call->attr[GROUPS]));
    enum fum_act act = (enum fum_act)call->attr[ACT];
    for (int64_t b = 0; b < batches; b++)
        for (int64_t c = 0; c < channels; c++) {
            double dy_mean = group_sum(call, in, 0, b, c) / n,
                   product_mean = group_sum(call, in, 1, b, c) / n;
            const double *factors = in[FACTORS] + 2 * b * channels + c;
            for (int64_t r = 0; r < rows; r++) {
                int64_t i = (b * rows + r) * channels + c;
                double normal = in[X][i] * factors[0] + factors[channels];
                double dy = in[DY][i];
                if (act != FUM_ACT_NONE)
                    dy *= fum_act_derivative(act, in[GAMMA][c] * normal + in[BETA][c]);
                out[i] = (in[GAMMA][c] * dy - dy_mean - normal * product_mean) * factors[0];
            }
        }
}

static struct fum_group_norm_gradient_push push_of(const struct fum_op_call *call) {
    const struct fum_shape *shape = &call->out.shape;
    int64_t channels = fum_shape_channels(shape), groups = (int64_t)call->attr[GROUPS];
    int64_t rows = fum_shape_rows(shape) / shape->dim[0];
    return (struct fum_group_norm_gradient_push){
        .quads = (uint32_t)fum_shape_row_quads(shape),
        .channels = (uint32_t)channels,
        .group_channels = (uint32_t)(channels / groups),
        .batches = (uint32_t)shape->dim[0],
        .inverse_count = (float)(1 / (double)(rows * (channels / groups)))};
}

// Returns how many rows by channel the kernels have for each batch.
static int64_t terms_of(const struct fum_op_call *call) {
    return call->attr[ACT] != FUM_ACT_NONE ? 4 : 3;
}

// Adds what writes, by batch and channel, the factors of dy and of n and what is taken off.
static bool add_terms(const struct fum_op_call *call, struct fum_dispatch_bind terms,
                      struct fum_dispatches *list) {
    enum { F32_INPUTS = 1 | 4 };
    const struct fum_group_norm_gradient_push push = push_of(call);
    struct fum_dispatch *d =
        fum_emit_reading(list, "group_norm_gradient_terms", call->out.dtype,
                         (uint64_t)push.batches * push.quads, 15 | F32_INPUTS << FUM_TEXELS_F32);
    if (!d) return false;
    fum_emit_spec(d, (uint32_t)call->attr[ACT]);
    for (int i = SUMS; i <= BETA; i++) {
        int input = i == BETA && call->attr[ACT] == FUM_ACT_NONE ? GAMMA : i; // GAMMA: not read
        if (!fum_emit_whole(list, d, input, &call->in[input])) return false;
    }
    fum_emit_bind(d, terms);
    FUM_EMIT_PUSH(d, push);
    return true;
}

// Adds rows of the output: whole batches, or rows of one.
static bool add_rows(const struct fum_op_call *call, struct fum_dispatch_bind terms,
                     struct fum_dispatches *list, const struct fum_part *part) {
    struct fum_group_norm_gradient_push push = push_of(call);
    const struct fum_shape *shape = &call->out.shape;
    int64_t batch_rows = fum_shape_rows(shape) / shape->dim[0],
            blocks = FUM_DIV_UP(part->count, BLOCK);
    const struct fum_rows rows = {&call->out, part->batch * batch_rows + part->first,
                                  part->batches * part->count};
    struct fum_dispatch *d =
        fum_emit_reading(list, "group_norm_gradient", call->out.dtype,
                         (uint64_t)(part->batches * blocks) * push.quads, 7 | 4 << FUM_TEXELS_F32);
    if (!d) return false;
    FUM_EMIT_SPECS(d, BLOCK, (uint32_t)call->attr[ACT]);
    push.batches = (uint32_t)part->batches;
    push.first_batch = (uint32_t)part->batch;
    push.rows = (uint32_t)part->count;
    push.blocks = (uint32_t)blocks;
    push.dy_skip = fum_emit_rows(list, d, DY, rows);
    push.x_skip = fum_emit_rows(list, d, X, rows);
    terms.write = false;
    fum_emit_bind(d, terms);
    push.dx_skip = fum_emit_rows(list, d, FUM_OUT, rows);
    FUM_EMIT_PUSH(d, push);
    return true;
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    const struct fum_desc *out = &call->out;
    if (!fum_shape_count(&out->shape)) return true;
    int64_t batches = out->shape.dim[0], rows = fum_shape_rows(&out->shape) / batches;
    int64_t fit = fum_rows_per_binding(list->info, out);
    if (fit < 1) return fum_refuse_size(&list->why, list->info, "one row");
    list->scratch_bytes =
        (uint64_t)(terms_of(call) * batches * fum_shape_row_quads(&out->shape)) * 16;
    struct fum_dispatch_bind terms = fum_bind_scratch(0, list->scratch_bytes, true);
    if (list->scratch_bytes > list->info->max_binding)
        return fum_refuse_size(&list->why, list->info, "the sums by batch and channel");
    if (!add_terms(call, terms, list)) return false;
    struct fum_part part = {0};
    while (fum_part_next(&part, batches, rows, (struct fum_cut){fit / rows, fit}))
        if (!add_rows(call, terms, list, &part)) return false;
    return true;
}

static double flops(const struct fum_op_call *call) {
    return 4.0 * (double)fum_shape_count(&call->out.shape);
}

const struct fum_op fum_op_group_norm_gradient = {
    .name = "group_norm_gradient",
    .attrs = attrs,
    .min_inputs = 5,
    .max_inputs = 6,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
    .flops = flops,
};
