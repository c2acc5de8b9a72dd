// SPDX-License-Identifier: MIT
// Gives a node a quantised weight, in the type that the graph requests or the file has.
//
// The op has kernels for it (FUM_OP_QUANTISED). Input 1 is a weight that only the node reads, whose
// rows are terms and whole blocks of the type, or of its fallback. The device can run the call.
#include "graph/fuse/rule.h"

// True if the device can run the node with its weight packed so.
static bool runs(const struct fum_fuser *fuser, const fum_tensor *node,
                 const struct fum_packing *packing) {
    struct fum_dispatches list = {.info = fuser->info, .tuning = fuser->tuning};
    struct fum_op_call call;
    fum_tensor_call(node, &call);
    call.quantised[1] = packing;
    return node->op->infer(&call, NULL) && node->op->dispatch(&call, &list);
}

// Returns the packing of the weight, or what stands in for it; NULL: it stays dense.
static const struct fum_packing *choose_packing(const struct fum_fuser *fuser,
                                                const fum_tensor *node, const fum_tensor *weight) {
    const struct fum_packing *packing = fum_graph_packing(node->graph, weight);
    while (packing && !runs(fuser, node, packing)) packing = packing->block->fallback;
    return packing;
}

bool fum_fuse_quantise(const struct fum_fuser *fuser, fum_tensor *node) {
    const fum_tensor *weight = fum_fuse_own_weight(node);
    if (!weight || weight->kept_stored || !(node->op->flags & FUM_OP_QUANTISED)) return false;
    // Its values would otherwise be the file's rows, along which blocks do not lie.
    bool terms = weight->packing->transposed && !weight->packing->block;
    if (!terms || fum_shape_count(&weight->desc.shape) == 0) return false;
    const struct fum_packing *packing = choose_packing(fuser, node, weight);
    if (!packing) return false;
    fum_tensor *packed = fum_graph_repack(node->graph, weight, &weight->desc, packing);
    if (packed) node->in[1] = packed;
    return packed != NULL;
}
