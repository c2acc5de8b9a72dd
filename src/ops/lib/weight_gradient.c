// SPDX-License-Identifier: MIT
#include "ops/lib/weight_gradient.h"

#include "shaders/gemm_reduce.pc.h"
#include "shaders/weight_gradient.pc.h"

// A call that is cut into parts of whole images and each of these into splits of pixels. Each split
// has a layer of sums of its own; a single layer is dw itself.
struct job {
    const struct fum_op_call *call;
    struct fum_conv_gradient conv;
    const struct fum_weight_kernel *kernel;
    struct fum_dispatches *list;
    int64_t images;       // of a part
    int64_t split_pixels; // whole steps
    int64_t layers;
    uint64_t layer_bytes;
};

int64_t fum_weight_gradient_rows(const struct fum_conv_gradient *c) {
    return c->kernel_h * c->kernel_w * FUM_ALIGN_UP(c->in_c, 4);
}

int64_t fum_weight_gradient_pixels(const struct fum_conv_gradient *c) {
    return c->batches * c->out_h * c->out_w;
}

// True for a 1x1 kernel with nothing around it: a product over the pixels of all images.
static bool is_product(const struct fum_conv_gradient *c) {
    return c->kernel_h == 1 && c->kernel_w == 1 && c->stride == 1 && c->pad == 0 && c->pad_x == 0 &&
           c->in_h == c->out_h && c->in_w == c->out_w;
}

// Makes each pixel of such a product an image of its own, so that it may be cut anywhere.
static struct fum_conv_gradient flatten(struct fum_conv_gradient c) {
    if (!is_product(&c)) return c;
    c.batches *= c.out_h * c.out_w;
    c.in_h = c.in_w = c.out_h = c.out_w = 1;
    return c;
}

// Sets how a part's pixels are split: as is best for the kernel, but few enough layers for the
// scratch of a call. A sum has at most LONGEST_SUM terms where that scratch allows it, since f32
// loses digits in longer ones. Returns false, with list->why, if one layer for each part is too
// much.
static bool split_pixels(struct job *job) {
    enum { LONGEST_SUM = 16384, LAYER_BYTES = 64 << 20 };
    const struct fum_conv_gradient *c = &job->conv;
    int64_t pixels = job->images * c->out_h * c->out_w, parts = FUM_DIV_UP(c->batches, job->images);
    int64_t splits = FUM_MAX(job->kernel->splits, FUM_DIV_UP(pixels, LONGEST_SUM));
    int64_t most = (int64_t)(FUM_MIN(LAYER_BYTES, job->list->info->max_binding) / job->layer_bytes);
    splits = FUM_MAX(FUM_MIN(splits, most / parts), 1);
    job->split_pixels = FUM_ALIGN_UP(FUM_DIV_UP(pixels, splits), job->kernel->step);
    job->layers = 0;
    for (int64_t first = 0; first < c->batches; first += job->images) {
        int64_t images = FUM_MIN(job->images, c->batches - first);
        job->layers += FUM_DIV_UP(images * c->out_h * c->out_w, job->split_pixels);
    }
    if (job->layers == 1 || job->layers <= most) return true;
    return fum_refuse_size(&job->list->why, job->list->info, "what the images' sums take");
}

// Images [first, first + count) of a call, whose sums go to layers from `layer` on.
struct part {
    int64_t first, count, layer;
    int64_t pixels, splits, tiles_m, tiles_n;
};

static struct fum_weight_gradient_push push_of(const struct job *job, const struct part *part) {
    const struct fum_conv_gradient *c = &job->conv;
    bool line = is_product(c); // the part's pixels are one line
    return (struct fum_weight_gradient_push){
        .in_h = (uint32_t)c->in_h,
        .in_w = (uint32_t)(line ? part->pixels : c->in_w),
        .in_c = (uint32_t)c->in_c,
        .out_h = (uint32_t)c->out_h,
        .out_w = (uint32_t)(line ? part->pixels : c->out_w),
        .taps = (uint32_t)(c->kernel_h * c->kernel_w),
        .kernel_w = (uint32_t)c->kernel_w,
        .stride = (int32_t)c->stride,
        .pad = (int32_t)c->pad,
        .pad_x = (int32_t)c->pad_x,
        .k_quads = (uint32_t)FUM_DIV_UP(c->in_c, 4),
        .n_quads = (uint32_t)FUM_DIV_UP(c->out_c, 4),
        .pixels = (uint32_t)part->pixels,
        .split_pixels = (uint32_t)job->split_pixels,
        .splits = (uint32_t)part->splits,
        .tiles_m = (uint32_t)part->tiles_m,
        .tiles_n = (uint32_t)part->tiles_n,
        .layer = (uint32_t)part->layer,
    };
}

// Lets a kernel of texels touch what it writes, through texels of the type of its other inputs. A
// kernel of f16 or bf16 misses half of the lines of its sums, which are f32.
static void touch_sums(struct fum_dispatch *d, bool f32) {
    int again = fum_emit_again(d);
    d->texels |= 1u << again | (uint32_t)f32 << (FUM_TEXELS_F32 + again);
}

