// SPDX-License-Identifier: MIT
#include "ops/lib/attention_gradient.h"

#include "ops/lib/device_class.h"
#include "ops/lib/texels.h"
#include "shaders/attention_gradient.pc.h"

bool fum_attention_check(const struct fum_op_call *call, struct fum_why *why) {
    const struct fum_shape *q = &call->in[FUM_ATTENTION_Q].shape,
                           *k = &call->in[FUM_ATTENTION_K].shape;
    int64_t heads;
    if (q->rank != 3 || k->rank != 3 || k->dim[0] != q->dim[0] || k->dim[2] != q->dim[2])
        return fum_refuse(why, "q and k must be [batch, tokens, channels]");
    if (!fum_attr_int(call->attr[FUM_ATTENTION_HEADS],
                      (struct fum_attr_range){"heads", 1, INT32_MAX}, &heads, why))
        return false;
    if (q->dim[2] < 1 || q->dim[2] % heads || k->dim[1] < 1)
        return fum_refuse(why, "heads must divide the channels, and a key is needed");
    return true;
}

bool fum_attention_gradient_check(const struct fum_op_call *call, struct fum_why *why) {
    const struct fum_desc *in = call->in;
    const int64_t *q = in[FUM_ATTENTION_Q].shape.dim;
    if (!fum_attention_check(call, why)) return false;
    const struct fum_shape stat = {3, {q[0], q[1], (int64_t)call->attr[FUM_ATTENTION_HEADS]}};
    if (!fum_shape_same(&in[FUM_ATTENTION_V].shape, &in[FUM_ATTENTION_K].shape) ||
        !fum_shape_same(&in[FUM_ATTENTION_DOUT].shape, &in[FUM_ATTENTION_Q].shape))
        return fum_refuse(why, "v must be as k, and dout as q");
    for (int i = FUM_ATTENTION_NORMALISER; i <= FUM_ATTENTION_DELTA; i++)
        if (in[i].dtype != FUM_F32 || !fum_shape_same(&in[i].shape, &stat))
            return fum_refuse(why, "input %d must be f32 with a number for each query and head", i);
    return true;
}

static double head_dot(const struct fum_attention *a, const double *x, const double *y) {
    double sum = 0;
    for (int64_t c = 0; c < a->channels; c++) sum += x[c] * y[c];
    return sum;
}

bool fum_attention_gradient_next(const struct fum_attention *a, const double *const *in,
                                 struct fum_attention_pair *pair) {
    int64_t width = a->heads * a->channels, last = a->batches * a->queries - 1;
    if (pair->query >= 0 && pair->head + 1 < a->heads) {
        pair->head++;
    } else {
        pair->head = 0;
        int64_t i = pair->query < 0 ? 0 : pair->query % a->queries;
        int64_t seen = a->causal ? FUM_MIN(a->keys, i + 1) : a->keys;
        bool more = pair->query >= 0 && pair->key % a->keys + 1 < seen;
        if (!more && pair->query == last) return false;
        if (!more) pair->query++;
        pair->key = more ? pair->key + 1 : pair->query / a->queries * a->keys;
    }
    int64_t q = pair->query * width + pair->head * a->channels,
            k = pair->key * width + pair->head * a->channels,
            s = pair->query * a->heads + pair->head;
    double score = head_dot(a, in[FUM_ATTENTION_Q] + q, in[FUM_ATTENTION_K] + k) * a->scale;
    pair->weight = exp(score - in[FUM_ATTENTION_NORMALISER][s]);
    double along = head_dot(a, in[FUM_ATTENTION_DOUT] + q, in[FUM_ATTENTION_V] + k);
    pair->slope = pair->weight * (along - in[FUM_ATTENTION_DELTA][s]) * a->scale;
    return true;
}

// Returns the quads of a head that an invocation takes at once; 0: heads are no whole quads, or too
// wide for its registers.
static uint32_t head_quads(const struct fum_attention *a, const struct fum_device_info *info) {
    int64_t most = fum_device_class_of(info)->spills_to_cache ? 64 : 16;
    return a->channels % 4 == 0 && a->channels / 4 <= most ? (uint32_t)(a->channels / 4) : 0;
}

static struct fum_attention_gradient_push push_of(const struct fum_op_call *call,
                                                  const struct fum_attention *a) {
    int64_t row_quads = fum_shape_row_quads(&call->in[FUM_ATTENTION_Q].shape);
    return (struct fum_attention_gradient_push){
        .queries = (uint32_t)a->queries,
        .keys = (uint32_t)a->keys,
        .heads = (uint32_t)a->heads,
        .head = (uint32_t)a->channels,
        .row_quads = (uint32_t)row_quads,
        .stat_quads = (uint32_t)FUM_DIV_UP(a->heads, 4),
        .causal = a->causal,
        .key_values = (uint32_t)(a->batches * a->keys * row_quads),
        .scale = (float)a->scale,
    };
}

