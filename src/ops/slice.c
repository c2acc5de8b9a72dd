// SPDX-License-Identifier: MIT
// `count` entries along an axis, from `start` on; -1, the default axis, is the channels.
#include "graph/fuse/fuse.h"
#include "graph/gradient.h"
#include "ops/lib/copy.h"
#include "ops/lib/emit.h"

enum { AXIS, START, COUNT };
static const struct fum_attr_def attrs[] = {
    [AXIS] = {"axis", -1}, [START] = {"start", 0}, [COUNT] = {"count", 1}, {0}};

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    const struct fum_shape *shape = &call->in[0].shape;
    int64_t start, count;
    int axis;
    if (!fum_axis(shape, call->attr[AXIS], &axis, why)) return false;
    if (!fum_attr_int(call->attr[START], (struct fum_attr_range){"start", 0, shape->dim[axis]},
                      &start, why))
        return false;
    if (!fum_attr_int(call->attr[COUNT],
                      (struct fum_attr_range){"count", 0, shape->dim[axis] - start}, &count, why))
        return false;
    call->out = call->in[0];
    call->out.shape.dim[axis] = count;
    return true;
}

static struct fum_copy region(const struct fum_op_call *call) {
    int axis = (int)call->attr[AXIS] + (call->attr[AXIS] < 0 ? call->out.shape.rank : 0);
    return fum_copy_along(&call->in[0], &call->out,
                          (struct fum_axis_place){axis, (int64_t)call->attr[START], 0});
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    struct fum_copy c = region(call);
    fum_copy_reference(&c, in[0], out);
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    struct fum_copy c = region(call);
    return fum_copy_emit(list, &c);
}

// True if the output is whole rows that follow one another, or elements of the only row.
static bool is_alias(const struct fum_op_call *call, uint64_t *offset) {
    struct fum_copy c = region(call);
    if (!fum_shape_count(&call->out.shape)) return false;
    if (c.runs > 1 ||
        (c.channels != fum_shape_channels(&c.src.shape) && (c.run > 1 || c.src_channel % 4)))
        return false;
    *offset = (uint64_t)c.src_row * fum_desc_row_bytes(&c.src) +
              (uint64_t)c.src_channel * fum_dtype_size(c.src.dtype);
    return true;
}

// Adds dy between the zeros of what was left out before and after it.
static bool gradient(struct fum_gradient *g) {
    const struct fum_shape *from = &g->node->in[0]->desc.shape;
    struct fum_shape before = g->node->desc.shape, after = before;
    int axis = (int)g->node->attr[AXIS] + (g->node->attr[AXIS] < 0 ? from->rank : 0);
    const struct fum_attr along[] = {{"axis", axis}, {0}};
    before.dim[axis] = (int64_t)g->node->attr[START];
    after.dim[axis] = from->dim[axis] - before.dim[axis] - g->node->desc.shape.dim[axis];
    fum_tensor *parts[3];
    int count = 0;
    if (before.dim[axis]) parts[count++] = fum_gradient_fill(g, 0, before);
    parts[count++] = g->dout;
    if (after.dim[axis]) parts[count++] = fum_gradient_fill(g, 0, after);
    g->grad[0] = parts[0];
    if (count > 1)
        g->grad[0] = fum_gradient_add(g, "concat", (struct fum_inputs){parts, count}, along);
    return true;
}

const struct fum_op fum_op_slice = {
    .name = "slice",
    .attrs = attrs,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
    .gradient = gradient,
    .fusion = &(const struct fum_op_fusion){.is_alias = is_alias},
};
