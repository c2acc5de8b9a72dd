// SPDX-License-Identifier: MIT
// To another storage type: "dtype" is an enum fum_dtype; -1, the default, is the graph's own.
#include "base/dtype.h"
#include "ops/lib/emit.h"

static const struct fum_attr_def attrs[] = {{"dtype", -1}, {0}};

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    enum fum_dtype dtype = call->out.dtype;
    if (!fum_attr_storage(call->attr[0], &dtype, why)) return false;
    if (!fum_is_storage(call->in[0].dtype))
        return fum_refuse(why, "the input is %s; want f32, f16 or bf16",
                          fum_dtype_name(call->in[0].dtype));
    call->out = (struct fum_desc){call->in[0].shape, dtype};
    return true;
}

// Rounds to 16-bit types only: f32 values stay exact, so that gradients can be taken through them.
static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    bool rounds = call->out.dtype != FUM_F32;
    for (int64_t i = 0; i < fum_shape_count(&call->out.shape); i++)
        out[i] = rounds ? fum_round_to(call->out.dtype, (float)in[0][i]) : in[0][i];
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    uint64_t size_in = 4 * fum_dtype_size(call->in[0].dtype),
             size_out = 4 * fum_dtype_size(call->out.dtype);
    enum fum_dtype wide = size_in > size_out ? call->in[0].dtype : call->out.dtype;
    uint64_t total = fum_desc_quads(&call->out), align = list->info->binding_align;
    // Whole multiples of the alignment in the narrower type are ones in the wider type too.
    uint64_t each =
        list->info->max_binding / (2 * align) * (2 * align) / (4 * fum_dtype_size(wide));
    for (uint64_t first = 0; first < total; first += each) {
        uint64_t quads = total - first < each ? total - first : each;
        struct fum_dispatch *d = fum_emit(list, "cast", call->out.dtype, quads);
        if (!d) return false;
        fum_emit_spec(d, call->in[0].dtype);
        fum_emit_bind(d, 0, false, first * size_in, quads * size_in);
        fum_emit_bind(d, FUM_OUT, true, first * size_out, quads * size_out);
        fum_emit_push(d, (uint32_t)quads);
    }
    return true;
}

const struct fum_op fum_op_cast = {
    .name = "cast",
    .attrs = attrs,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
};
