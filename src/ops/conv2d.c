// SPDX-License-Identifier: MIT
// 2-D convolution with epilogue, as an implicit matrix product: no patch buffer.

#include "graph/gradient.h"
#include "ops/variants/variant.h"
#include "ops/lib/winograd.h"

// Checks a weight in panels.
static bool infer_panels(const struct fum_op_call *call, struct fum_why *why) {
    const struct fum_shape *w = &call->in[FUM_GEMM_W].shape;
    if (call->attr[FUM_CONV_PANELS] == 0) return true;
    if (w->rank == 4 && w->dim[3] == FUM_PACK_PANEL && w->dim[0] > 0 &&
        w->dim[1] % w->dim[0] == 0 && !call->quantised[FUM_GEMM_W])
        return true;
    return fum_refuse(why, "a weight in panels must be dense [side, side * out / %d, in, %d]",
                      FUM_PACK_PANEL, FUM_PACK_PANEL);
}

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    if (!infer_panels(call, why)) return false;
    const struct fum_shape *x = &call->in[0].shape, kernel = fum_conv_kernel(call), *w = &kernel;
    int64_t stride = (int64_t)call->attr[FUM_CONV_STRIDE], pad = (int64_t)call->attr[FUM_CONV_PAD];
    int64_t extra = (int64_t)call->attr[FUM_CONV_PAD_END_EXTRA], padding = 2 * pad + extra,
            padding_x = 2 * fum_conv_pad_width(call->attr) + extra;
    int64_t up = call->attr[FUM_CONV_UPSAMPLE] != 0 ? 2 : 1;
    if (x->rank != 4 || w->rank != 4)
        return fum_refuse(why,
                          "x must be [batch, height, width, in] and w [height, width, in, out]");
    if (x->dim[3] != w->dim[2])
        return fum_refuse(why, "x has %lld channels but w takes %lld", (long long)x->dim[3],
                          (long long)w->dim[2]);
    if (stride < 1 || pad < 0 || extra < 0)
        return fum_refuse(why, "stride must be 1 or more and paddings not negative");
    int64_t high = x->dim[1] * up + padding - w->dim[0],
            wide = x->dim[2] * up + padding_x - w->dim[1];
    if (w->dim[0] < 1 || w->dim[1] < 1 || high < 0 || wide < 0)
        return fum_refuse(why, "the image with its padding is smaller than the kernel");
    call->out.shape =
        (struct fum_shape){4, {x->dim[0], high / stride + 1, wide / stride + 1, w->dim[3]}};
    call->out.dtype = call->in[0].dtype;
    return fum_gemm_infer_weight(call, false, why) && fum_conv_infer_norm(call, why) &&
           fum_gemm_infer_epilogue(call, 2, why);
}

// Returns output channel n of a pixel, without the epilogue.
static double sum_at(const struct fum_conv_image *image, const double *w, int64_t oy, int64_t ox,
                     int64_t n) {
    const struct fum_conv *c = image->conv;
    int64_t panel = c->panels ? FUM_PACK_PANEL : c->out_c;
    double sum = 0;
    for (int64_t tap = 0; tap < c->kernel_h * c->kernel_w; tap++) {
        int64_t y = oy * c->stride - c->pad + tap / c->kernel_w,
                x = ox * c->stride - c->pad_x + tap % c->kernel_w;
        if (y < 0 || y >= c->in_h * c->up || x < 0 || x >= c->in_w * c->up) continue;
        for (int64_t k = 0; k < c->in_c; k++)
            sum += fum_conv_pixel(image, y, x, k) *
                   w[tap * c->in_c * c->out_c + (n / panel * c->in_c + k) * panel + n % panel];
    }
    return sum;
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    struct fum_conv c = fum_conv_of(call);
    enum fum_act act = (enum fum_act)call->attr[FUM_CONV_ACT];
    for (int64_t row = 0; row < c.batches * c.out_h * c.out_w; row++) {
        int64_t b = row / (c.out_h * c.out_w), oy = row / c.out_w % c.out_h, ox = row % c.out_w;
        struct fum_conv_image image = fum_conv_image_of(call, &c, in, b);
        for (int64_t n = 0; n < c.out_c; n++) {
            double sum = sum_at(&image, in[FUM_GEMM_W], oy, ox, n);
            out[row * c.out_c + n] =
                fum_gemm_finish(call, in, (struct fum_gemm_element){row, n, act}, sum);
        }
    }
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    struct fum_conv c = fum_conv_of(call);
    if (fum_shape_count(&call->out.shape) == 0) return true;
    if (fum_conv_is_product(&c) && !call->has[FUM_CONV_NORM]) {
        struct fum_gemm g = fum_conv_product(call, &c);
        return fum_variant_matmul(call, &g, list);
    }
    return fum_variant_conv2d(call, &c, list);
}

