// SPDX-License-Identifier: MIT
// Computes conv2d's gradient by a kernel of 3x3 taps, stride 1 and padding 1, via the transforms of
// Winograd's minimal filtering: part of the variant "texel". From y = A^T [U V] A follow dU = sum
// over tiles of V (A dy A^T) and dw = G^T dU G. conv2d_winograd.c has the letters. All of it is f32
// in every storage type.
#include "ops/lib/device_class.h"
#include "ops/lib/texels.h"
#include "ops/lib/weight_gradient.h"
#include "ops/lib/winograd.h"
#include "ops/variants/variant.h"
#include "shaders/winograd_input.pc.h"
#include "shaders/winograd_output_gradient.pc.h"
#include "shaders/winograd_weight.pc.h"

// A call in tiles. Scratch holds V, dm and dU one after the other.
struct job {
    const struct fum_op_call *call;
    const struct fum_conv_gradient *conv;
    struct fum_dispatches *list;
    int64_t tile, points;               // pixels of a tile's side; of its transform
    int64_t tiles_x, tile_rows;         // of one image
    int64_t tiles;                      // of all images
    int64_t k_quads, n_quads;           // of the channels
    struct fum_dispatch_bind v, dm, du; // windows of scratch
};

// Returns the next `bytes` of scratch and moves on.
static struct fum_dispatch_bind take_scratch(struct fum_dispatches *list, uint64_t bytes) {
    struct fum_dispatch_bind bind = fum_bind_scratch(list->scratch_bytes, bytes, true);
    list->scratch_bytes += FUM_ALIGN_UP(bytes, FUM_MAX(list->info->binding_align, 1));
    return bind;
}

static struct fum_dispatch_bind for_reading(struct fum_dispatch_bind bind) {
    bind.write = false;
    return bind;
}

// Adds a dispatch of an invocation per tile and quad of channels, whose workgroups take one tile.
static struct fum_dispatch *emit_tiles(const struct job *job, const char *shader, int64_t quads) {
    uint32_t lanes = fum_lanes(job->list->info);
    return fum_emit_groups(job->list, shader, job->call->out.dtype, lanes,
                           (uint64_t)(job->tiles * FUM_DIV_UP(quads, lanes)));
}

static bool add_input(const struct job *job) {
    struct fum_dispatch *d = emit_tiles(job, "winograd_input", job->k_quads);
    if (!d) return false;
    fum_read_texels(job->list, d, 11 | 10u << FUM_TEXELS_F32);
    FUM_EMIT_SPECS(d, false, FUM_ACT_NONE, (uint32_t)job->tile);
    fum_emit_operand(d, 0);
    fum_emit_operand(d, 0); // a norm, not used
    fum_emit_bind(d, job->v);
    if (d->texels) fum_emit_again(d);
    const struct fum_winograd_input_push push = {.k_quads = (uint32_t)job->k_quads,
                                                 .tiles = (uint32_t)job->tiles,
                                                 .tiles_x = (uint32_t)job->tiles_x,
                                                 .tile_rows = (uint32_t)job->tile_rows,
                                                 .in_h = (uint32_t)job->conv->in_h,
                                                 .in_w = (uint32_t)job->conv->in_w};
    FUM_EMIT_PUSH(d, push);
    return true;
}

static bool add_output_gradient(const struct job *job) {
    struct fum_dispatch *d = emit_tiles(job, "winograd_output_gradient", job->n_quads);
    if (!d) return false;
    fum_read_texels(job->list, d, 5 | 4u << FUM_TEXELS_F32);
    fum_emit_spec(d, (uint32_t)job->tile);
    fum_emit_operand(d, 1);
    fum_emit_bind(d, job->dm);
    if (d->texels) fum_emit_again(d);
    const struct fum_winograd_output_gradient_push push = {.n_quads = (uint32_t)job->n_quads,
                                                           .tiles = (uint32_t)job->tiles,
                                                           .tiles_x = (uint32_t)job->tiles_x,
                                                           .tile_rows = (uint32_t)job->tile_rows,
                                                           .out_h = (uint32_t)job->conv->out_h,
                                                           .out_w = (uint32_t)job->conv->out_w};
    FUM_EMIT_PUSH(d, push);
    return true;
}

