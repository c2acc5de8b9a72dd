// SPDX-License-Identifier: MIT
// Moves a gate into the product that computes its values and gates.
//
// The node gates its input 0, a product that only the node reads. The product has a setting for
// gates, and nothing of its epilogue but the bias is in use.
#include "graph/fuse/rule.h"

bool fum_fuse_gate(const struct fum_fuser *fuser, fum_tensor *node) {
    enum fum_act gate = fum_fusion_of(node)->gate;
    fum_tensor *p = node->in[0];
    if (gate == FUM_ACT_NONE || !fum_fuse_owns(node, p)) return false;
    const struct fum_epilogue *epilogue = fum_epilogue_of(p);
    if (!epilogue->gate_attr || fum_fuse_activation(p) != FUM_ACT_NONE) return false;
    if (!fum_fuse_input_free(p, epilogue->row_input) ||
        !fum_fuse_input_free(p, epilogue->residual_input))
        return false;
    int attr = fum_op_attr_index(p->op, epilogue->gate_attr);
    struct fum_op_call call;
    fum_tensor_call(p, &call);
    if (p->attr[attr] != FUM_ACT_NONE || !epilogue->gate_is_free(fuser->info, &call)) return false;
    fum_fuse_become(node, p);
    node->attr[attr] = gate;
    return true;
}
