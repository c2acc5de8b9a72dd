// SPDX-License-Identifier: MIT
// Computes one sampler step, in place, all in f32. Inputs: state, model output, coefs, counter and
// noise. The model output is [copies × B, H, W, C]; noise is f32 [N B, H, W, C]. Bounds of
// dynamic thresholding are f32 [B]. Both may be absent.
// sampler.h has the layout. Formulas, with row e = coefs[counter] and history x_0 … x_{K-1}:
//     m   = copies 2: u + g (c - u); u is the first half of the model's batch (negative prompt),
//           c the second
//     D   = a x_0 + b m, held within ±clip where clip > 0; with bounds s held within ±s, over s
//     x_k = Σ_{j<K} M_kj x_j + M_kK D + M_k(K+1) noise + M_k(K+2) (D before the clamp)
// Terms with a zero coefficient are left out, so tensors not yet written may hold anything.
#include "ops/lib/emit.h"
#include "ops/lib/sampler.h"
#include "shaders/sampler_update.pc.h"

#include <math.h>

enum { STATE, MODEL, COEFS, COUNTER, NOISE, BOUNDS };
enum { HISTORY, COPIES };
static const struct fum_attr_def attrs[] = {
    [HISTORY] = {"history", 1}, [COPIES] = {"copies", 1}, {0}};

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    int history = (int)call->attr[HISTORY];
    char left[96], right[96];
    if (!fum_sampler_check(call, (struct fum_sampler_inputs){STATE, COEFS, COUNTER},
                           FUM_COEF_MATRIX + history * (history + FUM_COLUMNS_MORE), why))
        return false;
    struct fum_desc point = fum_sampler_point(call);
    const struct fum_desc *model = &call->in[MODEL], *noise = &call->in[NOISE];
    bool fits = fum_is_storage(model->dtype) && model->shape.rank == 4 &&
                model->shape.dim[0] == point.shape.dim[0] * (int64_t)call->attr[COPIES];
    int64_t batch = point.shape.dim[0], rows = noise->shape.dim[0];
    bool noise_fits = !call->has[NOISE] || (noise->dtype == FUM_F32 && noise->shape.rank == 4 &&
                                            (batch == 0 || (rows > 0 && rows % batch == 0)));
    for (int i = 1; i < 4; i++) {
        fits = fits && model->shape.dim[i] == point.shape.dim[i];
        noise_fits = noise_fits && (!call->has[NOISE] || noise->shape.dim[i] == point.shape.dim[i]);
    }
    if (call->attr[COPIES] > 2)
        return fum_refuse(why, "copies is %g; expected 1, or 2 with guidance", call->attr[COPIES]);
    if (!fits)
        return fum_refuse(why, "the model's output is %s; expected %d x %s",
                          fum_shape_text(&model->shape, left, sizeof left), (int)call->attr[COPIES],
                          fum_shape_text(&point.shape, right, sizeof right));
    if (!noise_fits)
        return fum_refuse(why, "noise is %s %s; expected f32, a multiple of %s",
                          fum_dtype_name(noise->dtype),
                          fum_shape_text(&noise->shape, left, sizeof left),
                          fum_shape_text(&point.shape, right, sizeof right));
    const struct fum_desc *bounds = &call->in[BOUNDS];
    if (call->has[BOUNDS] && (bounds->dtype != FUM_F32 || bounds->shape.rank != 1 ||
                              bounds->shape.dim[0] != point.shape.dim[0]))
        return fum_refuse(why, "the bounds are %s %s; expected f32, a number for each picture",
                          fum_dtype_name(bounds->dtype),
                          fum_shape_text(&bounds->shape, left, sizeof left));
    call->out = call->in[STATE];
    return true;
}

// Returns the index of a row of noise; past the last row, that of the last.
static int64_t noise_row(const struct fum_op_call *call, double row) {
    int64_t last = call->in[NOISE].shape.dim[0] / fum_sampler_point(call).shape.dim[0] - 1;
    return (int64_t)row < last ? (int64_t)row : last;
}

