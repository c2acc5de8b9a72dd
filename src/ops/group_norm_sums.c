// SPDX-License-Identifier: MIT
// Sums over the rows of each batch what the gradient of a group norm needs. Inputs are dy and x
// [batch, .., channels], and group_norm_affine's f32 [batch, 2, channels] of x for a gamma of 1
// and a beta of 0. The result is f32 [batch, 2, channels]: the sums of dy, and those of dy times
// the normalised x. Where an activation "act" follows the norm, dy is the gradient by
// its result, and the norm's gamma and beta [channels] are inputs. Then dy act'(gamma n + beta)
// takes the place of dy.
#include "ops/lib/texels.h"
#include "ops/lib/unary.h"
#include "shaders/group_norm_sums.pc.h"

enum { DY, X, FACTORS, GAMMA, BETA };
enum { INPUTS_F32 = 1 << FACTORS };
static const struct fum_attr_def attrs[] = {{"act", FUM_ACT_NONE}, {0}};

// True if there is no activation, or a valid one with its inputs.
static bool check_act(const struct fum_op_call *call) {
    struct fum_why ignored;
    const struct fum_attr_range range = {"act", FUM_ACT_NONE, FUM_ACT_SIGMOID};
    int64_t act, channels = fum_shape_channels(&call->in[X].shape);
    if (!fum_attr_int(call->attr[0], range, &act, &ignored)) return false;
    for (int i = GAMMA; act != FUM_ACT_NONE && i <= BETA; i++)
        if (!call->has[i] || call->in[i].dtype != call->in[X].dtype ||
            fum_shape_count(&call->in[i].shape) != channels)
            return false;
    return true;
}

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    const struct fum_desc *dy = &call->in[DY], *x = &call->in[X], *factors = &call->in[FACTORS];
    const struct fum_shape sums = {3, {x->shape.dim[0], 2, fum_shape_channels(&x->shape)}};
    if (x->shape.rank < 2 || !fum_is_storage(x->dtype) || dy->dtype != x->dtype ||
        !fum_shape_same(&dy->shape, &x->shape) || factors->dtype != FUM_F32 ||
        !fum_shape_same(&factors->shape, &sums))
        return fum_refuse(why, "dy and x must be of one shape and type, the factors by channel");
    if (!check_act(call))
        return fum_refuse(why, "act must be an activation, with gamma and beta by channel");
    call->out = (struct fum_desc){sums, FUM_F32};
    return true;
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    const struct fum_shape *x = &call->in[X].shape;
    int64_t batches = x->dim[0], channels = fum_shape_channels(x);
    int64_t rows = batches ? fum_shape_rows(x) / batches : 0;
    enum fum_act act = (enum fum_act)call->attr[0];
    for (int64_t b = 0; b < batches; b++)
        for (int64_t c = 0; c < channels; c++) {
            const double *factors = in[FACTORS] + 2 * b * channels + c;
            double *sums = out + 2 * b * channels + c;
            sums[0] = sums[channels] = 0;
            for (int64_t i = b * rows * channels + c; i < (b + 1) * rows * channels;
                 i += channels) {
                double n = in[X][i] * factors[0] + factors[channels], dy = in[DY][i];
                if (act != FUM_ACT_NONE)
                    dy *= fum_act_derivative(act, in[GAMMA][c] * n + in[BETA][c]);
                sums[0] += dy;
                sums[channels] += dy * n;
            }
        }
}

static struct fum_group_norm_sums_push push_of(const struct fum_op_call *call) {
    enum { LEAST_ROWS = 64, MOST_ITEMS = 16384 };
    const struct fum_shape *x = &call->in[X].shape;
    uint32_t quads = (uint32_t)fum_shape_row_quads(x), batches = (uint32_t)x->dim[0];
    uint32_t rows = (uint32_t)(fum_shape_rows(x) / x->dim[0]);
    uint32_t chunks = rows / LEAST_ROWS, most = MOST_ITEMS / (batches * quads);
    // The second pass adds the chunks one after the other, so they are no more than its share.
    while (chunks * chunks > rows) chunks /= 2;
    chunks = FUM_MAX(FUM_MIN(chunks, most), 1);
    return (struct fum_group_norm_sums_push){
        .quads = quads, .batches = batches, .rows = rows, .chunks = chunks};
}

// Adds one pass: over the inputs or, `again`, over the partial sums; the last writes the output.
static bool add_pass(const struct fum_op_call *call, struct fum_dispatches *list, bool again) {
    const struct fum_group_norm_sums_push push = push_of(call);
    bool last = again || push.chunks == 1;
    uint64_t cells = (uint64_t)push.batches * push.quads;
    struct fum_dispatch *d =
        fum_emit_reading(list, "group_norm_sums", call->in[X].dtype,
                         again ? cells : cells * push.chunks, 31 | INPUTS_F32 << FUM_TEXELS_F32);
    if (!d) return false;
    FUM_EMIT_SPECS(d, last, again, (uint32_t)call->attr[0]);
    for (int i = DY; i <= BETA; i++) {
        int input = i >= GAMMA && call->attr[0] == FUM_ACT_NONE ? X : i; // X: not read
        if (!fum_emit_whole(list, d, input, &call->in[input])) return false;
    }
    if (!fum_emit_sums(list, d, &call->out, last)) return false;
    FUM_EMIT_PUSH(d, push);
    return true;
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    if (!fum_shape_count(&call->in[X].shape)) return true;
    const struct fum_group_norm_sums_push push = push_of(call);
    if (push.chunks > 1)
        list->scratch_bytes = (uint64_t)push.chunks * push.batches * push.quads * 32;
    if (!add_pass(call, list, false)) return false;
    return push.chunks == 1 || add_pass(call, list, true);
}

static double flops(const struct fum_op_call *call) {
    return 5.0 * (double)fum_shape_count(&call->in[X].shape);
}

const struct fum_op fum_op_group_norm_sums = {
    .name = "group_norm_sums",
    .attrs = attrs,
    .min_inputs = 3,
    .max_inputs = 5,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
    .flops = flops,
};
