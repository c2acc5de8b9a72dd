// SPDX-License-Identifier: MIT
#include "ops/lib/winograd.h"

#include "base/alloc.h"
#include "ops/lib/device_class.h"
#include "ops/lib/texels.h"
#include "shaders/winograd_weight.pc.h"

int64_t fum_winograd_tile(int64_t pixels) {
    // 16 images of 7x7 take 0.94 of a step's time by F(4x4); 8 of 8x8 take no less.
    enum { EACH_PIXELS_OF_4 = 768 };
    return pixels >= EACH_PIXELS_OF_4 ? 4 : 2;
}

// Rows of G for tiles of both sides.
static const double G4[6][3] = {{1 / 4., 0, 0},
                                {-1 / 6., -1 / 6., -1 / 6.},
                                {-1 / 6., 1 / 6., -1 / 6.},
                                {1 / 24., 1 / 12., 1 / 6.},
                                {1 / 24., -1 / 12., 1 / 6.},
                                {0, 0, 1}};
static const double G2[4][3] = {{1, 0, 0}, {.5, .5, .5}, {.5, -.5, .5}, {0, 0, 1}};

double *fum_winograd_transform(const struct fum_shape *w, int64_t tile, const double *values) {
    int64_t side = tile + 2, each = w->dim[2] * w->dim[3];
    double *u = fum_calloc((size_t)(side * side * each) + 1, sizeof *u);
    const double(*g)[3] = tile == 4 ? G4 : G2;
    for (int64_t p = 0; u && p < side * side; p++)
        for (int64_t tap = 0; tap < 9; tap++)
            for (int64_t i = 0; i < each; i++)
                u[p * each + i] +=
                    g[p / side][tap / 3] * g[p % side][tap % 3] * values[tap * each + i];
    return u;
}

bool fum_winograd_emit_weight(const struct fum_op_call *call, int64_t tile,
                              struct fum_dispatch_bind u, struct fum_dispatches *list) {
    const struct fum_desc *w = &call->in[FUM_GEMM_W];
    uint64_t quads = fum_desc_quads(w) / 9;
    struct fum_dispatch *d = fum_emit_reading(list, "winograd_weight", w->dtype, quads, 1 | 4);
    if (!d || !fum_emit_whole(list, d, FUM_GEMM_W, w)) return false;
    fum_emit_bind(d, u);
    if (d->texels) d->texels |= 1u << (FUM_TEXELS_F32 + fum_emit_again(d));
    fum_emit_spec(d, (uint32_t)tile);
    const struct fum_winograd_weight_push push = {.quads = (uint32_t)quads};
    FUM_EMIT_PUSH(d, push);
    return true;
}

// ---- when it is faster ----

// Shares of the multiply-add limit that lavapipe reaches, arithmetic counted as direct: direct 0.4
// to 0.46, F(2x2) 0.6 to 0.8, F(4x4) 1.0 to 1.2. The time that a pair of channels saves grows with
// the pixels; the bytes that its weight grows by do not. From so many pixels on, each of these
// bytes saves the time of 80 operations. Below LEAST_PIXELS, products have too few rows. Less than
// LEAST_SHARE of a stage's arithmetic is not worth two dispatches more. Layers of 1280 and 2560
// channels at 8x8 pixels have 0.48 % of SD1.5's step at 512x512. Their weights would grow by 123
// MiB in f16.
enum { LEAST_CHANNELS = 32, LEAST_PIXELS = 128 };
#define LEAST_SHARE 0.0049
// A weight that is transformed in each call takes a dispatch more still. It is worth it with so
// many pairs of channels, and only for F(4x4): F(2x2) takes more time than direct convolutions.
enum { LEAST_PAIRS = 32 * 32 };

// F(4x4) with weights rounded to f16 has an error ten times as large as that of rounding its
// output. F(2x2) has one of one and a half times. So in 16-bit storage F(4x4)'s weights are f32,
// eight times as large as conv2d's. Only small weights for large images are worth that.
enum { PIXELS_OF_4_FROM_16_BITS = 8192, BYTES_OF_4_FROM_16_BITS = 64 << 20 };

// F(4x4) takes so many bytes at most for images of less than PIXELS_OF_4. It takes two blocks of
// rows, each of BLOCK_TILES tiles. Two images of 16x16 take 0.75 of the time of F(2x2) on a Zen 3.
// Steps of a training are many, so there the time counts more than the bytes, and one block is
// enough. Such a step has little more than three times the model's arithmetic.
enum { BLOCK_TILES = 16, PIXELS_OF_4 = 1024, BYTES_OF_SMALL_4 = 192 << 20 };
#define LEAST_TRAINED_SHARE 0.001

// True if F(4x4) with a weight of f32 serves so many pixels, in storage of f32.
static bool takes_4(const struct fum_lowering_site *site, int64_t pixels,
                    const struct fum_desc *weight) {
    int64_t least = (site->trains ? 1 : 2) * BLOCK_TILES * 16;
    return pixels >= PIXELS_OF_4 || (pixels >= least && fum_desc_bytes(weight) <= BYTES_OF_SMALL_4);
}

