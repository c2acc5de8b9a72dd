// SPDX-License-Identifier: MIT
// Attention's sizes, for every variant of its kernels.
#ifndef FUM_OPS_ATTENTION_H
#define FUM_OPS_ATTENTION_H

#include "ops/lib/emit.h"
#include "ops/lib/part.h"
#include "shaders/attention.pc.h"

#include <math.h>

// Settings of attention, in order.
enum { FUM_ATTENTION_HEADS, FUM_ATTENTION_CAUSAL, FUM_ATTENTION_SCALE, FUM_ATTENTION_ATTRS };
extern const struct fum_attr_def fum_attention_attrs[];

struct fum_attention {
    int64_t batches, queries, keys, heads, channels; // channels of one head
    double scale;
    bool causal;
};

static inline struct fum_attention fum_attention_of(const struct fum_op_call *call) {
    const int64_t *q = call->in[0].shape.dim;
    struct fum_attention a = {q[0],
                              q[1],
                              call->in[1].shape.dim[1],
                              (int64_t)call->attr[FUM_ATTENTION_HEADS],
                              0,
                              call->attr[FUM_ATTENTION_SCALE],
                              call->attr[FUM_ATTENTION_CAUSAL] != 0};
    a.channels = q[2] / a.heads;
    if (a.scale == 0) a.scale = 1 / sqrt((double)a.channels);
    return a;
}

// What a workgroup does: `queries`, `keys` and `out_quads` are the kernel's own, its specialisation
// constants 3 to 5.
struct fum_attention_tile {
    uint32_t lanes, queries, keys, out_quads;
    uint32_t rows, splits; // queries of a workgroup; workgroups that share the output of a head
};

// Kernels with the same bindings and push constants.
struct fum_attention_kernels {
    const char *shader;
    uint32_t texels; // bindings that are read as texels
    struct fum_attention_tile (*choose)(const struct fum_device_info *info,
                                        const struct fum_attention *attention);
};

// Cuts a call into parts of batches and their queries. Returns false, with `why`, if none fits the
// device's bindings.
bool fum_attention_cut(const struct fum_op_call *call, const struct fum_attention *a,
                       const struct fum_device_info *info, struct fum_cut *cut,
                       struct fum_why *why);
// Adds the bindings of a part (q, k, v and the output) and returns its push constants but for the
// tiles.
struct fum_attention_push fum_attention_emit(const struct fum_op_call *call,
                                             const struct fum_attention *a,
                                             const struct fum_part *part,
                                             const struct fum_dispatches *list,
                                             struct fum_dispatch *d);
// Adds the dispatches of a call by one family of kernels.
bool fum_attention_dispatch_by(const struct fum_attention_kernels *kernels,
                               const struct fum_op_call *call, const struct fum_attention *a,
                               struct fum_dispatches *list);

#endif
