// SPDX-License-Identifier: MIT
// Lets an op read the two parts of a concatenation, so that it need not wait for the copy.
//
// The node has a free second input, and its input 0 is a concatenation of two values along the
// channels. Other nodes may read that too, so it stays where they do.
#include "graph/fuse/rule.h"

bool fum_fuse_concat(const struct fum_fuser *fuser, fum_tensor *node) {
    const struct fum_input_read *reads = fum_input_read_of(node);
    if (!fum_fuse_input_free(node, reads->second_input)) return false;
    fum_tensor *p = node->in[0];
    bool (*joins)(const struct fum_op_call *) = fum_fusion_of(p)->joins;
    struct fum_op_call call;
    fum_tensor_call(p, &call);
    if (!joins || !joins(&call)) return false;
    fum_tensor_call(node, &call);
    if (!reads->reads_joined(fuser->info, &call)) return false;
    node->in[0] = p->in[0];
    node->in[reads->second_input] = p->in[1];
    return true;
}
