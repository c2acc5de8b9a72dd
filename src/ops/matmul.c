// SPDX-License-Identifier: MIT
// Matrix product with epilogue: out = act(scale x w + bias + row) + residual. If there is a
// gate, the columns of w are values and then their gates: out = value gate(gate) of the sums with
// their bias. A w in panels of columns is [N / 32, K, 32].

#include "graph/gradient.h"
#include "ops/lib/texels.h"
#include "ops/variants/variant.h"

enum { TRANSPOSE_B, ACT, SCALE, GATE, PANELS };
static const struct fum_attr_def settings[] = {{"transpose_b", 0}, {"act", 0},    {"scale", 1},
                                               {"gate", 0},        {"panels", 0}, {NULL, 0}};

// True if one x [1, M, K] meets every batch of w [B, K, N], which gives [B, M, N].
static bool shares_x(const struct fum_op_call *call) {
    const struct fum_shape *x = &call->in[0].shape, *w = &call->in[1].shape;
    return x->rank == 3 && w->rank == 3 && x->dim[0] == 1 && w->dim[0] > 1 &&
           call->attr[PANELS] == 0;
}

// Returns how many matrices w has. Above 1, w has batches of its own: more than two dimensions, not
// all of size 1.
static int64_t weight_batches(const struct fum_shape *w) {
    int64_t n = 1;
    for (int i = 0; i + 2 < w->rank; i++) n *= w->dim[i];
    return n;
}

// Checks a call with a gate, whose output has all columns of w, and halves them.
static bool infer_gate(struct fum_op_call *call, struct fum_why *why) {
    int64_t n = fum_shape_channels(&call->out.shape);
    if (call->attr[GATE] == FUM_ACT_NONE) return true;
    if (n % 8 || call->attr[ACT] != FUM_ACT_NONE || call->has[FUM_GEMM_ROW] ||
        call->has[FUM_GEMM_RESIDUAL])
        return fum_refuse(
            why, "a gate needs 8 n columns, not %lld, and no other activation, row or residual",
            (long long)n);
    call->out.shape.dim[call->out.shape.rank - 1] = n / 2;
    return true;
}

// Returns the shape of w without panels.
static struct fum_shape shape_of_w(const struct fum_op_call *call) {
    const struct fum_shape *w = &call->in[FUM_GEMM_W].shape;
    if (call->attr[PANELS] == 0) return *w;
    return (struct fum_shape){2, {w->dim[1], w->dim[0] * w->dim[2]}};
}

// Checks a weight in panels.
static bool infer_panels(const struct fum_op_call *call, struct fum_why *why) {
    const struct fum_shape *w = &call->in[FUM_GEMM_W].shape;
    if (call->attr[PANELS] == 0) return true;
    if (w->rank == 3 && w->dim[2] == FUM_PACK_PANEL && call->attr[TRANSPOSE_B] == 0 &&
        !call->quantised[FUM_GEMM_W])
        return true;
    return fum_refuse(why, "a weight in panels must be [N / %d, K, %d], dense and not transposed",
                      FUM_PACK_PANEL, FUM_PACK_PANEL);
}

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    if (!infer_panels(call, why)) return false;
    const struct fum_shape *x = &call->in[0].shape, matrix = shape_of_w(call), *w = &matrix;
    bool turned = call->attr[TRANSPOSE_B] != 0;
    if (x->rank < 2 || w->rank < 2 || w->rank > x->rank)
        return fum_refuse(why, "x must be [.., M, K] and w [K, N] or batched as x");
    int64_t k = w->dim[w->rank - (turned ? 1 : 2)], n = w->dim[w->rank - (turned ? 2 : 1)];
    if (k != fum_shape_channels(x))
        return fum_refuse(why, "x has %lld channels but w takes %lld",
                          (long long)fum_shape_channels(x), (long long)k);
    for (int i = 3; i <= w->rank; i++) {
        int64_t have = w->dim[w->rank - i], want = x->dim[x->rank - i];
        if (have != want && have != 1 && !shares_x(call))
            return fum_refuse(why, "a batch dimension of w is %lld, not 1 or x's %lld",
                              (long long)have, (long long)want);
    }
    if (call->quantised[FUM_GEMM_W] && w->rank != 2 && !shares_x(call))
        return fum_refuse(why, "a quantised weight has no batches of its own");
    call->out.shape = *x;
    if (shares_x(call)) call->out.shape.dim[0] = w->dim[0];
    call->out.shape.dim[x->rank - 1] = n;
    call->out.dtype = call->in[0].dtype;
    return fum_gemm_infer_weight(call, turned, why) && fum_gemm_infer_epilogue(call, 1, why) &&
           infer_gate(call, why);
}

