// SPDX-License-Identifier: MIT
#include "ops/lib/pool.h"

#include "ops/lib/emit.h"
#include "shaders/pool.pc.h"

#define SETTINGS                                                          \
    [FUM_POOL_KERNEL] = {"kernel", 2}, [FUM_POOL_STRIDE] = {"stride", 0}, \
    [FUM_POOL_PAD] = {"pad", 0}, [FUM_POOL_COUNT_INCLUDE_PAD] = {"count_include_pad", 1}
const struct fum_attr_def fum_pool_attrs[] = {SETTINGS, {NULL, 0}};
const struct fum_attr_def fum_pool_gradient_attrs[] = {
    SETTINGS, [FUM_POOL_HEIGHT] = {"height", 1}, [FUM_POOL_WIDTH] = {"width", 1}, {NULL, 0}};

bool fum_pool_of(const struct fum_op_call *call, const struct fum_shape *image,
                 struct fum_pool *pool, struct fum_why *why) {
    const double *attr = call->attr;
    enum { MOST = 1 << 15 };
    char text[96];
    *pool = (struct fum_pool){.counts_pad = attr[FUM_POOL_COUNT_INCLUDE_PAD] != 0};
    if (image->rank != 4)
        return fum_refuse(why, "the image is %s; expected [batch, height, width, channels]",
                          fum_shape_text(image, text, sizeof text));
    if (!fum_attr_int(attr[FUM_POOL_KERNEL], (struct fum_attr_range){"kernel", 1, MOST},
                      &pool->kernel, why) ||
        !fum_attr_int(attr[FUM_POOL_STRIDE], (struct fum_attr_range){"stride", 0, MOST},
                      &pool->stride, why) ||
        !fum_attr_int(attr[FUM_POOL_PAD], (struct fum_attr_range){"pad", 0, pool->kernel / 2},
                      &pool->pad, why))
        return false;
    if (!pool->stride) pool->stride = pool->kernel;
    pool->batches = image->dim[0];
    pool->in_h = image->dim[1];
    pool->in_w = image->dim[2];
    pool->channels = image->dim[3];
    int64_t room_h = pool->in_h + 2 * pool->pad - pool->kernel,
            room_w = pool->in_w + 2 * pool->pad - pool->kernel;
    if (pool->in_h < 1 || pool->in_w < 1 || room_h < 0 || room_w < 0)
        return fum_refuse(why, "the image is smaller than the kernel");
    pool->out_h = room_h / pool->stride + 1;
    pool->out_w = room_w / pool->stride + 1;
    return true;
}

bool fum_pool_infer(struct fum_op_call *call, struct fum_why *why) {
    struct fum_pool pool;
    if (!fum_is_storage(call->in[0].dtype))
        return fum_refuse(why, "the image must be f32, f16 or bf16");
    if (!fum_pool_of(call, &call->in[0].shape, &pool, why)) return false;
    call->out = call->in[0];
    call->out.shape.dim[1] = pool.out_h;
    call->out.shape.dim[2] = pool.out_w;
    return true;
}

bool fum_pool_gradient_infer(struct fum_op_call *call, const struct fum_desc *dy,
                             struct fum_why *why) {
    struct fum_pool pool;
    int64_t height, width;
    if (!fum_is_storage(dy->dtype) || dy->shape.rank != 4)
        return fum_refuse(why, "dy must be [batch, height, width, channels]");
    if (!fum_attr_int(call->attr[FUM_POOL_HEIGHT], (struct fum_attr_range){"height", 1, INT32_MAX},
                      &height, why) ||
        !fum_attr_int(call->attr[FUM_POOL_WIDTH], (struct fum_attr_range){"width", 1, INT32_MAX},
                      &width, why))
        return false;
    call->out = *dy;
    call->out.shape.dim[1] = height;
    call->out.shape.dim[2] = width;
    if (!fum_pool_of(call, &call->out.shape, &pool, why)) return false;
    if (pool.out_h == dy->shape.dim[1] && pool.out_w == dy->shape.dim[2]) return true;
    return fum_refuse(why, "dy must be %lld x %lld pixels", (long long)pool.out_h,
                      (long long)pool.out_w);
}

