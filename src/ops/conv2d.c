// SPDX-License-Identifier: MIT
// 2-D convolution with epilogue, as an implicit matrix product: no patch buffer.
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "ops/lib/unary.h"
#include "ops/variants/variant.h"
#include "ops/lib/winograd.h"

const struct fum_attr_def fum_conv_attrs[] = {{"stride", 1},   {"pad", 0}, {"pad_end_extra", 0},
                                              {"upsample", 0}, {"act", 0}, {"norm_act", 0},
                                              {NULL, 0}};

bool fum_conv_infer_norm(const struct fum_op_call *call, struct fum_why *why) {
    const struct fum_shape *x = &call->in[0].shape, *s = &call->in[FUM_CONV_NORM].shape;
    if (!call->has[FUM_CONV_NORM] ||
        (call->in[FUM_CONV_NORM].dtype == FUM_F32 && s->rank == 3 && s->dim[0] == x->dim[0] &&
         s->dim[1] == 2 && s->dim[2] == x->dim[3]))
        return true;
    return fum_refuse(why, "scales and shifts of x must be f32 [%lld, 2, %lld]",
                      (long long)x->dim[0], (long long)x->dim[3]);
}

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    const struct fum_shape *x = &call->in[0].shape, *w = &call->in[1].shape;
    int64_t stride = (int64_t)call->attr[FUM_CONV_STRIDE], pad = (int64_t)call->attr[FUM_CONV_PAD];
    int64_t padding = 2 * pad + (int64_t)call->attr[FUM_CONV_PAD_END_EXTRA];
    int64_t up = call->attr[FUM_CONV_UPSAMPLE] != 0 ? 2 : 1;
    if (x->rank != 4 || w->rank != 4)
        return fum_refuse(why,
                          "x must be [batch, height, width, in] and w [height, width, in, out]");
    if (x->dim[3] != w->dim[2])
        return fum_refuse(why, "x has %lld channels but w takes %lld", (long long)x->dim[3],
                          (long long)w->dim[2]);
    if (stride < 1 || pad < 0 || padding < 2 * pad)
        return fum_refuse(why, "stride must be 1 or more and paddings not negative");
    int64_t high = x->dim[1] * up + padding - w->dim[0],
            wide = x->dim[2] * up + padding - w->dim[1];
    if (w->dim[0] < 1 || w->dim[1] < 1 || high < 0 || wide < 0)
        return fum_refuse(why, "the image with its padding is smaller than the kernel");
    call->out.shape =
        (struct fum_shape){4, {x->dim[0], high / stride + 1, wide / stride + 1, w->dim[3]}};
    call->out.dtype = call->in[0].dtype;
    return fum_conv_infer_norm(call, why) && fum_gemm_infer_epilogue(call, 2, why);
}

// Channel k of the pixel as the convolution sees it; `norm`: [2, channels] of its image, or NULL.
static double pixel_value(const struct fum_conv *c, const double *pixel, const double *norm,
                          enum fum_act act, int64_t k) {
    return norm ? fum_act_reference(act, pixel[k] * norm[k] + norm[c->in_c + k]) : pixel[k];
}

static double sum_at(const struct fum_conv *c, const double *x, const double *w, const double *norm,
                     enum fum_act act, int64_t b, int64_t oy, int64_t ox, int64_t n) {
    double sum = 0;
    if (norm) norm += b * 2 * c->in_c;
    for (int64_t ky = 0; ky < c->kernel_h; ky++) {
        for (int64_t kx = 0; kx < c->kernel_w; kx++) {
            int64_t iy = oy * c->stride - c->pad + ky, ix = ox * c->stride - c->pad + kx;
            if (iy < 0 || iy >= c->in_h * c->up || ix < 0 || ix >= c->in_w * c->up) continue;
            const double *pixel = x + ((b * c->in_h + iy / c->up) * c->in_w + ix / c->up) * c->in_c;
            const double *tap = w + (ky * c->kernel_w + kx) * c->in_c * c->out_c;
            for (int64_t k = 0; k < c->in_c; k++)
                sum += pixel_value(c, pixel, norm, act, k) * (double)tap[k * c->out_c + n];
        }
    }
    return sum;
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    struct fum_conv c = fum_conv_of(call);
    const double *norm = call->has[FUM_CONV_NORM] ? in[FUM_CONV_NORM] : NULL;
    enum fum_act norm_act = (enum fum_act)call->attr[FUM_CONV_NORM_ACT];
    for (int64_t row = 0; row < c.batches * c.out_h * c.out_w; row++) {
        int64_t b = row / (c.out_h * c.out_w), oy = row / c.out_w % c.out_h, ox = row % c.out_w;
        for (int64_t n = 0; n < c.out_c; n++)
            out[row * c.out_c + n] =
                fum_gemm_finish(call, in, sum_at(&c, in[0], in[1], norm, norm_act, b, oy, ox, n),
                                (enum fum_act)call->attr[FUM_CONV_ACT], row, n);
    }
}

