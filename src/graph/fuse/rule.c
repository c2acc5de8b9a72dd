// SPDX-License-Identifier: MIT
// Provides what the rules share.
#include "graph/fuse/rule.h"

#include <string.h>

const struct fum_op_fusion *fum_fusion_of(const fum_tensor *tensor) {
    static const struct fum_op_fusion none;
    bool fuses = tensor->kind == FUM_TENSOR_NODE && tensor->op->fusion;
    return fuses ? tensor->op->fusion : &none;
}

const struct fum_epilogue *fum_epilogue_of(const fum_tensor *tensor) {
    static const struct fum_epilogue none;
    const struct fum_epilogue *epilogue = fum_fusion_of(tensor)->epilogue;
    return epilogue ? epilogue : &none;
}

const struct fum_input_read *fum_input_read_of(const fum_tensor *tensor) {
    static const struct fum_input_read none;
    const struct fum_input_read *reads = fum_fusion_of(tensor)->reads;
    return reads ? reads : &none;
}

bool fum_fuse_owns(const fum_tensor *node, const fum_tensor *operand) {
    return operand->kind == FUM_TENSOR_NODE && operand->uses == 1 && !operand->output &&
           operand->stage == node->stage && operand->gate == node->gate &&
           operand->desc.dtype == node->desc.dtype && !fum_tensor_updated_between(operand, node);
}

const fum_tensor *fum_fuse_own_weight(const fum_tensor *node) {
    const fum_tensor *weight = node->num_inputs > 1 ? node->in[1] : NULL;
    bool owned = weight && weight->kind == FUM_TENSOR_WEIGHT && weight->uses == 1;
    return owned ? weight : NULL;
}

bool fum_fuse_input_free(const fum_tensor *tensor, int input) {
    return input > 0 && !tensor->in[input];
}

enum fum_act fum_fuse_activation(const fum_tensor *tensor) {
    const char *attr = fum_epilogue_of(tensor)->act_attr;
    int i = attr ? fum_op_attr_index(tensor->op, attr) : -1;
    return i < 0 ? FUM_ACT_NONE : (enum fum_act)(int)tensor->attr[i];
}

void fum_fuse_become(fum_tensor *node, fum_tensor *producer) {
    node->op = producer->op;
    memcpy(node->attr, producer->attr, sizeof node->attr);
    memcpy(node->in, producer->in, sizeof node->in);
    node->num_inputs = producer->num_inputs;
    node->name = producer->name;
    producer->live = false;
    producer->uses = 0;
}