bool fum_pool_next(const struct fum_pool *pool, struct fum_pool_window *window) {
    int64_t at = window->next++;
    if (at >= pool->batches * pool->out_h * pool->out_w) return false;
    int64_t y = at / pool->out_w % pool->out_h * pool->stride - pool->pad,
            x = at % pool->out_w * pool->stride - pool->pad;
    window->top = FUM_MAX(y, 0);
    window->left = FUM_MAX(x, 0);
    window->bottom = FUM_MIN(y + pool->kernel, pool->in_h);
    window->right = FUM_MIN(x + pool->kernel, pool->in_w);
    int64_t inside = (window->bottom - window->top) * (window->right - window->left);
    window->divisor = (double)(pool->counts_pad ? pool->kernel * pool->kernel : inside);
    return true;
}

int64_t fum_pool_image(const struct fum_pool *pool, const struct fum_pool_window *window) {
    int64_t image = (window->next - 1) / pool->out_w / pool->out_h;
    return image * pool->in_h * pool->in_w * pool->channels;
}

// Returns the image that is pooled: the input, or the output of a gradient.
static const struct fum_shape *pooled_image(const struct fum_op_call *call, bool is_gradient) {
    return is_gradient ? &call->out.shape : &call->in[0].shape;
}

static struct fum_rows images_of(const struct fum_desc *desc, int64_t first, int64_t count) {
    int64_t pixels = desc->shape.dim[1] * desc->shape.dim[2];
    return (struct fum_rows){desc, first * pixels, count * pixels};
}

// Returns how many images of each operand fit a binding.
static int64_t images_that_fit(const struct fum_op_call *call, const struct fum_device_info *info) {
    int64_t most = INT32_MAX;
    for (int i = -1; i < call->num_inputs; i++) {
        const struct fum_desc *desc = i < 0 ? &call->out : &call->in[i];
        int64_t rows = fum_rows_per_binding(info, desc);
        if (rows < INT64_MAX) rows /= desc->shape.dim[1] * desc->shape.dim[2];
        most = FUM_MIN(most, rows);
    }
    return most;
}

bool fum_pool_dispatch(const struct fum_op_call *call, const char *shader, int maximum,
                       struct fum_dispatches *list) {
    const struct fum_desc *out = &call->out;
    struct fum_pool p;
    if (!fum_shape_count(&out->shape)) return true;
    if (!fum_pool_of(call, pooled_image(call, maximum < 0), &p, &list->why)) return false;
    int64_t most = images_that_fit(call, list->info);
    if (most < 1) return fum_refuse_size(&list->why, list->info, "one image");
    for (int64_t first = 0; first < p.batches; first += most) {
        int64_t count = FUM_MIN(most, p.batches - first), row = fum_shape_row_quads(&out->shape);
        struct fum_pool_push push = {.quads = (uint32_t)(images_of(out, 0, count).count * row),
                                     .row_quads = (uint32_t)row,
                                     .in_h = (uint32_t)p.in_h,
                                     .in_w = (uint32_t)p.in_w,
                                     .out_h = (uint32_t)p.out_h,
                                     .out_w = (uint32_t)p.out_w,
                                     .kernel = (int32_t)p.kernel,
                                     .stride = (int32_t)p.stride,
                                     .pad = (int32_t)p.pad,
                                     .counts_pad = p.counts_pad};
        struct fum_dispatch *d = fum_emit(list, shader, out->dtype, push.quads);
        if (!d) return false;
        if (maximum >= 0) fum_emit_spec(d, (uint32_t)maximum);
        for (int i = 0; i < call->num_inputs; i++)
            push.skip[i] = fum_emit_rows(list, d, i, images_of(&call->in[i], first, count));
        push.skip[call->num_inputs] = fum_emit_rows(list, d, FUM_OUT, images_of(out, first, count));
        FUM_EMIT_PUSH(d, push);
    }
    return true;
}

fum_tensor *fum_pool_add_gradient(struct fum_gradient *g, const char *op,
                                  struct fum_inputs inputs) {
    const double *attr = g->node->attr;
    const int64_t *image = g->node->in[0]->desc.shape.dim;
    const struct fum_attr attrs[] = {{"kernel", attr[FUM_POOL_KERNEL]},
                                     {"stride", attr[FUM_POOL_STRIDE]},
                                     {"pad", attr[FUM_POOL_PAD]},
                                     {"count_include_pad", attr[FUM_POOL_COUNT_INCLUDE_PAD]},
                                     {"height", (double)image[1]},
                                     {"width", (double)image[2]},
                                     {0}};
    return fum_gradient_add(g, op, inputs, attrs);
}

double fum_pool_flops(const struct fum_op_call *call) {
    double kernel = call->attr[FUM_POOL_KERNEL];
    return (double)fum_shape_count(&call->out.shape) * kernel * kernel;
}
