// SPDX-License-Identifier: MIT
// Computes the sinusoidal embedding of times t [S] or [S, 1] (f32 or i32) to [S, dim]. Order and
// f32 roundings are those of diffusers' get_timestep_embedding. The formulas are frequency_i =
// max_period^(-i / (dim/2 - shift)) and angle = scale t frequency_i. Sines come first, then
// cosines; flip_sin_to_cos swaps them.
#include "ops/lib/emit.h"
#include "shaders/timestep_embedding.pc.h"

#include <math.h>

enum { DIM, FLIP, SHIFT, MAX_PERIOD, SCALE, DTYPE };
static const struct fum_attr_def attrs[] = {
    [DIM] = {"dim", 0},
    [FLIP] = {"flip_sin_to_cos", 1},
    [SHIFT] = {"shift", 0},
    [MAX_PERIOD] = {"max_period", 10000},
    [SCALE] = {"scale", 1},
    [DTYPE] = {"dtype", -1},
    {0},
};

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    const struct fum_desc *t = &call->in[0];
    char text[96];
    int64_t dim;
    if (!fum_attr_int(call->attr[DIM], (struct fum_attr_range){"dim", 1, 1 << 20}, &dim, why))
        return false;
    if (!fum_attr_storage(call->attr[DTYPE], &call->out.dtype, why)) return false;
    bool column = t->shape.rank == 2 && t->shape.dim[1] == 1;
    if ((t->dtype != FUM_F32 && t->dtype != FUM_I32) || (t->shape.rank != 1 && !column))
        return fum_refuse(why, "times are %s %s; expected f32 or i32, [n] or [n, 1]",
                          fum_dtype_name(t->dtype), fum_shape_text(&t->shape, text, sizeof text));
    // A dim of 1 has no frequency: all of it is what an odd dim leaves over.
    if ((dim > 1 && !((double)(dim / 2) - call->attr[SHIFT] > 0)) || !(call->attr[MAX_PERIOD] > 0))
        return fum_refuse(why, "dim / 2 must be above shift, and max_period above 0");
    call->out.shape = (struct fum_shape){2, {t->shape.dim[0], dim}};
    return true;
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    int64_t dim = call->out.shape.dim[1], half = dim / 2;
    float minus_log = (float)-log(call->attr[MAX_PERIOD]),
          divisor = (float)((double)half - call->attr[SHIFT]);
    for (int64_t s = 0; s < call->out.shape.dim[0]; s++, out += dim) {
        out[dim - 1] = 0; // what an odd dim leaves over
        for (int64_t i = 0; i < half; i++) {
            float frequency = (float)exp(minus_log * (float)i / divisor);
            double angle = (float)call->attr[SCALE] * ((float)in[0][s] * frequency);
            out[i] = call->attr[FLIP] != 0 ? cos(angle) : sin(angle);
            out[half + i] = call->attr[FLIP] != 0 ? sin(angle) : cos(angle);
        }
    }
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    const struct fum_desc *t = &call->in[0];
    uint64_t quads = fum_desc_quads(&call->out);
    if (!quads) return true;
    struct fum_dispatch *d = fum_emit(list, "timestep_embedding", call->out.dtype, quads);
    if (!d || !fum_emit_whole(list, d, 0, t) || !fum_emit_whole(list, d, FUM_OUT, &call->out))
        return false;
    int64_t dim = call->out.shape.dim[1];
    fum_emit_spec(d, call->attr[FLIP] != 0);
    fum_emit_spec(d, t->dtype == FUM_I32);
    const struct fum_timestep_embedding_push push = {
        .quads = (uint32_t)quads,
        .dim = (uint32_t)dim,
        .t_stride = t->shape.rank == 1 ? 1 : 4, // a column's elements are padded to quads
        .minus_log_period = (float)-log(call->attr[MAX_PERIOD]),
        .divisor = (float)((double)(dim / 2) - call->attr[SHIFT]),
        .scale = (float)call->attr[SCALE],
    };
    FUM_EMIT_PUSH(d, push);
    return true;
}

const struct fum_op fum_op_timestep_embedding = {
    .name = "timestep_embedding",
    .attrs = attrs,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
};