// ---- gradient ----

// The convolution of dy, of stride 1, that gives the gradient by the image.
struct input_gradient {
    int64_t before, extra; // zeros around dy: on all sides, and more at the ends
    int64_t taps[2];       // height and width of its kernel
};

// Finds that convolution. The taps of pixel s i + a reach dy's pixels from i - before on. Taps that
// are zero give both axes the same padding.
static struct input_gradient find_input_gradient(const fum_tensor *node) {
    const int64_t *x = node->in[FUM_GEMM_X]->desc.shape.dim,
                  *w = node->in[FUM_GEMM_W]->desc.shape.dim, *y = node->desc.shape.dim;
    int64_t s = (int64_t)node->attr[FUM_CONV_STRIDE];
    const int64_t pad[2] = {(int64_t)node->attr[FUM_CONV_PAD], fum_conv_pad_width(node->attr)};
    struct input_gradient c = {0};
    for (int i = 0; i < 2; i++) c.before = FUM_MAX(c.before, (w[i] - 1 - pad[i]) / s);
    for (int i = 0; i < 2; i++)
        c.extra =
            FUM_MAX(c.extra, FUM_DIV_UP(x[1 + i], s) - y[1 + i] - c.before + FUM_DIV_UP(pad[i], s));
    for (int i = 0; i < 2; i++)
        c.taps[i] = c.extra - FUM_DIV_UP(x[1 + i], s) + y[1 + i] + 2 * c.before + 1;
    return c;
}

// Returns the first `count` entries of an axis.
static fum_tensor *add_first(struct fum_gradient *g, fum_tensor *value, int axis, int64_t count) {
    const struct fum_attr attrs[] = {{"axis", axis}, {"count", (double)count}, {0}};
    if (!value || value->desc.shape.dim[axis] == count) return value;
    return fum_gradient_add(g, "slice", FUM_INPUTS(value), attrs);
}

static fum_tensor *add_input_gradient(struct fum_gradient *g) {
    const fum_tensor *node = g->node;
    fum_tensor *w = node->in[FUM_GEMM_W];
    const int64_t *image = node->in[FUM_GEMM_X]->desc.shape.dim, *kernel = w->desc.shape.dim;
    double stride = node->attr[FUM_CONV_STRIDE], pad = node->attr[FUM_CONV_PAD],
           pad_width = (double)fum_conv_pad_width(node->attr);
    if (kernel[0] * kernel[1] == 1 && stride == 1 && pad == 0 && pad_width == 0) {
        const struct fum_attr turned[] = {{"transpose_b", 1}, {0}};
        w = fum_gradient_reshape(g, w, (struct fum_shape){2, {kernel[2], kernel[3]}});
        return fum_gradient_add(g, "matmul", FUM_INPUTS(g->dout, w), turned);
    }
    const struct input_gradient c = find_input_gradient(node);
    const struct fum_attr taps[] = {{"stride", stride},
                                    {"pad", pad},
                                    {"first", -(double)c.before},
                                    {"height", (double)c.taps[0]},
                                    {"width", (double)c.taps[1]},
                                    {"pad_width", pad_width},
                                    {0}},
                          padding[] = {
                              {"pad", (double)c.before}, {"pad_end_extra", (double)c.extra}, {0}};
    w = fum_gradient_add(g, "conv2d_gradient_kernel", FUM_INPUTS(w), taps);
    fum_tensor *dx = fum_gradient_add(g, "conv2d", FUM_INPUTS(g->dout, w), padding);
    if (stride > 1) {
        const struct fum_attr factor[] = {{"factor", stride}, {0}};
        dx = fum_gradient_add(g, "pixel_shuffle", FUM_INPUTS(dx), factor);
    }
    return add_first(g, add_first(g, dx, 1, image[1]), 2, image[2]);
}

