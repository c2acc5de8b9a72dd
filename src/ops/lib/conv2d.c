// SPDX-License-Identifier: MIT
#include "ops/lib/conv2d.h"

#include "ops/lib/unary.h"
#include "shaders/conv2d.pc.h"

const struct fum_attr_def fum_conv_attrs[] = {
    {"stride", 1},   {"pad", 0},        {"pad_end_extra", 0}, {"upsample", 0}, {"act", 0},
    {"norm_act", 0}, {"pad_width", -1}, {"panels", 0},        {NULL, 0}};

bool fum_conv_infer_norm(const struct fum_op_call *call, struct fum_why *why) {
    const struct fum_shape *x = &call->in[0].shape, *s = &call->in[FUM_CONV_NORM].shape;
    if (!call->has[FUM_CONV_NORM] ||
        (call->in[FUM_CONV_NORM].dtype == FUM_F32 && s->rank == 3 && s->dim[0] == x->dim[0] &&
         s->dim[1] == 2 && s->dim[2] == x->dim[3]))
        return true;
    return fum_refuse(why, "scales and shifts of x must be f32 [%lld, 2, %lld]",
                      (long long)x->dim[0], (long long)x->dim[3]);
}

struct fum_shape fum_conv_kernel(const struct fum_op_call *call) {
    const struct fum_shape *w = &call->in[FUM_GEMM_W].shape;
    int64_t side = w->dim[0];
    if (call->attr[FUM_CONV_PANELS] == 0) return *w;
    return (struct fum_shape){4, {side, side, w->dim[2], w->dim[1] / side * w->dim[3]}};
}

bool fum_conv_is_product(const struct fum_conv *c) {
    return c->kernel_h == 1 && c->kernel_w == 1 && c->stride == 1 && c->up == 1 &&
           c->out_h == c->in_h && c->out_w == c->in_w && c->pad == 0 && c->pad_x == 0;
}

struct fum_gemm fum_conv_product(const struct fum_op_call *call, const struct fum_conv *c) {
    return (struct fum_gemm){.batches = 1,
                             .rows = c->batches * c->out_h * c->out_w,
                             .k = c->in_c,
                             .n = c->out_c,
                             .w_batches = 1,
                             .w_share = 1,
                             .row_share = c->out_h * c->out_w,
                             .act = (enum fum_act)call->attr[FUM_CONV_ACT],
                             .scale = 1,
                             .w = c->w,
                             .panels = c->panels,
                             .quantised = c->quantised};
}

// ---- references ----

struct fum_conv_image fum_conv_image_of(const struct fum_op_call *call, const struct fum_conv *c,
                                        const double *const *in, int64_t batch) {
    struct fum_conv_image image = {.conv = c,
                                   .x = in[FUM_GEMM_X] + batch * c->in_h * c->in_w * c->in_c,
                                   .norm_act = (enum fum_act)call->attr[FUM_CONV_NORM_ACT]};
    if (call->has[FUM_CONV_NORM]) image.norm = in[FUM_CONV_NORM] + batch * 2 * c->in_c;
    return image;
}

double fum_conv_pixel(const struct fum_conv_image *image, int64_t y, int64_t x, int64_t k) {
    const struct fum_conv *c = image->conv;
    if (y < 0 || y >= c->in_h * c->up || x < 0 || x >= c->in_w * c->up) return 0;
    double v = image->x[(y / c->up * c->in_w + x / c->up) * c->in_c + k];
    if (!image->norm) return v;
    return fum_act_reference(image->norm_act, v * image->norm[k] + image->norm[c->in_c + k]);
}

// ---- parts ----

struct fum_conv_lines fum_conv_input_lines(const struct fum_conv *c, int64_t first, int64_t count) {
    int64_t low = first * c->stride - c->pad,
            high = (first + count - 1) * c->stride - c->pad + c->kernel_h - 1;
    low = FUM_MIN(low < 0 ? 0 : low / c->up, c->in_h - 1);
    high = FUM_MIN(high < 0 ? 0 : high / c->up, c->in_h - 1);
    return (struct fum_conv_lines){low, high - low + 1};
}

struct fum_rows fum_conv_x_rows(const struct fum_op_call *call, const struct fum_conv *c,
                                const struct fum_part *part, int64_t *first_line) {
    struct fum_conv_lines lines = {0, c->in_h};
    if (part->count < c->out_h) lines = fum_conv_input_lines(c, part->first, part->count);
    *first_line = lines.first;
    return (struct fum_rows){&call->in[FUM_GEMM_X], (part->batch * c->in_h + lines.first) * c->in_w,
                             ((part->batches - 1) * c->in_h + lines.count) * c->in_w};
}

int64_t fum_conv_rows_that_fit(const struct fum_op_call *call, const struct fum_conv *c,
                               const struct fum_device_info *info) {
    int64_t fit = fum_rows_per_binding(info, &call->out);
    if (call->has[FUM_GEMM_RESIDUAL])
        fit = FUM_MIN(fit, fum_rows_per_binding(info, &call->in[FUM_GEMM_RESIDUAL]));
    fit = FUM_MIN(fit, INT32_MAX / 2) / c->out_w;
    int64_t in_fit = c->in_w ? fum_rows_per_binding(info, &call->in[0]) / c->in_w : INT64_MAX;
    if (in_fit >= c->in_h) return fit;
    // n output rows touch at most ((n - 1) stride + kernel - 1) / up + 2 input rows.
    int64_t doubled = (in_fit - 2) * c->up - c->kernel_h + 1;
    return doubled < 0 ? 0 : FUM_MIN(fit, doubled / c->stride + 1);
}

