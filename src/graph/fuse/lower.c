// SPDX-License-Identifier: MIT
// Replaces an op by one that computes the same from another packing of its weight.
//
// Input 1 is a weight that only the node reads, in the packing from which the lowering starts. It
// is replaced by a weight of the same tensors in the files, packed as the other op reads it. A
// weight that a training keeps fixed may have more readers: the backward pass reads it, too. There
// input 1 may also be computed from the weight. A training that saves memory by checkpoints keeps
// one copy of a weight. Or input 1 is a parameter, or a node of the same stage, and stays.
#include "graph/fuse/rule.h"

// True if input 1 is computed in each run of the node's stage, or changes between them.
static bool changes(const fum_tensor *node) {
    const fum_tensor *weight = node->in[1];
    return weight->kind == FUM_TENSOR_PARAMETER ||
           (weight->kind == FUM_TENSOR_NODE && weight->stage == node->stage);
}

// True if a weight may be packed in one way for each of its readers.
static bool packs_copies(const fum_graph *graph) {
    return fum_graph_is_training(graph) && !graph->checkpointing;
}

// Returns the weight from which a lowering starts. NULL: the node has none.
static const fum_tensor *find_weight(const struct fum_lowering *lowering, const fum_tensor *node) {
    const fum_tensor *weight = node->in[1];
    if (lowering->through) {
        if (weight->kind != FUM_TENSOR_NODE || weight->op != lowering->through) return NULL;
        weight = weight->in[0];
    }
    bool owned = weight->uses == 1 || packs_copies(node->graph);
    bool found = weight->kind == FUM_TENSOR_WEIGHT && weight->packing == lowering->from && owned;
    return found ? weight : NULL;
}

// Applies one lowering. Returns false if it does not suit the node.
static bool apply(const struct fum_lowering *lowering, struct fum_lowering_site *site,
                  fum_tensor *node) {
    struct fum_desc desc;
    site->weight = NULL;
    if (!lowering->from) {
        bool chosen = changes(node) && lowering->choose(site, &desc);
        if (chosen) node->op = lowering->op;
        return chosen;
    }
    const fum_tensor *weight = find_weight(lowering, node);
    if (!weight) return false;
    site->weight = &weight->desc;
    if (!lowering->choose(site, &desc)) return false;
    fum_tensor *packed = fum_graph_repack(node->graph, weight, &desc, lowering->to);
    if (!packed) return false;
    node->in[1] = packed;
    node->op = lowering->op;
    if (lowering->clears) node->attr[fum_op_attr_index(node->op, lowering->clears)] = 0;
    if (lowering->sets) node->attr[fum_op_attr_index(node->op, lowering->sets)] = 1;
    return true;
}

bool fum_fuse_lower(const struct fum_fuser *fuser, fum_tensor *node) {
    const struct fum_lowering *lowering = fum_fusion_of(node)->lowerings;
    if (!lowering || node->num_inputs < 2 || !node->in[1]) return false;
    struct fum_op_call call;
    // A twin reads the weight as its original does, so that both choose the same packing.
    enum fum_stage stage = node->original ? node->original->stage : node->stage;
    fum_tensor_call(node, &call);
    struct fum_lowering_site site = {.info = fuser->info,
                                     .tuning = fuser->tuning,
                                     .call = &call,
                                     .share = fum_op_flops(node->op, &call) / fuser->flops[stage],
                                     .trains = packs_copies(node->graph)};
    for (; lowering->op; lowering++)
        if (apply(lowering, &site, node)) return true;
    return false;
}
