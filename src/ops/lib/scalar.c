// SPDX-License-Identifier: MIT
#include "ops/lib/scalar.h"

#include "ops/lib/texels.h"
#include "shaders/scalar.pc.h"

bool fum_scalar_dispatch(const struct fum_op_call *call, bool clamp, struct fum_dispatches *list) {
    enum fum_dtype dtype = call->out.dtype;
    struct fum_span span = {0};
    while (fum_span_next(&span, fum_desc_quads(&call->out),
                         fum_quads_per_binding(list->info, dtype))) {
        struct fum_dispatch *d = fum_emit_quads_reading(list, "scalar", dtype, span.count, 1);
        if (!d) return false;
        fum_emit_spec(d, clamp);
        fum_emit_span(d, 0, dtype, &span);
        fum_emit_span(d, FUM_OUT, dtype, &span);
        const struct fum_scalar_push push = {.quads = (uint32_t)span.count,
                                             .mul = (float)call->attr[0],
                                             .add = (float)call->attr[1]};
        FUM_EMIT_PUSH(d, push);
    }
    return true;
}