// Describes a call. Rows are those of one batch if w has batches of its own; else all leading
// dimensions of x are rows.
static struct fum_gemm gemm_of(const struct fum_op_call *call) {
    const struct fum_shape *x = &call->in[0].shape, matrix = shape_of_w(call), *w = &matrix;
    struct fum_gemm g = {
        .batches = 1,
        .rows = fum_shape_rows(x),
        .k = fum_shape_channels(x),
        .n = fum_shape_channels(&call->out.shape) * (call->attr[GATE] != FUM_ACT_NONE ? 2 : 1),
        .w_batches = weight_batches(w),
        .w_share = 1,
        .row_share = x->dim[x->rank - 2],
        .transposed = call->attr[TRANSPOSE_B] != 0,
        .panels = call->attr[PANELS] != 0,
        .act = (enum fum_act)call->attr[ACT],
        .scale = call->attr[SCALE],
        .gate = (enum fum_act)call->attr[GATE],
        .w = fum_call_memory(call, FUM_GEMM_W),
        .quantised = call->quantised[FUM_GEMM_W],
    };
    if (g.w_batches == 1) return g;
    g.x_shared = shares_x(call);
    g.rows = x->dim[x->rank - 2];
    g.batches = 1;
    for (int i = 0; i + 2 < x->rank; i++) g.batches *= x->dim[i];
    if (g.x_shared) g.batches = g.w_batches;
    // w [B, 1, K, N] of x [B, H, M, K]: H batches of x share one of w.
    if (w->rank == 4 && w->dim[1] == 1) g.w_share = x->dim[1];
    return g;
}

// Returns the scaled product of a row of x with column n of a batch of w.
static double sum_at(const struct fum_gemm *g, const double *x, const double *w, int64_t n) {
    int64_t panel = g->panels ? FUM_PACK_PANEL : g->n;
    double sum = 0;
    for (int64_t k = 0; k < g->k; k++)
        sum += x[k] * w[g->transposed ? n * g->k + k : (n / panel * g->k + k) * panel + n % panel];
    return sum * g->scale;
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    const struct fum_gemm g = gemm_of(call);
    int64_t width = g.gate ? g.n / 2 : g.n;
    for (int64_t row = 0; row < g.batches * g.rows; row++) {
        int64_t w_batch = g.w_batches ? row / g.rows / g.w_share % g.w_batches : 0;
        const double *w = in[FUM_GEMM_W] + w_batch * g.k * g.n,
                     *x = in[FUM_GEMM_X] + (g.x_shared ? row % g.rows : row) * g.k;
        for (int64_t n = 0; n < width; n++) {
            const struct fum_gemm_element value = {row, n, g.act}, gate = {row, width + n, g.gate};
            double v = fum_gemm_finish(call, in, value, sum_at(&g, x, w, n));
            if (g.gate) v *= fum_gemm_finish(call, in, gate, sum_at(&g, x, w, width + n));
            out[row * width + n] = v;
        }
    }
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    struct fum_gemm g = gemm_of(call);
    return fum_variant_matmul(call, &g, list);
}

static double flops(const struct fum_op_call *call) {
    return 2.0 * (double)fum_shape_count(&call->out.shape) *
           (double)fum_shape_channels(&call->in[0].shape) *
           (call->attr[GATE] != FUM_ACT_NONE ? 2 : 1);
}

// ---- gradient ----

static fum_tensor *add_product(struct fum_gradient *g, fum_tensor *a, fum_tensor *b,
                               bool transpose_b) {
    const struct fum_attr attrs[] = {
        {"transpose_b", transpose_b}, {"scale", g->node->attr[SCALE]}, {0}};
    return fum_gradient_add(g, "matmul", FUM_INPUTS(a, b), attrs);
}

// Swaps the last two dimensions.
static fum_tensor *add_transpose(struct fum_gradient *g, fum_tensor *value) {
    struct fum_attr attrs[] = {{"p0", 0}, {"p1", 1}, {"p2", 2}, {"p3", 3}, {0}};
    if (!value) return NULL;
    int last = value->desc.shape.rank - 1;
    attrs[last].value = last - 1;
    attrs[last - 1].value = last;
    return fum_gradient_add(g, "transpose", FUM_INPUTS(value), attrs);
}

// Makes the rows of all batches the pixels of one line.
static fum_tensor *add_line(struct fum_gradient *g, fum_tensor *value) {
    const struct fum_shape *shape = &value->desc.shape;
    return fum_gradient_reshape(
        g, value, (struct fum_shape){4, {1, 1, fum_shape_rows(shape), fum_shape_channels(shape)}});
}

// Adds dw = x^T dout for a w that all of x shares. It is the weight gradient of a 1x1 convolution
// over one line of pixels.
static fum_tensor *add_shared_gradient(struct fum_gradient *g) {
    const struct fum_shape shape = g->node->in[FUM_GEMM_W]->desc.shape;
    fum_tensor *x = add_line(g, g->node->in[FUM_GEMM_X]), *dout = add_line(g, g->dout);
    bool turned = g->node->attr[TRANSPOSE_B] != 0;
    fum_tensor *dw = fum_gradient_add(g, "conv2d_weight_gradient",
                                      turned ? FUM_INPUTS(dout, x) : FUM_INPUTS(x, dout), NULL);
    const struct fum_attr factor[] = {{"mul", g->node->attr[SCALE]}, {0}};
    if (g->node->attr[SCALE] != 1) dw = fum_gradient_add(g, "scale", FUM_INPUTS(dw), factor);
    return fum_gradient_reshape(g, dw, shape);
}

