// SPDX-License-Identifier: MIT
#include "ops/lib/flat.h"

#include "ops/lib/emit.h"
#include "shaders/flat.pc.h"

bool fum_flat_infer(struct fum_op_call *call, struct fum_why *why) {
    call->out = call->in[0];
    if (!fum_is_storage(call->out.dtype))
        return fum_refuse(why, "the inputs must be f32, f16 or bf16");
    for (int i = 1; i < call->num_inputs; i++)
        if (call->has[i] && (call->in[i].dtype != call->out.dtype ||
                             !fum_shape_same(&call->in[i].shape, &call->out.shape)))
            return fum_refuse(why, "all inputs must have one shape and storage type");
    return true;
}

bool fum_flat_dispatch(const struct fum_op_call *call, const struct fum_flat *flat,
                       struct fum_dispatches *list) {
    enum fum_dtype dtype = call->out.dtype;
    struct fum_span span = {0};
    while (fum_span_next(&span, fum_desc_quads(&call->out),
                         fum_quads_per_binding(list->info, dtype))) {
        struct fum_dispatch *d = fum_emit(list, flat->shader, dtype, span.count);
        if (!d) return false;
        fum_emit_specs(d, flat->specs, (size_t)flat->num_specs);
        for (int i = 0; i < flat->inputs; i++) {
            bool there = i < call->num_inputs && call->has[i];
            fum_emit_span(d, there ? i : 0, dtype, &span);
        }
        fum_emit_span(d, FUM_OUT, dtype, &span);
        const struct fum_flat_push push = {.quads = (uint32_t)span.count};
        FUM_EMIT_PUSH(d, push);
    }
    return true;
}
