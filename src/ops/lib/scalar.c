// SPDX-License-Identifier: MIT
#include "ops/lib/scalar.h"

#include "ops/lib/emit.h"
#include "ops/lib/unary.h"

bool fum_scalar_dispatch(const struct fum_op_call *call, bool clamp, struct fum_dispatches *list) {
    uint64_t total = fum_desc_quads(&call->out),
             each = fum_quads_per_binding(list->info, call->out.dtype);
    uint64_t quad = 4 * fum_dtype_size(call->out.dtype);
    for (uint64_t first = 0; first < total; first += each) {
        uint64_t quads = total - first < each ? total - first : each;
        struct fum_dispatch *d = fum_emit(list, "scalar", call->out.dtype, quads);
        if (!d) return false;
        fum_emit_spec(d, clamp);
        fum_emit_bind(d, 0, false, first * quad, quads * quad);
        fum_emit_bind(d, FUM_OUT, true, first * quad, quads * quad);
        fum_emit_push(d, (uint32_t)quads);
        fum_emit_push_float(d, (float)call->attr[0]);
        fum_emit_push_float(d, (float)call->attr[1]);
    }
    return true;
}
