// SPDX-License-Identifier: MIT
// Replaces an op by one that computes the same from another packing of its weight.
//
// Input 1 is a weight that only the node reads, in the packing from which the lowering starts.
// Lowerings that round the weight are for graphs that request quantisation.
#include "graph/fuse/rule.h"

// Applies one lowering. Returns false if it does not suit the node.
static bool apply(const struct fum_lowering *lowering, const struct fum_lowering_site *site,
                  fum_tensor *node) {
    fum_tensor *weight = node->in[1];
    struct fum_desc desc;
    if (lowering->quantises && !node->graph->quantised) return false;
    if (weight->pack != lowering->from || !lowering->choose(site, &desc)) return false;
    weight->desc = desc;
    weight->pack = lowering->to;
    node->op = lowering->op;
    return true;
}

bool fum_fuse_lower(const struct fum_fuser *fuser, fum_tensor *node) {
    const struct fum_lowering *lowering = fum_fusion_of(node)->lowerings;
    const fum_tensor *weight = node->num_inputs > 1 ? node->in[1] : NULL;
    if (!lowering || !weight || weight->kind != FUM_TENSOR_WEIGHT || weight->uses != 1)
        return false;
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
