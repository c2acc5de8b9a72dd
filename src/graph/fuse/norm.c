// SPDX-License-Identifier: MIT
// Lets a convolution normalise its input as it reads it.
//
// The node has a free input for scales and shifts, and reading so is fast on the device. Its input
// 0 is a norm that only the node reads. The node then reads what the norm reads, as one tensor. If
// the norm reads two parts, their concatenation must be in the graph.
#include "graph/fuse/rule.h"

// True if the tensor is the concatenation of the two parts that a norm reads.
static bool joins_parts(const fum_tensor *t, const fum_tensor *first, const fum_tensor *second) {
    return fum_fusion_of(t)->joins && t->in[0] == first && t->in[1] == second;
}

// Returns the norm's input as one tensor, the nearest before the norm. NULL: there is none.
static fum_tensor *whole_input(const fum_graph *graph, const fum_tensor *norm) {
    int second = fum_input_read_of(norm)->second_input;
    if (!second || !norm->in[second]) return norm->in[0];
    for (int i = norm->id - 1; i >= 0; i--)
        if (joins_parts(graph->tensors[i], norm->in[0], norm->in[second])) return graph->tensors[i];
    return NULL;
}

// Makes the norm the op that computes its scales and shifts.
static bool become_scales(fum_tensor *norm) {
    norm->op = fum_fusion_of(norm)->norm_scales;
    struct fum_op_call call;
    struct fum_why why;
    fum_tensor_call(norm, &call);
    bool inferred = norm->op->infer(&call, &why); // the norm accepted the same inputs and settings
    norm->desc = call.out;
    return inferred;
}

bool fum_fuse_norm(const struct fum_fuser *fuser, fum_tensor *node) {
    const struct fum_input_read *reads = fum_input_read_of(node);
    fum_tensor *p = node->in[0];
    if (!reads->reads_normalised || !fum_fuse_input_free(node, reads->norm_input)) return false;
    if (!fum_fuse_owns(node, p) || !fum_fusion_of(p)->norm_scales) return false;
    fum_tensor *x = whole_input(fuser->graph, p);
    struct fum_op_call call;
    fum_tensor_call(node, &call);
    if (!x || !reads->reads_normalised(fuser->info, &call)) return false;
    node->attr[fum_op_attr_index(node->op, reads->norm_act_attr)] = fum_fuse_activation(p);
    node->in[0] = x;
    node->in[reads->norm_input] = p;
    return become_scales(p);
}