// Returns the prediction as the step takes it: held within its bounds.
static double bound_prediction(const struct fum_op_call *call, const double *bounds, int64_t image,
                               double d, double clip) {
    if (call->has[BOUNDS]) return fmin(fmax(d, -bounds[image]), bounds[image]) / bounds[image];
    return clip > 0 ? fmin(fmax(d, -clip), clip) : d;
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    struct fum_desc point = fum_sampler_point(call);
    int64_t n = fum_shape_count(&point.shape), width = call->in[COEFS].shape.dim[1];
    int history = (int)call->attr[HISTORY], columns = history + FUM_COLUMNS_MORE;
    const double *row = in[COEFS] + fum_sampler_row(&call->in[COEFS], in[COUNTER][0]) * width;
    const double *matrix = row + FUM_COEF_MATRIX;
    bool has_noise = call->has[NOISE] && row[FUM_COEF_NOISE] >= 0;
    const double *noise = has_noise ? in[NOISE] + noise_row(call, row[FUM_COEF_NOISE]) * n : NULL;
    for (int64_t i = 0; i < n; i++) {
        double x[FUM_SAMPLER_MAX_HISTORY + FUM_COLUMNS_MORE];
        double m = in[MODEL][i], clip = row[FUM_COEF_CLIP];
        if (call->attr[COPIES] == 2) m += row[FUM_COEF_GUIDANCE] * (in[MODEL][n + i] - m);
        for (int k = 0; k < history; k++) x[k] = in[STATE][k * n + i];
        double d = row[FUM_COEF_A] * x[0] + row[FUM_COEF_B] * m;
        x[history + FUM_COLUMN_PREDICTION] =
            bound_prediction(call, in[BOUNDS], i / (n / point.shape.dim[0]), d, clip);
        x[history + FUM_COLUMN_NOISE] = noise ? noise[i] : 0;
        x[history + FUM_COLUMN_UNCLAMPED] = d;
        for (int k = 0; k < history; k++) {
            double sum = 0;
            for (int j = 0; j < columns; j++) {
                double w = matrix[k * columns + j];
                if (w != 0) sum += w * x[j];
            }
            out[k * n + i] = sum;
        }
    }
}

// Adds the step for rows of noise [first, first + count) of `total`, a row being what one step
// needs. The first window also serves steps without noise.
static bool emit_rows(const struct fum_op_call *call, struct fum_dispatches *list, int64_t first,
                      int64_t count, int64_t total) {
    struct fum_desc point = fum_sampler_point(call);
    const struct fum_desc *coefs = &call->in[COEFS];
    uint64_t quads = fum_desc_quads(&point);
    int64_t point_rows = fum_shape_rows(&point.shape);
    const struct fum_rows noise = {&call->in[NOISE], first * point_rows, count * point_rows};
    struct fum_dispatch *d = fum_emit(list, "sampler_update", call->in[MODEL].dtype, quads);
    if (!d || !fum_emit_whole(list, d, STATE, &call->in[STATE]) ||
        !fum_emit_whole(list, d, MODEL, &call->in[MODEL]) || !fum_emit_whole(list, d, COEFS, coefs))
        return false;
    d->bind[0].write = true; // the state
    struct fum_sampler_update_push push = {
        .quads = (uint32_t)quads,
        .coef_row = (uint32_t)fum_shape_row_quads(&coefs->shape) * 4,
        .last = (int32_t)(coefs->shape.dim[0] - 1),
        .noise_first = (int32_t)first,
        .noise_count = (int32_t)count,
        .first_window = first == 0,
        .noise_last = (int32_t)(total - 1),
        .picture_quads = (uint32_t)(quads / (uint64_t)point.shape.dim[0]),
    };
    if (count)
        push.noise_skip = fum_emit_rows(list, d, NOISE, noise);
    else
        fum_emit_operand(d, COEFS);
    fum_emit_operand(d, COUNTER);
    fum_emit_operand(d, call->has[BOUNDS] ? BOUNDS : COUNTER);
    FUM_EMIT_SPECS(d, (uint32_t)call->attr[HISTORY], (uint32_t)call->attr[COPIES], count > 0,
                   call->has[BOUNDS]);
    FUM_EMIT_PUSH(d, push);
    return true;
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    struct fum_desc point = fum_sampler_point(call);
    int64_t point_rows = fum_shape_rows(&point.shape);
    if (!fum_shape_count(&point.shape)) return true;
    int64_t total = call->has[NOISE] ? fum_shape_rows(&call->in[NOISE].shape) / point_rows : 0;
    if (!total) return emit_rows(call, list, 0, 0, 0);
    int64_t most = fum_rows_per_binding(list->info, &call->in[NOISE]) / point_rows; // whole steps
    if (most == 0) return fum_refuse_size(&list->why, list->info, "the noise of one step");
    most = FUM_MIN(most, total);
    for (int64_t first = 0; first < total; first += most)
        if (!emit_rows(call, list, first, FUM_MIN(most, total - first), total)) return false;
    return true;
}

const struct fum_op fum_op_sampler_update = {
    .name = "sampler_update",
    .attrs = attrs,
    .min_inputs = 4,
    .max_inputs = 6,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
    .updates = 1 << 0,
};