void fum_conv_input_rows(const struct fum_conv *c, int64_t first, int64_t count, int64_t *begin,
                         int64_t *rows) {
    int64_t low = first * c->stride - c->pad,
            high = (first + count - 1) * c->stride - c->pad + c->kernel_h - 1;
    low = low < 0 ? 0 : low / c->up;
    high = high < 0 ? 0 : high / c->up;
    if (low > c->in_h - 1) low = c->in_h - 1;
    if (high > c->in_h - 1) high = c->in_h - 1;
    *begin = low;
    *rows = high - low + 1;
}

static bool add_part(const struct fum_gemm_kernels *kernels, const struct fum_op_call *call,
                     const struct fum_conv *c, const struct fum_part *part,
                     struct fum_dispatches *list) {
    struct fum_dispatch *d = fum_dispatch_add(list);
    if (!d)
        return fum_refuse(&list->why, "needs more than %d dispatches to fit the device's bindings",
                          FUM_MAX_DISPATCHES);
    *d = (struct fum_dispatch){.dtype = call->out.dtype, .num_bind = 7};
    int64_t pixels = part->count * c->out_w, total = pixels * part->batches, tiles_m;
    int64_t tiles_n = fum_gemm_begin(kernels, kernels->conv2d, list->info, call, d, total,
                                     c->kernel_h * c->kernel_w, c->in_c, c->out_c,
                                     (enum fum_act)call->attr[FUM_CONV_ACT], &tiles_m);
    bool norm = call->has[FUM_CONV_NORM];
    d->spec[d->num_spec++] = norm;
    d->spec[d->num_spec++] = norm ? (uint32_t)call->attr[FUM_CONV_NORM_ACT] : FUM_ACT_NONE;

    // Several whole images bind whole images; rows of one bind the input rows they touch.
    int64_t in_first = 0, in_rows = c->in_h;
    if (part->count < c->out_h)
        fum_conv_input_rows(c, part->first, part->count, &in_first, &in_rows);
    int64_t x_first = (part->batch * c->in_h + in_first) * c->in_w;
    int64_t x_count = ((part->batches - 1) * c->in_h + in_rows) * c->in_w;
    int64_t y_first = (part->batch * c->out_h + part->first) * c->out_w;
    uint32_t x_skip = 0, w_skip, y_skip, residual_skip, norm_skip = 0;
    fum_bind_rows(list, d, 5, FUM_OUT, true, &call->out, y_first, total, &y_skip);
    // An empty operand has no bytes to bind: the kernel reads nothing of it that counts.
    d->bind[0] = d->bind[1] = d->bind[5];
    d->bind[0].write = d->bind[1].write = false;
    if (c->in_c && x_count)
        fum_bind_rows(list, d, 0, FUM_GEMM_X, false, &call->in[0], x_first, x_count, &x_skip);
    if (c->in_c)
        fum_bind_rows(list, d, 1, FUM_GEMM_W, false, &call->in[1], 0, fum_conv_weight_rows(c),
                      &w_skip);
    fum_gemm_bind_epilogue(list, call, d, y_first, total, &residual_skip);
    d->bind[6] = d->bind[0];
    if (norm && c->in_c)
        fum_bind_rows(list, d, 6, FUM_CONV_NORM, false, &call->in[FUM_CONV_NORM], 2 * part->batch,
                      2 * part->batches, &norm_skip);

    bool own_row = call->has[FUM_GEMM_ROW] && fum_shape_rows(&call->in[FUM_GEMM_ROW].shape) > 1;
    const uint32_t push[] = {(uint32_t)c->kernel_h,
                             (uint32_t)c->kernel_w,
                             (uint32_t)c->stride,
                             (uint32_t)c->pad,
                             c->up == 2,
                             (uint32_t)c->in_h,
                             (uint32_t)c->in_w,
                             (uint32_t)c->out_w,
                             (uint32_t)pixels,
                             (uint32_t)part->batches,
                             (uint32_t)tiles_m,
                             (uint32_t)part->first,
                             (uint32_t)in_first,
                             x_skip,
                             y_skip,
                             residual_skip,
                             own_row ? (uint32_t)part->batch : 0,
                             own_row,
                             norm_skip};
    memcpy(d->push + d->num_push, push, sizeof push);
    d->num_push += (int)FUM_COUNT(push);
    if (!fum_groups_1d(list->info, (uint64_t)(tiles_m * tiles_n), d->groups))
        return fum_refuse(&list->why, "needs more workgroups than the device has");
    return true;
}

