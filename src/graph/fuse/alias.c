// SPDX-License-Identifier: MIT
// Makes a slice of whole rows the memory that it is a slice of, without a copy.
//
// The slice starts on the device's alignment for bindings. Weights and constants are copied, since
// they lie in stores of their own, and states too, since they change.
#include "graph/fuse/rule.h"

bool fum_fuse_alias(const struct fum_fuser *fuser, fum_tensor *node) {
    bool (*is_alias)(const struct fum_op_call *, uint64_t *) = fum_fusion_of(node)->is_alias;
    if (!is_alias || node->alias || fum_tensor_root(node->in[0])->kind != FUM_TENSOR_NODE)
        return false;
    struct fum_op_call call;
    fum_tensor_call(node, &call);
    if (!is_alias(&call, &node->alias_offset)) return false;
    uint64_t offset = fum_tensor_offset(node->in[0]) + node->alias_offset;
    uint64_t align = fuser->info->binding_align ? fuser->info->binding_align : 1;
    node->alias = offset % align == 0;
    return node->alias;
}
