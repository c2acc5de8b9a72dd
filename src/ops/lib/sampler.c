// SPDX-License-Identifier: MIT
#include "ops/lib/sampler.h"

#include "ops/lib/emit.h"

bool fum_sampler_check(const struct fum_op_call *call, struct fum_sampler_inputs inputs,
                       int least_coefs, struct fum_why *why) {
    const struct fum_desc *s = &call->in[inputs.state], *c = &call->in[inputs.coefs];
    char text[96];
    int64_t history, copies;
    if (!fum_attr_int(call->attr[0], (struct fum_attr_range){"history", 1, FUM_SAMPLER_MAX_HISTORY},
                      &history, why))
        return false;
    if (!fum_attr_int(call->attr[1], (struct fum_attr_range){"copies", 1, FUM_SAMPLER_MAX_COPIES},
                      &copies, why))
        return false;
    if (s->dtype != FUM_F32 || s->shape.rank != 4 || s->shape.dim[0] % history)
        return fum_refuse(
            why, "the state is %s %s; expected f32 [%lld x batch, height, width, channels]",
            fum_dtype_name(s->dtype), fum_shape_text(&s->shape, text, sizeof text),
            (long long)history);
    if (c->dtype != FUM_F32 || c->shape.rank != 2 || c->shape.dim[0] < 1 ||
        c->shape.dim[1] < least_coefs)
        return fum_refuse(why, "coefficients are %s %s; expected f32 [evaluations, at least %d]",
                          fum_dtype_name(c->dtype), fum_shape_text(&c->shape, text, sizeof text),
                          least_coefs);
    if (!call->has[inputs.counter] || !fum_is_counter(&call->in[inputs.counter]))
        return fum_refuse(why, "input %d, the counter, must be i32 [1]", inputs.counter);
    return true;
}

struct fum_desc fum_sampler_point(const struct fum_op_call *call) {
    struct fum_desc point = call->in[0];
    point.shape.dim[0] /= (int64_t)call->attr[0];
    return point;
}

int64_t fum_sampler_row(const struct fum_desc *coefs, double counter) {
    return fum_clamp_i64((int64_t)counter, 0, coefs->shape.dim[0] - 1);
}