static fum_tensor *add_weight_gradient(struct fum_gradient *g) {
    const int64_t *kernel = g->node->in[FUM_GEMM_W]->desc.shape.dim;
    const struct fum_attr attrs[] = {{"stride", g->node->attr[FUM_CONV_STRIDE]},
                                     {"pad", g->node->attr[FUM_CONV_PAD]},
                                     {"height", (double)kernel[0]},
                                     {"width", (double)kernel[1]},
                                     {"pad_width", (double)fum_conv_pad_width(g->node->attr)},
                                     {0}};
    return fum_gradient_add(g, "conv2d_weight_gradient",
                            FUM_INPUTS(g->node->in[FUM_GEMM_X], g->dout), attrs);
}

static bool gradient(struct fum_gradient *g) {
    const fum_tensor *node = g->node;
    if (node->attr[FUM_CONV_ACT] != FUM_ACT_NONE || node->attr[FUM_CONV_UPSAMPLE] != 0 ||
        node->in[FUM_CONV_NORM])
        return fum_refuse(&g->why,
                          "its activation, norm and upsampling must be nodes of their own");
    if (node->attr[FUM_CONV_PANELS] != 0) return fum_refuse(&g->why, "its weight lies in panels");
    if (g->needed[FUM_GEMM_X]) g->grad[FUM_GEMM_X] = add_input_gradient(g);
    if (g->needed[FUM_GEMM_W]) g->grad[FUM_GEMM_W] = add_weight_gradient(g);
    for (int i = FUM_GEMM_BIAS; i <= FUM_GEMM_RESIDUAL; i++)
        if (g->needed[i]) g->grad[i] = fum_gradient_sum_to(g, g->dout, node->in[i]->desc.shape);
    return true;
}

static double flops(const struct fum_op_call *call) {
    const struct fum_shape kernel = fum_conv_kernel(call);
    const int64_t *w = kernel.dim;
    return 2.0 * (double)fum_shape_count(&call->out.shape) * (double)(w[0] * w[1] * w[2]);
}

// It would normalise a whole tile anew for each tap and each block of output channels. No device is
// known to be faster so, and it has no reads_normalised.
static const struct fum_input_read reads = {
    .double_attr = "upsample", .norm_input = FUM_CONV_NORM, .norm_act_attr = "norm_act"};

// True for a large square kernel on CPU drivers, as matmul's weights are.
static bool choose_panels(const struct fum_lowering_site *site, struct fum_desc *weight) {
    const int64_t *w = site->weight->shape.dim;
    if (site->weight->shape.rank != 4 || w[0] != w[1] || w[0] > FUM_PACK_MOST_SIDE ||
        !fum_gemm_panels_pay(site, w[0] * w[1] * w[2], w[3]))
        return false;
    *weight = *site->weight;
    weight->shape =
        (struct fum_shape){4, {w[0], w[1] * (w[3] / FUM_PACK_PANEL), w[2], FUM_PACK_PANEL}};
    return true;
}

extern const struct fum_op fum_op_conv2d, fum_op_conv2d_winograd, fum_op_conv2d_gradient_kernel;

static const struct fum_lowering lowerings[] = {
    {.op = &fum_op_conv2d_winograd,
     .from = &fum_packing_conv,
     .to = &fum_packing_winograd_panels,
     .choose = fum_winograd_choose_panels},
    {.op = &fum_op_conv2d_winograd,
     .from = &fum_packing_conv,
     .to = &fum_packing_winograd,
     .choose = fum_winograd_choose},
    {.op = &fum_op_conv2d_winograd,
     .from = &fum_packing_conv,
     .to = &fum_packing_winograd_gradient,
     .through = &fum_op_conv2d_gradient_kernel,
     .choose = fum_winograd_choose_gradient},
    {.op = &fum_op_conv2d_winograd, .choose = fum_winograd_choose_each},
    {.op = &fum_op_conv2d,
     .from = &fum_packing_conv,
     .to = &fum_packing_conv_panels,
     .sets = "panels",
     .choose = choose_panels},
    {0},
};

static const struct fum_op_fusion fusion = {
    .epilogue = &fum_gemm_epilogue, .reads = &reads, .lowerings = lowerings};

const struct fum_op fum_op_conv2d = {
    .name = "conv2d",
    .attrs = fum_conv_attrs,
    .min_inputs = 2,
    .max_inputs = 6,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
    .gradient = gradient,
    .flops = flops,
    .flags = FUM_OP_QUANTISED,
    .fusion = &fusion,
};
