// SPDX-License-Identifier: MIT
// Replaces an op by one that computes the same from another packing of its weight.
//
// Input 1 is a weight that only the node reads, in the packing from which the lowering starts. It
// is replaced by a weight of the same tensors in the files, packed as the other op reads it. Or
// input 1 is a parameter, or a node of the same stage, and stays.
#include "graph/fuse/rule.h"

// True if input 1 is computed in each run of the node's stage, or changes between them.
static bool changes(const fum_tensor *node) {
    const fum_tensor *weight = node->in[1];
    return weight->kind == FUM_TENSOR_PARAMETER ||
           (weight->kind == FUM_TENSOR_NODE && weight->stage == node->stage);
}

// Applies one lowering. Returns false if it does not suit the node.
static bool apply(const struct fum_lowering *lowering, const struct fum_lowering_site *site,
                  fum_tensor *node) {
    const fum_tensor *weight = fum_fuse_own_weight(node);
    struct fum_desc desc;
    if (!lowering->from) {
        bool chosen = changes(node) && lowering->choose(site, &desc);
        if (chosen) node->op = lowering->op;
        return chosen;
    }
    if (!weight || weight->packing != lowering->from || !lowering->choose(site, &desc))
        return false;
    fum_tensor *packed = fum_graph_repack(node->graph, weight, &desc, lowering->to);
    if (!packed) return false;
    node->in[1] = packed;
    node->op = lowering->op;
    return true;
}

bool fum_fuse_lower(const struct fum_fuser *fuser, fum_tensor *node) {
    const struct fum_lowering *lowering = fum_fusion_of(node)->lowerings;
    if (!lowering || node->num_inputs < 2 || !node->in[1]) return false;
    struct fum_op_call call;
    fum_tensor_call(node, &call);
    const struct fum_lowering_site site = {.info = fuser->info,
                                           .tuning = fuser->tuning,
                                           .call = &call,
                                           .share = fum_op_flops(node->op, &call) /
                                                    fuser->flops[node->stage]};
    for (; lowering->op; lowering++)
        if (apply(lowering, &site, node)) return true;
    return false;
}
