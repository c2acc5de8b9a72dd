// SPDX-License-Identifier: MIT
// Moves a doubling of the image into the input read of a convolution.
//
// The node can read its input 0 doubled and does not yet. Input 0 is a doubling that only the node
// reads.
#include "graph/fuse/rule.h"

bool fum_fuse_upsample(const struct fum_fuser *fuser, fum_tensor *node) {
    (void)fuser;
    const char *name = fum_input_read_of(node)->double_attr;
    if (!name) return false;
    int attr = fum_op_attr_index(node->op, name);
    fum_tensor *p = node->in[0];
    if (node->attr[attr] != 0 || !fum_fuse_owns(node, p)) return false;
    bool (*doubles)(const struct fum_op_call *) = fum_fusion_of(p)->doubles;
    struct fum_op_call call;
    fum_tensor_call(p, &call);
    if (!doubles || !doubles(&call)) return false;
    node->in[0] = p->in[0];
    node->attr[attr] = 1;
    p->live = false;
    p->uses = 0;
    return true;
}
