// SPDX-License-Identifier: MIT
// A weight as it lies in a file, elements in a row, put into the order that kernels read (enum
// fum_pack) and converted: what loading does where the host cannot write the device's memory.
#include "weights/device_pack.h"

#include "ops/lib/emit.h"
#include "ops/lib/shape_attrs.h"

#include <string.h>

enum { PACK, DTYPE, SHAPE };
static const struct fum_attr_def attrs[] = {
    {"pack", FUM_PACK_NONE}, {"dtype", -1}, FUM_SHAPE_ATTR_DEFS, {0}};

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    int64_t pack;
    if (!fum_attr_int(call->attr[PACK], "pack", FUM_PACK_NONE, FUM_PACK_CONV, &pack, why) ||
        !fum_attr_storage(call->attr[DTYPE], &call->out.dtype, why) ||
        !fum_shape_from_attrs(call->attr + SHAPE, &call->out.shape, why))
        return false;
    const struct fum_desc *x = &call->in[0];
    if (x->shape.rank != 1 || !fum_is_storage(x->dtype) ||
        x->shape.dim[0] != fum_shape_count(&call->out.shape))
        return fum_refuse(why, "x must be a row of as many numbers as the weight has");
    if (pack != FUM_PACK_NONE && call->out.shape.rank != (pack == FUM_PACK_CONV ? 4 : 2))
        return fum_refuse(why, "the weight must have %d dimensions", pack == FUM_PACK_CONV ? 4 : 2);
    return true;
}

static int64_t taps_of(const struct fum_op_call *call) {
    const int64_t *d = call->out.shape.dim;
    return call->attr[PACK] == FUM_PACK_CONV && d[0] > 0 && d[1] > 0 ? d[0] * d[1] : 1;
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    int64_t rows = fum_shape_rows(&call->out.shape), columns = fum_shape_channels(&call->out.shape);
    int64_t taps = taps_of(call), channels = rows / taps;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < columns; c++) {
            int64_t inner = r % channels * taps + r / channels;
            out[r * columns + c] =
                in[0][call->attr[PACK] == FUM_PACK_NONE ? r * columns + c : c * rows + inner];
        }
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    struct fum_device_pack_chunk part = {.from = call->in[0].dtype,
                                         .to = call->out.dtype,
                                         .pack = (enum fum_pack)call->attr[PACK],
                                         .rows = fum_shape_rows(&call->out.shape),
                                         .columns = fum_shape_channels(&call->out.shape),
                                         .row_quads = fum_shape_row_quads(&call->out.shape),
                                         .taps = taps_of(call)};
    if (fum_shape_count(&call->out.shape) == 0) return true;
    struct fum_dispatch *d = fum_emit(list, "device_pack", FUM_F32, 1);
    if (!d || !fum_emit_bind_whole(list, d, 0, false, &call->in[0]) ||
        !fum_emit_bind_whole(list, d, FUM_OUT, true, &call->out))
        return false;
    d->num_spec = FUM_DEVICE_PACK_SPEC;
    d->num_push = FUM_DEVICE_PACK_PUSH;
    return fum_device_pack_fill(list->info, &part, d->spec, d->push, d->groups) ||
           fum_refuse(&list->why, "needs more workgroups than the device has");
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
