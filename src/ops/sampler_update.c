// SPDX-License-Identifier: MIT
// Computes one sampler step, in place, all in f32. Inputs: state, model output, coefs, counter and
// noise. The model output is [copies × B, H, W, C]; noise is f32 [N B, H, W, C] and may be absent.
// sampler.h has the layout. Formulas, with row e = coefs[counter] and slots x_0 … x_{K-1}:
//     m   = copies 2: u + g (c - u); u is the first half of the model's batch (negative prompt),
//           c the second
//     D   = a x_0 + b m, held within ±clip where clip > 0
//     x_k = Σ_{j<K} M_kj x_j + M_kK D + M_k(K+1) noise + M_k(K+2) (D before the clamp)
// Terms with a zero coefficient are left out, so slots not yet written may hold anything.
#include "ops/lib/emit.h"
#include "ops/lib/sampler.h"
#include "shaders/sampler_update.pc.h"

enum { STATE, MODEL, COEFS, COUNTER, NOISE };
enum { SLOTS, COPIES };
static const struct fum_attr_def attrs[] = {[SLOTS] = {"slots", 1}, [COPIES] = {"copies", 1}, {0}};

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    int slots = (int)call->attr[SLOTS];
    char left[96], right[96];
    if (!fum_sampler_check(call, (struct fum_sampler_inputs){STATE, COEFS, COUNTER},
                           FUM_COEF_MATRIX + slots * (slots + 3), why))
        return false;
    struct fum_desc want = fum_sampler_slot(call);
    const struct fum_desc *model = &call->in[MODEL], *noise = &call->in[NOISE];
    bool fits = fum_is_storage(model->dtype) && model->shape.rank == 4 &&
                model->shape.dim[0] == want.shape.dim[0] * (int64_t)call->attr[COPIES];
    int64_t batch = want.shape.dim[0], rows = noise->shape.dim[0];
    bool noise_fits = !call->has[NOISE] || (noise->dtype == FUM_F32 && noise->shape.rank == 4 &&
                                            (batch == 0 || (rows > 0 && rows % batch == 0)));
    for (int i = 1; i < 4; i++) {
        fits = fits && model->shape.dim[i] == want.shape.dim[i];
        noise_fits = noise_fits && (!call->has[NOISE] || noise->shape.dim[i] == want.shape.dim[i]);
    }
    if (!fits)
        return fum_refuse(
            why,
            "the model's output is %s; a slot of the state is %s, of which there must be "
            "as many as copies",
            fum_shape_text(&model->shape, left, sizeof left),
            fum_shape_text(&want.shape, right, sizeof right));
    if (!noise_fits)
        return fum_refuse(why, "noise is %s %s; expected f32, a multiple of %s",
                          fum_dtype_name(noise->dtype),
                          fum_shape_text(&noise->shape, left, sizeof left),
                          fum_shape_text(&want.shape, right, sizeof right));
    call->out = call->in[STATE];
    return true;
}

// Returns the index of a row of noise; past the last row, that of the last.
static int64_t noise_row(const struct fum_op_call *call, double row) {
    int64_t last = call->in[NOISE].shape.dim[0] / fum_sampler_slot(call).shape.dim[0] - 1;
    return (int64_t)row < last ? (int64_t)row : last;
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    struct fum_desc slot = fum_sampler_slot(call);
    int64_t n = fum_shape_count(&slot.shape), width = call->in[COEFS].shape.dim[1];
    int slots = (int)call->attr[SLOTS];
    const double *row = in[COEFS] + fum_sampler_row(&call->in[COEFS], in[COUNTER][0]) * width;
    const double *matrix = row + FUM_COEF_MATRIX;
    bool has_noise = call->has[NOISE] && row[FUM_COEF_NOISE] >= 0;
    const double *noise = has_noise ? in[NOISE] + noise_row(call, row[FUM_COEF_NOISE]) * n : NULL;
    for (int64_t i = 0; i < n; i++) {
        double x[FUM_SAMPLER_MAX_HISTORY + 3], m = in[MODEL][i], clip = row[FUM_COEF_CLIP];
        if (call->attr[COPIES] == 2) m += row[FUM_COEF_GUIDANCE] * (in[MODEL][n + i] - m);
        for (int k = 0; k < slots; k++) x[k] = in[STATE][k * n + i];
        double d = row[FUM_COEF_A] * x[0] + row[FUM_COEF_B] * m;
        x[slots] = d;
        if (clip > 0 && d > clip) x[slots] = clip;
        if (clip > 0 && d < -clip) x[slots] = -clip;
        x[slots + 1] = noise ? noise[i] : 0;
        x[slots + 2] = d;
        for (int k = 0; k < slots; k++) {
            double sum = 0;
            for (int j = 0; j < slots + 3; j++) {
                double w = matrix[k * (slots + 3) + j];
                if (w != 0) sum += w * x[j];
            }
            out[k * n + i] = sum;
        }
    }
}

// Adds the step for rows of noise [first, first + count) of `total`, a row being what one step
// needs. The first window also serves steps without noise.
static bool emit(const struct fum_op_call *call, struct fum_dispatches *list, int64_t first,
                 int64_t count, int64_t total) {
    struct fum_desc slot = fum_sampler_slot(call);
    const struct fum_desc *coefs = &call->in[COEFS];
    uint64_t quads = fum_desc_quads(&slot);
    int64_t slot_rows = fum_shape_rows(&slot.shape);
    const struct fum_rows noise = {&call->in[NOISE], first * slot_rows, count * slot_rows};
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
    };
    if (count)
        push.noise_skip = fum_emit_rows(list, d, NOISE, noise);
    else
        fum_emit_operand(d, COEFS);
    fum_emit_operand(d, COUNTER);
    FUM_EMIT_SPECS(d, (uint32_t)call->attr[SLOTS], (uint32_t)call->attr[COPIES], count > 0);
    FUM_EMIT_PUSH(d, push);
    return true;
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    struct fum_desc slot = fum_sampler_slot(call);
    int64_t slot_rows = fum_shape_rows(&slot.shape);
    if (!fum_shape_count(&slot.shape)) return true;
    int64_t total = call->has[NOISE] ? fum_shape_rows(&call->in[NOISE].shape) / slot_rows : 0;
    if (!total) return emit(call, list, 0, 0, 0);
    int64_t most = fum_rows_per_binding(list->info, &call->in[NOISE]) / slot_rows; // whole steps
    if (most == 0) return fum_refuse_size(&list->why, list->info, "the noise of one step");
    most = FUM_MIN(most, total);
    for (int64_t first = 0; first < total; first += most)
        if (!emit(call, list, first, FUM_MIN(most, total - first), total)) return false;
    return true;
}

const struct fum_op fum_op_sampler_update = {
    .name = "sampler_update",
    .attrs = attrs,
    .min_inputs = 4,
    .max_inputs = 5,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
    .updates = 1 << 0,
};
