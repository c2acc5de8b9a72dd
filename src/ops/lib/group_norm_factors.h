// SPDX-License-Identifier: MIT
// What group_norm and group_norm_affine share: a group norm as one scale and one shift per batch
// and channel.
#ifndef FUM_OPS_GROUP_NORM_FACTORS_H
#define FUM_OPS_GROUP_NORM_FACTORS_H

#include "ops/lib/emit.h"
#include "ops/lib/part.h"
#include "shaders/group_norm.pc.h"

// Settings of both ops, in this order.
enum { FUM_GROUP_NORM_GROUPS, FUM_GROUP_NORM_EPS, FUM_GROUP_NORM_ACT };
extern const struct fum_attr_def fum_group_norm_attrs[];
// Inputs of both: x [batch, .., channels], gamma, beta and, optional, another x whose channels
// follow those of the first.
enum { FUM_GROUP_NORM_X, FUM_GROUP_NORM_GAMMA, FUM_GROUP_NORM_BETA, FUM_GROUP_NORM_X1 };

struct fum_group_norm {
    int64_t batches, rows, channels, quads, groups;
    int64_t chunk, chunks; // rows of a chunk, chunks of a batch
    struct fum_cut cut;    // batches, or chunks of one batch, that fit a binding
    // statistics of chunks in scratch first; else a workgroup for each batch and group
    bool chunked;
    bool small;       // chunked since a workgroup's barriers would take longer than its work
    uint64_t stats;   // their bytes in scratch, 0 unless chunked
    uint64_t factors; // bytes of the factors, f32 [batch, 2, channels]
};

// Returns the description of x, with the channels of both inputs.
struct fum_desc fum_group_norm_x(const struct fum_op_call *call);
// Checks the inputs; leaves call->out alone.
bool fum_group_norm_check(const struct fum_op_call *call, struct fum_why *why);
// Plans the dispatches. Returns false, with `why`, if the device's limits do not allow the call.
bool fum_group_norm_plan(const struct fum_op_call *call, const struct fum_device_info *info,
                         struct fum_group_norm *g, struct fum_why *why);
// Adds the dispatches that compute the factors into `to`. Scratch starts with the statistics.
bool fum_group_norm_factors(const struct fum_op_call *call, const struct fum_group_norm *g,
                            const struct fum_dispatch_bind *to, struct fum_dispatches *list);
// Workgroups that take `span` groups each of `batches` batches.
struct fum_group_norm_spans {
    const char *shader, *texel_shader; // by how the device reads inputs
    int64_t batches, span;
};
// Adds the dispatch of such workgroups, with what lib/moments.glsl declares, and sets *push but for
// its skips; the caller adds the bindings. Returns NULL, with list->why, if it does not fit.
struct fum_dispatch *fum_group_norm_emit(const struct fum_op_call *call,
                                         const struct fum_group_norm *g,
                                         struct fum_group_norm_spans spans,
                                         struct fum_dispatches *list,
                                         struct fum_group_norm_push *push);
// Returns an element of x, of both, for the references.
double fum_group_norm_value(const struct fum_op_call *call, const double *const *in, int64_t row,
                            int64_t channel);
struct fum_moments {
    double mean, variance;
};
// Returns those of a group of one batch.
struct fum_moments fum_group_norm_moments(const struct fum_op_call *call, const double *const *in,
                                          int64_t batch, int64_t group);

#endif
