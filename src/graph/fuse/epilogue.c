// SPDX-License-Identifier: MIT
// Moves an activation, a residual or a row for each batch into the epilogue of its producer.
//
// The node reads the producer, which nothing else reads. An epilogue computes the row first, then
// the activation, then the residual. So an activation or a row enters only where the later ones
// are absent.
#include "graph/fuse/rule.h"

// True if the tensor's epilogue adds a residual.
static bool has_residual(const fum_tensor *p) {
    int residual = fum_epilogue_of(p)->residual_input;
    return residual && p->in[residual];
}

static bool take_activation(fum_tensor *node) {
    enum fum_act act = fum_fusion_of(node)->activation;
    fum_tensor *p = node->in[0];
    if (act == FUM_ACT_NONE || !fum_fuse_owns(node, p)) return false;
    const char *attr = fum_epilogue_of(p)->act_attr;
    if (!attr || fum_fuse_activation(p) != FUM_ACT_NONE || has_residual(p)) return false;
    fum_fuse_become(node, p);
    node->attr[fum_op_attr_index(node->op, attr)] = act;
    return true;
}

// True if the shape is [R, 1, …, 1, C], with R 1 or the output's batch: one row for each batch.
static bool is_row(const struct fum_shape *r, const struct fum_shape *out) {
    if (r->rank != out->rank || out->rank < 3 || r->dim[r->rank - 1] != out->dim[out->rank - 1])
        return false;
    for (int i = 1; i + 1 < r->rank; i++)
        if (r->dim[i] != 1) return false;
    return r->dim[0] == 1 || r->dim[0] == out->dim[0];
}

// Returns the free input of the producer that can take the other operand of its sum; 0: none.
static int free_input(const fum_tensor *p, const fum_tensor *other, const fum_tensor *node) {
    const struct fum_epilogue *epilogue = fum_epilogue_of(p);
    const struct fum_shape *shape = &other->desc.shape, *out = &node->desc.shape;
    if (fum_shape_same(shape, out) && fum_fuse_input_free(p, epilogue->residual_input))
        return epilogue->residual_input;
    if (is_row(shape, out) && fum_fuse_input_free(p, epilogue->row_input) &&
        fum_fuse_activation(p) == FUM_ACT_NONE && !has_residual(p))
        return epilogue->row_input;
    return 0;
}

// Makes the node, a sum, its operand number `which` with the other operand in the epilogue.
static bool take_sum(fum_tensor *node, int which) {
    fum_tensor *p = node->in[which], *other = node->in[1 - which];
    if (p == other || !fum_fuse_owns(node, p)) return false;
    if (!fum_shape_same(&p->desc.shape, &node->desc.shape) || other->desc.dtype != node->desc.dtype)
        return false;
    int input = free_input(p, other, node);
    if (!input) return false;
    fum_fuse_become(node, p);
    node->in[input] = other;
    return true;
}

bool fum_fuse_epilogue(const struct fum_fuser *fuser, fum_tensor *node) {
    (void)fuser;
    bool adds = fum_fusion_of(node)->adds;
    return take_activation(node) || (adds && (take_sum(node, 0) || take_sum(node, 1)));
}
