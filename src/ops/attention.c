// SPDX-License-Identifier: MIT
// Scaled dot-product attention of q [B, Tq, heads D] on k and v [B, Tk, heads D], all heads at
// once.
#include <math.h>

#include "ops/lib/emit.h"
#include "ops/variants/variant.h"

static const struct fum_attr_def attrs[] = {{"heads", 1}, {"causal", 0}, {"scale", 0}, {NULL, 0}};

static bool infer(struct fum_op_call *call, struct fum_why *why) {
    const struct fum_shape *q = &call->in[0].shape, *k = &call->in[1].shape,
                           *v = &call->in[2].shape;
    int64_t heads;
    if (q->rank != 3 || k->rank != 3 || v->rank != 3)
        return fum_refuse(why, "q, k and v must be [batch, tokens, channels]");
    if (k->dim[0] != q->dim[0] || k->dim[2] != q->dim[2] || v->dim[0] != k->dim[0] ||
        v->dim[1] != k->dim[1] || v->dim[2] != k->dim[2])
        return fum_refuse(why, "k and v must have q's batch and channels and the same tokens");
    if (!fum_attr_int(call->attr[FUM_ATTENTION_HEADS],
                      (struct fum_attr_range){"heads", 1, INT32_MAX}, &heads, why))
        return false;
    if (q->dim[2] < 1 || q->dim[2] % heads != 0) {
        return fum_refuse(why, "%lld channels do not divide into %lld heads", (long long)q->dim[2],
                          (long long)heads);
    }
    if (k->dim[1] < 1) return fum_refuse(why, "there must be a key to attend to");
    call->out = call->in[0];
    return true;
}

static double score(const struct fum_attention *p, const double *q, const double *k) {
    double sum = 0;
    for (int64_t d = 0; d < p->channels; d++) sum += (double)q[d] * k[d];
    return sum * p->scale;
}

// Channels whose sums are kept at once; wider heads compute their scores again for the next ones.
enum { REFERENCE_CHANNELS = 512 };

// One query of a head, as pointers to the head's first elements, and the keys that it sees.
struct query {
    const double *q, *k, *v;
    double *out;
    int64_t keys;
};

// Computes channels [first, first + count) of a query's output.
static void attend(const struct fum_attention *p, const struct query *query, int64_t first,
                   int64_t count) {
    int64_t row = p->heads * p->channels;
    double top = -INFINITY, sum = 0, y[REFERENCE_CHANNELS] = {0};
    for (int64_t j = 0; j < query->keys; j++)
        top = fmax(top, score(p, query->q, query->k + j * row));
    for (int64_t j = 0; j < query->keys; j++) {
        double e = exp(score(p, query->q, query->k + j * row) - top);
        sum += e;
        for (int64_t d = 0; d < count; d++) y[d] += e * query->v[j * row + first + d];
    }
    for (int64_t d = 0; d < count; d++) query->out[first + d] = y[d] / sum;
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    struct fum_attention p = fum_attention_of(call);
    int64_t row = p.heads * p.channels;
    for (int64_t i = 0; i < p.batches * p.queries * p.heads; i++) {
        int64_t head = i % p.heads, query = i / p.heads % p.queries, b = i / (p.heads * p.queries);
        int64_t at = (b * p.queries + query) * row + head * p.channels;
        int64_t key_at = b * p.keys * row + head * p.channels;
        struct query one = {in[0] + at, in[1] + key_at, in[2] + key_at, out + at, p.keys};
        if (p.causal) one.keys = FUM_MIN(p.keys, query + 1);
        for (int64_t first = 0; first < p.channels; first += REFERENCE_CHANNELS)
            attend(&p, &one, first, FUM_MIN(p.channels - first, REFERENCE_CHANNELS));
    }
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    if (fum_shape_count(&call->out.shape) == 0) return true;
    struct fum_attention a = fum_attention_of(call);
    if (a.channels % 4) return fum_attention_dispatch_padded(call, list);
    return fum_variant_attention(call, &a, list);
}

static double flops(const struct fum_op_call *call) {
    return 4.0 * (double)fum_shape_count(&call->in[0].shape) * (double)call->in[1].shape.dim[1];
}

const struct fum_op fum_op_attention = {
    .name = "attention",
    .attrs = attrs,
    .min_inputs = 3,
    .max_inputs = 3,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
    .flops = flops,
};