static bool add_weight(const struct job *job) {
    int64_t quads = job->conv->in_c * job->n_quads;
    struct fum_dispatch *d =
        fum_emit(job->list, "winograd_weight_gradient", job->call->out.dtype, (uint64_t)quads);
    if (!d) return false;
    fum_read_texels(job->list, d, 1 | 1u << FUM_TEXELS_F32);
    fum_emit_spec(d, (uint32_t)job->tile);
    fum_emit_bind(d, for_reading(job->du));
    fum_emit_operand(d, FUM_OUT);
    const struct fum_winograd_weight_push push = {.quads = (uint32_t)quads};
    FUM_EMIT_PUSH(d, push);
    return true;
}

// True if the transforms take less time than the direct product. They save multiplications, but
// move each pixel several times.
static bool is_faster(const struct fum_conv_gradient *c, const struct job *job) {
    enum { LEAST_CHANNELS = 32, LEAST_PAIRS = 1024, LEAST_TILES = 32 };
    int64_t covered = job->tiles_x * job->tile_rows * job->tile * job->tile;
    return c->in_c >= LEAST_CHANNELS && c->out_c >= LEAST_CHANNELS &&
           c->in_c * c->out_c >= LEAST_PAIRS && job->tiles >= LEAST_TILES &&
           covered * 2 <= c->out_h * c->out_w * 3;
}

static bool is_served(const struct fum_op_call *call, const struct fum_conv_gradient *c,
                      const struct fum_device_info *info) {
    bool same = c->in_h == c->out_h && c->in_w == c->out_w;
    return c->kernel_h == 3 && c->kernel_w == 3 && c->stride == 1 && c->pad == 1 && c->pad_x == 1 &&
           same && fum_device_class_of(info)->winograd && fum_texel_usable(info, FUM_F32) &&
           fum_desc_bytes(&call->in[0]) <= info->max_binding &&
           fum_desc_bytes(&call->in[1]) <= info->max_binding &&
           fum_desc_bytes(&call->out) <= info->max_binding;
}

// Places V, dm and dU in scratch. Returns false if they exceed what a call may have.
static bool place(struct job *job) {
    enum { MOST_BYTES = 192 << 20 };
    const struct fum_device_info *info = job->list->info;
    uint64_t each = (uint64_t)(job->points * job->tiles) * 16, v = each * (uint64_t)job->k_quads,
             dm = each * (uint64_t)job->n_quads,
             du = (uint64_t)(job->points * job->conv->in_c * job->n_quads) * 16;
    uint64_t largest = FUM_MAX(FUM_MAX(v, dm), du);
    if (largest > info->max_binding || v + dm + du > MOST_BYTES) return false;
    job->list->scratch_bytes = 0;
    job->v = take_scratch(job->list, v);
    job->dm = take_scratch(job->list, dm);
    job->du = take_scratch(job->list, du);
    return job->list->scratch_bytes <= FUM_MIN(info->max_allocation, info->max_buffer);
}

bool fum_weight_gradient_winograd(const struct fum_op_call *call, const struct fum_conv_gradient *c,
                                  const struct fum_weight_kernel *kernel,
                                  struct fum_dispatches *list) {
    if (!is_served(call, c, list->info)) return false;
    int64_t tile = fum_winograd_tile(c->batches * c->out_h * c->out_w);
    struct job job = {.call = call,
                      .conv = c,
                      .list = list,
                      .tile = tile,
                      .points = (tile + 2) * (tile + 2),
                      .tiles_x = FUM_DIV_UP(c->out_w, tile),
                      .tile_rows = FUM_DIV_UP(c->out_h, tile),
                      .k_quads = FUM_DIV_UP(c->in_c, 4),
                      .n_quads = FUM_DIV_UP(c->out_c, 4)};
    job.tiles = c->batches * job.tiles_x * job.tile_rows;
    if (!is_faster(c, &job) || !place(&job)) return false;
    const struct fum_weight_layers layers = {.kernel = kernel,
                                             .layers = job.points,
                                             .terms = job.tiles,
                                             .rows = c->in_c,
                                             .columns = c->out_c,
                                             .x = for_reading(job.v),
                                             .dy = for_reading(job.dm),
                                             .sums = job.du};
    return add_input(&job) && add_output_gradient(&job) &&
           fum_weight_gradient_emit_layers(list, &layers) && add_weight(&job);
}