bool fum_conv_cut(const struct fum_op_call *call, const struct fum_conv *c,
                  const struct fum_device_info *info, struct fum_cut *cut, struct fum_why *why) {
    if (fum_desc_bytes(&c->w) > info->max_binding) return fum_refuse_size(why, info, "the weight");
    int64_t fit = fum_conv_rows_that_fit(call, c, info), image = c->in_h * c->in_w;
    if (fit < 1) return fum_refuse_size(why, info, "one row of pixels");
    int64_t images = image ? fum_rows_per_binding(info, &call->in[FUM_GEMM_X]) / image : INT64_MAX;
    *cut = (struct fum_cut){FUM_MIN(fit / c->out_h, images), fit};
    return true;
}

// ---- dispatches ----

// A convolution that is cut into parts.
struct job {
    const struct fum_gemm_kernels *kernels;
    const struct fum_op_call *call;
    const struct fum_conv *conv;
    struct fum_dispatches *list;
};

// Binds x, w, the epilogue's operands, the output and norm of a part, and sets what is skipped of
// each.
static void bind_part(const struct job *job, struct fum_dispatch *d, const struct fum_part *part,
                      struct fum_conv2d_push *push) {
    const struct fum_op_call *call = job->call;
    const struct fum_conv *c = job->conv;
    const struct fum_dispatches *list = job->list;
    int64_t y_first = (part->batch * c->out_h + part->first) * c->out_w,
            y_count = part->count * part->batches * c->out_w, first_line;
    uint32_t w_skip;
    const struct fum_rows out = {&call->out, y_first, y_count},
                          x = fum_conv_x_rows(call, c, part, &first_line),
                          w = {&c->w, 0, fum_shape_rows(&c->w.shape)},
                          norm = {&call->in[FUM_CONV_NORM], 2 * part->batch, 2 * part->batches};
    push->first_in_y = (uint32_t)first_line;
    d->bind[5] = fum_bind_rows(list, FUM_OUT, out, &push->y_skip);
    // An empty operand has no bytes to bind: the kernel reads nothing of it that counts.
    d->bind[0] = d->bind[1] = d->bind[5];
    d->bind[0].write = d->bind[1].write = false;
    if (c->in_c && x.count) d->bind[0] = fum_bind_rows(list, FUM_GEMM_X, x, &push->x_skip);
    if (c->in_c) d->bind[1] = fum_bind_rows(list, FUM_GEMM_W, w, &w_skip);
    push->residual_skip = fum_gemm_bind_epilogue(list, call, y_first, y_count, d->bind);
    d->bind[6] = d->bind[0];
    if (call->has[FUM_CONV_NORM] && c->in_c)
        d->bind[6] = fum_bind_rows(list, FUM_CONV_NORM, norm, &push->norm_skip);
    d->num_bind = 7;
}

static bool add_part(const struct job *job, const struct fum_part *part) {
    const struct fum_op_call *call = job->call;
    const struct fum_conv *c = job->conv;
    int64_t pixels = part->count * c->out_w;
    const struct fum_gemm_shape shape = {
        .kernels = job->kernels,
        .shader = job->kernels->conv2d,
        .quantised = c->quantised,
        .dtype = call->out.dtype,
        .batches = 1,
        .rows = pixels * part->batches,
        .taps = c->kernel_h * c->kernel_w,
        .k = c->in_c,
        .n = c->out_c,
        .act = (enum fum_act)call->attr[FUM_CONV_ACT],
        .epilogue = fum_gemm_epilogue_of(call),
    };
    struct fum_gemm_grid grid;
    struct fum_dispatch *d = fum_gemm_emit(job->list, &shape, &grid);
    if (!d) return false;
    bool norm = call->has[FUM_CONV_NORM];
    FUM_EMIT_SPECS(d, norm, norm ? (uint32_t)call->attr[FUM_CONV_NORM_ACT] : FUM_ACT_NONE);
    bool own_row = call->has[FUM_GEMM_ROW] && fum_shape_rows(&call->in[FUM_GEMM_ROW].shape) > 1;
    struct fum_conv2d_push push = {
        .k_size = (uint32_t)c->in_c,
        .n_size = (uint32_t)c->out_c,
        .k_quads = (uint32_t)FUM_DIV_UP(c->in_c, 4),
        .n_quads = (uint32_t)FUM_DIV_UP(c->out_c, 4),
        .tiles_n = (uint32_t)grid.tiles_n,
        .epilogue = shape.epilogue,
        .kernel_h = (uint32_t)c->kernel_h,
        .kernel_w = (uint32_t)c->kernel_w,
        .stride = (int32_t)c->stride,
        .pad = (int32_t)c->pad,
        .pad_x = (int32_t)c->pad_x,
        .upsample = c->up == 2,
        .in_h = (uint32_t)c->in_h,
        .in_w = (uint32_t)c->in_w,
        .out_w = (uint32_t)c->out_w,
        .pixels = (uint32_t)pixels,
        .batches = (uint32_t)part->batches,
        .tiles_m = (uint32_t)grid.tiles_m,
        .first_y = (uint32_t)part->first,
        .row_begin = own_row ? (uint32_t)part->batch : 0,
        .row_step = own_row,
        .panel_quads = fum_gemm_panel_quads(c->panels, c->out_c),
    };
    bind_part(job, d, part, &push);
    FUM_EMIT_PUSH(d, push);
    return true;
}

bool fum_conv_dispatch_by(const struct fum_gemm_kernels *kernels, const struct fum_op_call *call,
                          const struct fum_conv *conv, struct fum_dispatches *list) {
    const struct job job = {kernels, call, conv, list};
    struct fum_cut cut;
    if (!fum_conv_cut(call, conv, list->info, &cut, &list->why)) return false;
    struct fum_part part = {0};
    while (fum_part_next(&part, conv->batches, conv->out_h, cut))
        if (!add_part(&job, &part)) return false;
    return true;
}
