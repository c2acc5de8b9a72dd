// SPDX-License-Identifier: MIT
#include "ops/lib/shape_attrs.h"

#include "ops/lib/emit.h"

#include <string.h>

int64_t fum_dim4(const struct fum_shape *shape, int i) {
    int at = i - (FUM_MAX_DIMS - shape->rank);
    return at < 0 ? 1 : shape->dim[at];
}

bool fum_shape_broadcasts(const struct fum_shape *from, const struct fum_shape *to) {
    if (from->rank > to->rank) return false;
    for (int i = 0; i < FUM_MAX_DIMS; i++)
        if (fum_dim4(from, i) != 1 && fum_dim4(from, i) != fum_dim4(to, i)) return false;
    return true;
}

bool fum_shape_from_attrs(const double *attr, struct fum_shape *shape, struct fum_why *why) {
    static const char *const names[FUM_MAX_DIMS] = {"d0", "d1", "d2", "d3"};
    int64_t rank, count = 1, limit = INT64_C(1) << 48; // so that no product of them overflows
    if (!fum_attr_int(attr[0], (struct fum_attr_range){"rank", 1, FUM_MAX_DIMS}, &rank, why))
        return false;
    *shape = (struct fum_shape){.rank = (int)rank};
    for (int i = 0; i < rank; i++) {
        if (!fum_attr_int(attr[1 + i], (struct fum_attr_range){names[i], 0, limit}, &shape->dim[i],
                          why))
            return false;
        if (shape->dim[i] && count > limit / shape->dim[i])
            return fum_refuse(why, "the settings d0 to d3 give too many elements");
        count *= shape->dim[i] ? shape->dim[i] : 1;
    }
    return true;
}

bool fum_reshape_infer(struct fum_op_call *call, struct fum_why *why) {
    char left[96], right[96];
    call->out = call->in[0];
    if (!fum_shape_from_attrs(call->attr, &call->out.shape, why)) return false;
    if (fum_shape_count(&call->out.shape) == fum_shape_count(&call->in[0].shape)) return true;
    return fum_refuse(why, "%s has not as many elements as %s",
                      fum_shape_text(&call->out.shape, left, sizeof left),
                      fum_shape_text(&call->in[0].shape, right, sizeof right));
}

void fum_reshape_reference(const struct fum_op_call *call, const double *const *in, double *out) {
    memcpy(out, in[0], (size_t)fum_shape_count(&call->out.shape) * sizeof *out);
}