static fum_tensor *add_weight_gradient(struct fum_gradient *g) {
    fum_tensor *x = g->node->in[FUM_GEMM_X], *dout = g->dout;
    struct fum_shape shape = g->node->in[FUM_GEMM_W]->desc.shape;
    if (weight_batches(&shape) == 1) return add_shared_gradient(g);
    bool turned = g->node->attr[TRANSPOSE_B] != 0;
    fum_tensor *dw = add_product(g, add_transpose(g, turned ? dout : x), turned ? x : dout, false);
    return fum_gradient_sum_to(g, dw, shape);
}

static bool gradient(struct fum_gradient *g) {
    const fum_tensor *node = g->node;
    if (node->attr[ACT] != FUM_ACT_NONE || node->attr[GATE] != FUM_ACT_NONE)
        return fum_refuse(&g->why, "its activation must be a node of its own");
    if (node->attr[PANELS] != 0) return fum_refuse(&g->why, "its weight lies in panels");
    bool turned = node->attr[TRANSPOSE_B] != 0;
    if (g->needed[FUM_GEMM_X]) {
        fum_tensor *dx = add_product(g, g->dout, node->in[FUM_GEMM_W], !turned);
        g->grad[FUM_GEMM_X] = fum_gradient_sum_to(g, dx, node->in[FUM_GEMM_X]->desc.shape);
    }
    if (g->needed[FUM_GEMM_W]) g->grad[FUM_GEMM_W] = add_weight_gradient(g);
    for (int i = FUM_GEMM_BIAS; i <= FUM_GEMM_RESIDUAL; i++)
        if (g->needed[i]) g->grad[i] = fum_gradient_sum_to(g, g->dout, node->in[i]->desc.shape);
    return true;
}

// True if the variant that the device's class prefers takes gates. On lavapipe the texel kernels
// compute a gate in less time than the dispatch that it saves; the plain ones do not. Tiles in
// shared memory have been measured on no GPU. A gate there saves a dispatch, a barrier and
// the values' way through memory, but the end of a tile has twice the work.
static bool gate_is_free(const struct fum_device_info *info, const struct fum_op_call *call) {
    return fum_shape_channels(&call->out.shape) % 8 == 0 &&
           fum_variant_gates(info, call->out.dtype);
}

static const struct fum_epilogue epilogue = {.row_input = FUM_GEMM_ROW,
                                             .residual_input = FUM_GEMM_RESIDUAL,
                                             .act_attr = "act",
                                             .gate_attr = "gate",
                                             .gate_is_free = gate_is_free};

// True for the gradient by the rows of a weight that a training keeps fixed, on CPU drivers. The
// rows of a transposed weight fall into the same sets of the cache. So 64 rows by 10240 terms take
// 1.6 times as long as by a weight that lies as the kernel reads it.
static bool choose_untransposed(const struct fum_lowering_site *site, struct fum_desc *weight) {
    const struct fum_op_call *call = site->call;
    if (!site->trains || call->attr[TRANSPOSE_B] == 0 || site->weight->shape.rank != 2 ||
        !fum_texels_faster(site->info, site->tuning, call->out.dtype))
        return false;
    *weight = *site->weight;
    weight->shape.dim[0] = site->weight->shape.dim[1];
    weight->shape.dim[1] = site->weight->shape.dim[0];
    return true;
}

static bool choose_panels(const struct fum_lowering_site *site, struct fum_desc *weight) {
    const struct fum_shape *w = &site->weight->shape;
    if (site->call->attr[TRANSPOSE_B] != 0 || w->rank != 2 ||
        !fum_gemm_panels_pay(site, w->dim[0], w->dim[1]))
        return false;
    *weight = *site->weight;
    weight->shape = (struct fum_shape){3, {w->dim[1] / FUM_PACK_PANEL, w->dim[0], FUM_PACK_PANEL}};
    return true;
}

extern const struct fum_op fum_op_matmul;

static const struct fum_lowering lowerings[] = {
    {.op = &fum_op_matmul,
     .from = &fum_packing_linear,
     .to = &fum_packing_plain,
     .clears = "transpose_b",
     .choose = choose_untransposed},
    {.op = &fum_op_matmul,
     .from = &fum_packing_linear,
     .to = &fum_packing_panels,
     .sets = "panels",
     .choose = choose_panels},
    {0},
};

static const struct fum_op_fusion fusion = {.epilogue = &epilogue, .lowerings = lowerings};

const struct fum_op fum_op_matmul = {
    .name = "matmul",
    .attrs = settings,
    .min_inputs = 2,
    .max_inputs = 5,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
    .gradient = gradient,
    .flops = flops,
    .flags = FUM_OP_QUANTISED,
    .fusion = &fusion,
};
