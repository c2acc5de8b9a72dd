// SPDX-License-Identifier: MIT
// Computes the Fourier features of times t [S] (f32, above 0) by fixed frequencies w [C] (f32), as
// diffusers' GaussianFourierProjection does. The result is [S, 2 C]: sin 2 π w ln t, then cos of
// the same. Phases reach thousands, so their f32 roundings are those of torch.
#include "ops/lib/emit.h"
#include "shaders/fourier_embedding.pc.h"

#include <math.h>

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    char text[96];
    for (int i = 0; i < 2; i++)
        if (call->in[i].dtype != FUM_F32 || call->in[i].shape.rank != 1)
            return fum_refuse(why, "%s are %s %s; expected f32 [n]", i ? "frequencies" : "times",
                              fum_dtype_name(call->in[i].dtype),
                              fum_shape_text(&call->in[i].shape, text, sizeof text));
    call->out.shape =
        (struct fum_shape){2, {call->in[0].shape.dim[0], 2 * call->in[1].shape.dim[0]}};
    return true;
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    int64_t frequencies = call->in[1].shape.dim[0];
    for (int64_t s = 0; s < call->out.shape.dim[0]; s++, out += 2 * frequencies)
        for (int64_t i = 0; i < frequencies; i++) {
            float turns = (float)log((float)in[0][s]) * (float)in[1][i] * 2;
            double phase = turns * 3.14159274101257324f;
            out[i] = sin(phase);
            out[frequencies + i] = cos(phase);
        }
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    uint64_t quads = fum_desc_quads(&call->out);
    if (!quads) return true;
    struct fum_dispatch *d = fum_emit(list, "fourier_embedding", call->out.dtype, quads);
    if (!d || !fum_emit_whole(list, d, 0, &call->in[0]) ||
        !fum_emit_whole(list, d, 1, &call->in[1]) || !fum_emit_whole(list, d, FUM_OUT, &call->out))
        return false;
    const struct fum_fourier_embedding_push push = {
        .quads = (uint32_t)quads, .frequencies = (uint32_t)call->in[1].shape.dim[0]};
    FUM_EMIT_PUSH(d, push);
    return true;
}

const struct fum_op fum_op_fourier_embedding = {
    .name = "fourier_embedding",
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
};