static bool add_part(const struct job *job, const struct part *part) {
    const struct fum_conv_gradient *c = &job->conv;
    const struct fum_weight_kernel *k = job->kernel;
    const struct fum_rows x = {&job->call->in[0], part->first * c->in_h * c->in_w,
                               part->count * c->in_h * c->in_w},
                          dy = {&job->call->in[1], part->first * c->out_h * c->out_w, part->pixels};
    struct fum_dispatch *d =
        fum_emit_groups(job->list, k->shader, job->call->out.dtype, k->lanes,
                        (uint64_t)(part->tiles_m * part->tiles_n * part->splits));
    if (!d) return false;
    d->texels = k->texels;
    FUM_EMIT_SPECS(d, job->layers > 1, is_product(c) ? 0 : (uint32_t)FUM_DIV_UP(k->step, c->out_w));
    fum_emit_specs(d, k->specs, (size_t)k->num_specs);
    struct fum_weight_gradient_push push = push_of(job, part);
    push.x_skip = fum_emit_rows(job->list, d, 0, x);
    push.dy_skip = fum_emit_rows(job->list, d, 1, dy);
    if (job->layers > 1)
        fum_emit_bind(d, fum_bind_scratch(0, job->list->scratch_bytes, true));
    else
        fum_emit_operand(d, FUM_OUT);
    if (d->texels) touch_sums(d, false);
    FUM_EMIT_PUSH(d, push);
    return true;
}

static bool add_parts(const struct job *job) {
    const struct fum_conv_gradient *c = &job->conv;
    struct part part = {.tiles_m = FUM_DIV_UP(fum_weight_gradient_rows(c), job->kernel->rows),
                        .tiles_n = FUM_DIV_UP(c->out_c, job->kernel->columns)};
    for (; part.first < c->batches; part.first += job->images) {
        part.count = FUM_MIN(job->images, c->batches - part.first);
        part.pixels = part.count * c->out_h * c->out_w;
        part.splits = FUM_DIV_UP(part.pixels, job->split_pixels);
        if (!add_part(job, &part)) return false;
        part.layer += part.splits;
    }
    return true;
}

// Adds what sums the layers in their order.
static bool add_reduction(const struct job *job) {
    const struct fum_desc *out = &job->call->out;
    struct fum_dispatch *d =
        fum_emit_quads(job->list, "gemm_reduce", out->dtype, fum_desc_quads(out));
    if (!d) return false;
    FUM_EMIT_SPECS(d, FUM_ACT_NONE, 0);
    for (int i = 0; i < 4; i++) // the layers, and what the epilogue does not read
        fum_emit_bind(d, fum_bind_scratch(0, job->list->scratch_bytes, false));
    fum_emit_operand(d, FUM_OUT);
    const struct fum_gemm_reduce_push push = {.rows = (uint32_t)fum_shape_rows(&out->shape),
                                              .n_quads = (uint32_t)fum_shape_row_quads(&out->shape),
                                              .splits = (uint32_t)job->layers,
                                              .scale = 1};
    FUM_EMIT_PUSH(d, push);
    return true;
}

bool fum_weight_gradient_dispatch(const struct fum_op_call *call, const struct fum_conv_gradient *c,
                                  const struct fum_weight_kernel *kernel,
                                  struct fum_dispatches *list) {
    struct job job = {.call = call,
                      .conv = flatten(*c),
                      .kernel = kernel,
                      .list = list,
                      .layer_bytes = fum_desc_quads(&call->out) * 16};
    int64_t in = fum_rows_per_binding(list->info, &call->in[0]) / (job.conv.in_h * job.conv.in_w),
            out =
                fum_rows_per_binding(list->info, &call->in[1]) / (job.conv.out_h * job.conv.out_w);
    job.images = FUM_MIN(FUM_MIN(in, out), job.conv.batches);
    if (job.images < 1) return fum_refuse_size(&list->why, list->info, "an image");
    if (fum_desc_bytes(&call->out) > list->info->max_binding)
        return fum_refuse_size(&list->why, list->info, "the weight");
    if (!split_pixels(&job)) return false;
    if (job.layers > 1) list->scratch_bytes = (uint64_t)job.layers * job.layer_bytes;
    if (!add_parts(&job)) return false;
    return job.layers == 1 || add_reduction(&job);
}

bool fum_weight_gradient_emit_layers(struct fum_dispatches *list,
                                     const struct fum_weight_layers *l) {
    const struct fum_weight_kernel *k = l->kernel;
    int64_t tiles_m = FUM_DIV_UP(FUM_ALIGN_UP(l->rows, 4), k->rows),
            tiles_n = FUM_DIV_UP(l->columns, k->columns), pixels = l->layers * l->terms;
    struct fum_dispatch *d = fum_emit_groups(list, k->shader, FUM_F32, k->lanes,
                                             (uint64_t)(tiles_m * tiles_n * l->layers));
    if (!d) return false;
    d->texels = k->texels;
    FUM_EMIT_SPECS(d, true, 0);
    fum_emit_specs(d, k->specs, (size_t)k->num_specs);
    fum_emit_bind(d, l->x);
    fum_emit_bind(d, l->dy);
    fum_emit_bind(d, l->sums);
    touch_sums(d, true);
    const struct fum_weight_gradient_push push = {
        .in_h = 1,
        .in_w = (uint32_t)pixels,
        .in_c = (uint32_t)l->rows,
        .out_h = 1,
        .out_w = (uint32_t)pixels,
        .taps = 1,
        .kernel_w = 1,
        .stride = 1,
        .k_quads = (uint32_t)FUM_DIV_UP(l->rows, 4),
        .n_quads = (uint32_t)FUM_DIV_UP(l->columns, 4),
        .pixels = (uint32_t)pixels,
        .split_pixels = (uint32_t)l->terms,
        .splits = (uint32_t)l->layers,
        .tiles_m = (uint32_t)tiles_m,
        .tiles_n = (uint32_t)tiles_n,
    };
    FUM_EMIT_PUSH(d, push);
    return true;
}
