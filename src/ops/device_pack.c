// SPDX-License-Identifier: MIT
// Packs a weight, given as its file's elements in a row, and converts it, as loading does where the
// host cannot write the device's memory.
#include "weights/device_pack.h"

#include "ops/lib/emit.h"
#include "ops/lib/shape_attrs.h"

#include <string.h>

enum { PACK, DTYPE, SHAPE };
static const struct fum_attr_def attrs[] = {
    {"pack", FUM_PACK_NONE}, {"dtype", -1}, FUM_SHAPE_ATTR_DEFS, {0}};

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    int64_t pack;
    if (!fum_attr_int(call->attr[PACK],
                      (struct fum_attr_range){"pack", FUM_PACK_NONE, FUM_PACK_CONV}, &pack, why) ||
        !fum_attr_storage(call->attr[DTYPE], &call->out.dtype, why) ||
        !fum_shape_from_attrs(call->attr + SHAPE, &call->out.shape, why))
        return false;
    const struct fum_desc *x = &call->in[0];
    if (x->shape.rank != 1 || !fum_is_storage(x->dtype) ||
        x->shape.dim[0] != fum_shape_count(&call->out.shape))
        return fum_refuse(why, "x must be a row of as many numbers as the weight has");
    const struct fum_packing *packing = fum_packing_of((enum fum_pack)pack);
    if (call->out.shape.rank && !packing->file_view(&call->out.shape).rank)
        return fum_refuse(why, "no %s weight has %d dimensions", packing->name,
                          call->out.shape.rank);
    return true;
}

static bool is_transposed(const struct fum_op_call *call) {
    return fum_packing_of((enum fum_pack)call->attr[PACK])->transposed;
}

static int64_t count_taps(const struct fum_op_call *call) {
    return is_transposed(call) ? FUM_MAX(fum_packing_taps(&call->out.shape), 1) : 1;
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    int64_t rows = fum_shape_rows(&call->out.shape), columns = fum_shape_channels(&call->out.shape);
    int64_t taps = count_taps(call), channels = rows / taps;
    bool transposed = is_transposed(call);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < columns; c++) {
            int64_t inner = r % channels * taps + r / channels;
            out[r * columns + c] = in[0][transposed ? c * rows + inner : r * columns + c];
        }
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    struct fum_device_pack_chunk chunk = {.from = call->in[0].dtype,
                                          .to = call->out.dtype,
                                          .transposed = is_transposed(call),
                                          .rows = fum_shape_rows(&call->out.shape),
                                          .columns = fum_shape_channels(&call->out.shape),
                                          .row_quads = fum_shape_row_quads(&call->out.shape),
                                          .taps = count_taps(call)};
    if (fum_shape_count(&call->out.shape) == 0) return true;
    struct fum_dispatch *d = fum_emit(list, "device_pack", FUM_F32, 1);
    if (!d || !fum_emit_whole(list, d, 0, &call->in[0]) ||
        !fum_emit_whole(list, d, FUM_OUT, &call->out))
        return false;
    struct fum_device_pack_push push;
    d->num_spec = FUM_DEVICE_PACK_SPEC;
    if (!fum_device_pack_fill(list->info, &chunk, d->spec, &push, d->groups))
        return fum_refuse(&list->why, "needs more workgroups than the device has");
    FUM_EMIT_PUSH(d, push);
    return true;
}

const struct fum_op fum_op_device_pack = {
    .name = "device_pack",
    .attrs = attrs,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
};