int64_t fum_conv_rows_that_fit(const struct fum_op_call *call, const struct fum_conv *c,
                               const struct fum_device_info *info) {
    int64_t fit = fum_rows_per_binding(info, &call->out);
    if (call->has[FUM_GEMM_RESIDUAL])
        fit = fum_min_i64(fit, fum_rows_per_binding(info, &call->in[FUM_GEMM_RESIDUAL]));
    fit = fum_min_i64(fit, INT32_MAX / 2) / c->out_w;
    int64_t in_fit = c->in_w ? fum_rows_per_binding(info, &call->in[0]) / c->in_w : INT64_MAX;
    if (in_fit >= c->in_h) return fit;
    // n output rows touch at most ((n - 1) stride + kernel - 1) / up + 2 input rows.
    int64_t doubled = (in_fit - 2) * c->up - c->kernel_h + 1;
    return doubled < 0 ? 0 : fum_min_i64(fit, doubled / c->stride + 1);
}

bool fum_conv_is_product(const struct fum_conv *c) {
    return c->kernel_h == 1 && c->kernel_w == 1 && c->stride == 1 && c->up == 1 &&
           c->out_h == c->in_h && c->out_w == c->in_w && c->pad == 0;
}

struct fum_gemm fum_conv_product(const struct fum_op_call *call, const struct fum_conv *c) {
    return (struct fum_gemm){.batches = 1,
                             .rows = c->batches * c->out_h * c->out_w,
                             .k = c->in_c,
                             .n = c->out_c,
                             .w_batches = 1,
                             .w_div = 1,
                             .w_mod = 1,
                             .row_rows = c->out_h * c->out_w,
                             .act = (enum fum_act)call->attr[FUM_CONV_ACT],
                             .scale = 1,
                             .q8 = c->q8};
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    struct fum_conv c = fum_conv_of(call);
    if (fum_shape_count(&call->out.shape) == 0) return true;
    if (fum_conv_is_product(&c) && !call->has[FUM_CONV_NORM]) {
        struct fum_gemm g = fum_conv_product(call, &c);
        return fum_gemm_dispatch(call, &g, list);
    }
    return fum_variant_conv2d(call, &c, list) ||
           fum_conv_dispatch_by(&fum_gemm_plain, call, &c, list);
}

bool fum_conv_dispatch_by(const struct fum_gemm_kernels *kernels, const struct fum_op_call *call,
                          const struct fum_conv *conv, struct fum_dispatches *list) {
    const struct fum_conv c = *conv;
    const struct fum_device_info *info = list->info;
    if (fum_desc_bytes(&call->in[1]) > info->max_binding)
        return fum_refuse(
            &list->why,
            "the weight of %llu bytes is over the device's largest binding of %llu bytes",
            (unsigned long long)fum_desc_bytes(&call->in[1]),
            (unsigned long long)info->max_binding);
    int64_t fit = fum_conv_rows_that_fit(call, &c, info);
    if (fit < 1)
        return fum_refuse(&list->why,
                          "one row of pixels is over the device's largest binding of %llu bytes",
                          (unsigned long long)info->max_binding);
    // Whole images: as many as fit the bindings of both.
    int64_t in_image = c.in_h * c.in_w, whole = fit / c.out_h;
    int64_t in_whole = in_image ? fum_rows_per_binding(info, &call->in[0]) / in_image : INT64_MAX;
    whole = fum_min_i64(whole, in_whole);
    struct fum_part part = {0};
    while (fum_part_next(&part, c.batches, c.out_h, whole, fit))
        if (!add_part(kernels, call, &c, &part, list)) return false;
    return true;
}

static double flops(const struct fum_op_call *call) {
    const int64_t *w = call->in[1].shape.dim;
    return 2.0 * (double)fum_shape_count(&call->out.shape) * (double)(w[0] * w[1] * w[2]);
}

const struct fum_input_read fum_conv_reads = {
    .double_attr = "upsample", .norm_input = FUM_CONV_NORM, .norm_act_attr = "norm_act"};

extern const struct fum_op fum_op_conv2d_q8, fum_op_conv2d_winograd;

static const struct fum_lowering lowerings[] = {
    {&fum_op_conv2d_q8, FUM_PACK_CONV, FUM_PACK_Q8, true, fum_conv2d_q8_choose},
    {&fum_op_conv2d_winograd, FUM_PACK_CONV, FUM_PACK_WINOGRAD, false, fum_winograd_choose},
    {0},
};

static const struct fum_op_fusion fusion = {
    .epilogue = &fum_gemm_epilogue, .reads = &fum_conv_reads, .lowerings = lowerings};

const struct fum_op fum_op_conv2d = {
    .name = "conv2d",
    .attrs = fum_conv_attrs,
    .min_inputs = 2,
    .max_inputs = 6,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
    .flops = flops,
    .fusion = &fusion,
};
