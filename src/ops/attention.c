// SPDX-License-Identifier: MIT
// Scaled dot-product attention of q [B, Tq, heads D] on k and v [B, Tk, heads D], all heads at
// once.
#include <math.h>

#include "graph/gradient.h"
#include "ops/lib/attention_gradient.h"
#include "ops/variants/variant.h"

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

// Returns the sum over each head's channels of dout times the output, in f32.
static fum_tensor *add_delta(struct fum_gradient *g, int64_t heads) {
    const int64_t *d = g->node->desc.shape.dim;
    struct fum_shape split = {3, {d[0] * d[1], heads, d[2] / heads}};
    fum_tensor *dout = fum_gradient_cast(g, g->dout, FUM_F32);
    fum_tensor *out = fum_gradient_cast(g, fum_gradient_output(g), FUM_F32);
    fum_tensor *product = fum_gradient_add(g, "mul", FUM_INPUTS(dout, out), NULL);
    product = fum_gradient_reshape(g, product, split);
    split.dim[2] = 1;
    product = fum_gradient_sum_to(g, product, split);
    return fum_gradient_reshape(g, product, (struct fum_shape){3, {d[0], d[1], heads}});
}

static bool gradient(struct fum_gradient *g) {
    const fum_tensor *node = g->node;
    const double *attr = node->attr;
    const struct fum_attr settings[] = {{"heads", attr[FUM_ATTENTION_HEADS]},
                                        {"causal", attr[FUM_ATTENTION_CAUSAL]},
                                        {"scale", attr[FUM_ATTENTION_SCALE]},
                                        {0}};
    fum_tensor *q = node->in[0], *k = node->in[1], *v = node->in[2];
    fum_tensor *in[FUM_ATTENTION_GRADIENT_INPUTS] = {
        q,
        k,
        v,
        g->dout,
        fum_gradient_add(g, "attention_normaliser", FUM_INPUTS(q, k), settings),
        add_delta(g, (int64_t)attr[FUM_ATTENTION_HEADS])};
    const struct fum_inputs all = {in, FUM_ATTENTION_GRADIENT_INPUTS};
    if (g->needed[0]) g->grad[0] = fum_gradient_add(g, "attention_query_gradient", all, settings);
    if (!g->needed[1] && !g->needed[2]) return true;
    fum_tensor *both = fum_gradient_add(g, "attention_key_gradient", all, settings);
    for (int i = 1; i <= 2; i++) {
        int64_t batches = k->desc.shape.dim[0];
        if (g->needed[i]) g->grad[i] = fum_gradient_part(g, both, (i - 1) * batches, batches);
    }
    return true;
}

static double flops(const struct fum_op_call *call) {
    return 4.0 * (double)fum_shape_count(&call->in[0].shape) * (double)call->in[1].shape.dim[1];
}

const struct fum_op fum_op_attention = {
    .name = "attention",
    .attrs = fum_attention_attrs,
    .min_inputs = 3,
    .max_inputs = 3,
    .infer = infer,
    .reference = reference,
    .dispatch = dispatch,
    .gradient = gradient,
    .flops = flops,
};