// ---- blocks of rows ----

// The most quads of a head times rows of a lane, for each kind. A lane's numbers stay in the
// first-level cache, and the code, which is all unrolled, in the cache of instructions.
static const uint32_t most_quads[] = {40, 20, 20};
enum { WIDEST_HEAD = 20 }; // in quads

// True if the device is faster with blocks of rows, which take long to compile: for much work.
static bool blocks_suit(const struct fum_op_call *call, const struct fum_attention *a,
                        const struct fum_dispatches *list) {
    enum fum_dtype dtype = call->in[FUM_ATTENTION_Q].dtype;
    double work =
        (double)(a->batches * a->queries) * (double)a->keys * (double)(a->heads * a->channels);
    return work > 4e6 && a->channels % 4 == 0 && a->channels / 4 <= WIDEST_HEAD &&
           fum_texel_usable(list->info, dtype) &&
           fum_texels_faster(list->info, list->tuning, dtype) &&
           fum_texels_fit(list->info, FUM_F32);
}

static bool add_blocks(const struct fum_op_call *call, enum fum_attention_rows what,
                       struct fum_dispatches *list) {
    const struct fum_attention a = fum_attention_of(call);
    uint32_t lanes = list->info->subgroup_size, quads = (uint32_t)(a.channels / 4), rows = 4;
    while (rows > 1 && rows * quads > most_quads[what]) rows /= 2;
    int64_t own = what == FUM_ATTENTION_KEY_GRADIENTS ? a.keys : a.queries;
    int64_t groups = FUM_DIV_UP(own, rows * lanes) * a.heads * a.batches;
    struct fum_dispatch *d = fum_emit_groups(
        list, "attention_gradient_texel", call->in[FUM_ATTENTION_Q].dtype, lanes, (uint64_t)groups);
    if (!d) return false;
    d->texels = (1u << FUM_ATTENTION_GRADIENT_INPUTS) - 1;
    FUM_EMIT_SPECS(d, rows, rows == 2 || lanes == 4 ? 4 : 8, quads, a.causal, what);
    for (int i = 0; i < FUM_ATTENTION_GRADIENT_INPUTS; i++) {
        bool f32 = i >= FUM_ATTENTION_NORMALISER;
        if (f32) d->texels |= 1u << (FUM_TEXELS_F32 + i);
        // An absent operand is one that has its type.
        if (i >= call->num_inputs)
            fum_emit_bind(d, (struct fum_dispatch_bind){.operand = f32 ? FUM_OUT : 0});
        else if (!fum_emit_whole(list, d, i, &call->in[i]))
            return false;
    }
    if (!fum_emit_whole(list, d, FUM_OUT, &call->out)) return false;
    struct fum_attention_gradient_push push = push_of(call, &a);
    push.quads = (uint32_t)groups;
    FUM_EMIT_PUSH(d, push);
    return true;
}

// ---- single rows ----

// Adds a kernel with an invocation for each head of a row, or for each quad.
static bool add_rows(const struct fum_op_call *call, enum fum_attention_rows what,
                     struct fum_dispatches *list) {
    static const char *const shaders[] = {"attention_normaliser", "attention_query_gradient",
                                          "attention_key_gradient"};
    const struct fum_attention a = fum_attention_of(call);
    int64_t rows = a.batches * (what == FUM_ATTENTION_KEY_GRADIENTS ? a.keys : a.queries);
    uint32_t head = head_quads(&a, list->info);
    int64_t items = rows * (head ? a.heads : fum_shape_row_quads(&call->out.shape));
    uint32_t inputs = (1u << call->num_inputs) - 1, f32 = 0;
    for (int i = FUM_ATTENTION_NORMALISER; i < call->num_inputs; i++)
        f32 |= 1u << (FUM_TEXELS_F32 + i);
    if (!items) return true;
    struct fum_dispatch *d = fum_emit_reading(list, shaders[what], call->in[FUM_ATTENTION_Q].dtype,
                                              (uint64_t)items, inputs | f32);
    if (!d) return false;
    FUM_EMIT_SPECS(d, a.channels % 4 == 0, head);
    for (int i = 0; i < call->num_inputs; i++)
        if (!fum_emit_input(list, d, i, &call->in[i])) return false;
    if (!fum_emit_whole(list, d, FUM_OUT, &call->out)) return false;
    struct fum_attention_gradient_push push = push_of(call, &a);
    push.quads = (uint32_t)items;
    FUM_EMIT_PUSH(d, push);
    return true;
}

bool fum_attention_gradient_dispatch(const struct fum_op_call *call, enum fum_attention_rows what,
                                     struct fum_dispatches *list) {
    const struct fum_attention a = fum_attention_of(call);
    return blocks_suit(call, &a, list) ? add_blocks(call, what, list) : add_rows(call, what, list);
}
