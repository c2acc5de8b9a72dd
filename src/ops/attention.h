// Attention's sizes, for every variant of its kernels.
#ifndef FUM_OPS_ATTENTION_H
#define FUM_OPS_ATTENTION_H

#include "ops/gemm.h"

#include <math.h>

// Settings of attention, in order.
enum { FUM_ATTENTION_HEADS, FUM_ATTENTION_CAUSAL, FUM_ATTENTION_SCALE };

struct fum_attention {
    int64_t batches, queries, keys, heads, channels; // channels of one head
    double scale;
    bool causal;
};

static inline struct fum_attention fum_attention_of(const struct fum_op_call *call) {
    const int64_t *q = call->in[0].shape.dim;
    struct fum_attention a = {q[0], q[1], call->in[1].shape.dim[1], (int64_t)call->attr[FUM_ATTENTION_HEADS], 0,
                              call->attr[FUM_ATTENTION_SCALE], call->attr[FUM_ATTENTION_CAUSAL] != 0};
    a.channels = q[2] / a.heads;
    if (a.scale == 0) a.scale = 1 / sqrt((double)a.channels);
    return a;
}

#endif