static struct fum_desc weight_of(const struct fum_lowering_site *site, const struct fum_conv *c) {
    enum fum_dtype storage = site->call->in[FUM_GEMM_X].dtype;
    int64_t pixels = c->batches * c->out_h * c->out_w;
    const struct fum_desc large = {{3, {36, c->in_c, c->out_c}}, FUM_F32};
    bool four = takes_4(site, pixels, &large);
    if (storage != FUM_F32)
        four =
            pixels >= PIXELS_OF_4_FROM_16_BITS && fum_desc_bytes(&large) <= BYTES_OF_4_FROM_16_BITS;
    if (four) return large;
    return (struct fum_desc){{3, {16, c->in_c, c->out_c}}, storage == FUM_F32 ? FUM_F32 : FUM_F16};
}

// True if the call is a convolution of 3x3 taps with enough channels and pixels, on a device that
// is faster so. Tiles of that side must cover little more than the image.
static bool suits(const struct fum_lowering_site *site, const struct fum_conv *c, int64_t tile) {
    bool fits = c->kernel_h == 3 && c->kernel_w == 3 && c->stride == 1 && c->pad == 1 &&
                c->pad_x == 1 && site->call->attr[FUM_CONV_PAD_END_EXTRA] == 0;
    if (!fits || !fum_device_class_of(site->info)->winograd ||
        !fum_texel_usable(site->info, FUM_F32) ||
        !fum_texels_faster(site->info, site->tuning, FUM_F32))
        return false;
    int64_t pixels = c->out_h * c->out_w, least = site->trains ? 4 * BLOCK_TILES : LEAST_PIXELS;
    int64_t covered = FUM_DIV_UP(c->out_h, tile) * FUM_DIV_UP(c->out_w, tile) * tile * tile;
    return c->in_c >= LEAST_CHANNELS && c->out_c >= LEAST_CHANNELS &&
           c->batches * pixels >= least && covered * 2 <= pixels * 3;
}

extern const struct fum_op fum_op_conv2d_winograd;

// True if the device's limits allow the call with that weight, which may be larger than the
// convolution's own.
static bool is_possible(const struct fum_lowering_site *site, const struct fum_desc *weight) {
    struct fum_op_call call = *site->call;
    struct fum_dispatches list = {.info = site->info, .tuning = site->tuning};
    call.in[FUM_GEMM_W] = *weight;
    uint64_t bytes = fum_desc_bytes(weight);
    return bytes <= site->info->max_allocation && bytes <= site->info->max_buffer &&
           fum_op_conv2d_winograd.dispatch(&call, &list);
}

bool fum_winograd_choose(const struct fum_lowering_site *site, struct fum_desc *weight) {
    struct fum_conv c = fum_conv_of(site->call);
    const struct fum_desc u = weight_of(site, &c);
    double least = site->trains ? LEAST_TRAINED_SHARE : LEAST_SHARE;
    if (site->share < least || !suits(site, &c, u.shape.dim[0] == 36 ? 4 : 2) ||
        !is_possible(site, &u))
        return false;
    *weight = u;
    return true;
}

// Keeps a training's weights as they are: its calls transform their own, which lie in rows.
bool fum_winograd_choose_panels(const struct fum_lowering_site *site, struct fum_desc *weight) {
    if (site->trains || fum_shape_channels(&site->weight->shape) % FUM_PACK_PANEL ||
        !fum_winograd_choose(site, weight))
        return false;
    const int64_t *u = weight->shape.dim;
    weight->shape = (struct fum_shape){4, {u[0], u[2] / FUM_PACK_PANEL, u[1], FUM_PACK_PANEL}};
    return true;
}

// Requires a kernel of 3x3 taps with as many channels. A call that suits has stride 1 and padding
// 1, so that kernel is the convolution's, flipped.
bool fum_winograd_choose_gradient(const struct fum_lowering_site *site, struct fum_desc *weight) {
    const int64_t *w = site->weight->shape.dim, *flipped = site->call->in[FUM_GEMM_W].shape.dim;
    bool same = w[0] == 3 && w[1] == 3 && w[2] == flipped[3] && w[3] == flipped[2];
    return same && fum_winograd_choose(site, weight);
}

bool fum_winograd_choose_each(const struct fum_lowering_site *site, struct fum_desc *weight) {
    struct fum_conv c = fum_conv_of(site->call);
    *weight = site->call->in[FUM_GEMM_W];
    int64_t tile = fum_winograd_tile(c.batches * c.out_h * c.out_w);
    return c.in_c * c.out_c >= LEAST_PAIRS && weight->dtype == site->call->in[0].dtype &&
           tile == 4 && suits(site, &c, tile) && is_possible(site, weight);
}
