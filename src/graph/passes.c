// SPDX-License-Identifier: MIT
#include "graph/passes.h"

#include "base/error.h"

#include <string.h>

void fum_pass_prune(fum_graph *graph) {
    for (int i = 0; i < graph->count; i++)
        graph->tensors[i]->live = false, graph->tensors[i]->uses = 0;
    // Inputs have smaller ids, so one sweep down reaches everything.
    for (int i = graph->count - 1; i >= 0; i--) {
        fum_tensor *t = graph->tensors[i];
        if (t->output || (t->op && t->op->updates)) t->live = true;
        if (!t->live) continue;
        for (int k = 0; k < t->num_inputs; k++) {
            if (!t->in[k]) continue;
            t->in[k]->live = true;
            t->in[k]->uses++;
        }
    }
}

// ---- fusion ----

// Whether `node` may take its operand `p` over: nobody else sees p, and p is computed as often as
// the node.
static bool only_for(const fum_tensor *p, const fum_tensor *node) {
    return p->kind == FUM_TENSOR_NODE && p->uses == 1 && !p->output && p->stage == node->stage &&
           p->desc.dtype == node->desc.dtype;
}

static bool same_shape(const fum_tensor *a, const fum_tensor *b) {
    return fum_shape_same(&a->desc.shape, &b->desc.shape);
}

static bool slot_free(const fum_tensor *p, int slot) {
    return slot > 0 && !p->in[slot];
}

static enum fum_act act_of(const fum_tensor *p) {
    int i = p->op->act_attr ? fum_op_attr_index(p->op, p->op->act_attr) : -1;
    return i < 0 ? FUM_ACT_NONE : (enum fum_act)(int)p->attr[i];
}

// The node becomes its producer: it takes the producer's op, settings and inputs, at the place of
// the node, so that whatever else the node reads has been computed by then.
static void become(fum_tensor *node, fum_tensor *producer) {
    node->op = producer->op;
    memcpy(node->attr, producer->attr, sizeof node->attr);
    memcpy(node->in, producer->in, sizeof node->in);
    node->num_inputs = producer->num_inputs;
    node->name = producer->name;
    producer->live = false;
    producer->uses = 0;
}

// act(producer(…)) → the producer's epilogue; the activation comes before the residual, so there
// must be none yet.
static bool fuse_act(fum_tensor *node) {
    fum_tensor *p = node->in[0];
    if (node->op->act == FUM_ACT_NONE || !only_for(p, node) || !p->op->act_attr ||
        act_of(p) != FUM_ACT_NONE)
        return false;
    if (p->op->residual_input && p->in[p->op->residual_input]) return false;
    enum fum_act act = node->op->act;
    become(node, p);
    node->attr[fum_op_attr_index(p->op, p->op->act_attr)] = act;
    return true;
}

// [R, 1, …, 1, C] with R the producer's batch or 1: one row for each batch.
static bool is_row(const fum_tensor *row, const fum_tensor *out) {
    const struct fum_shape *r = &row->desc.shape, *s = &out->desc.shape;
    if (r->rank != s->rank || s->rank < 3 || r->dim[r->rank - 1] != s->dim[s->rank - 1])
        return false;
    for (int i = 1; i + 1 < r->rank; i++)
        if (r->dim[i] != 1) return false;
    return r->dim[0] == 1 || r->dim[0] == s->dim[0];
}

// producer(…) + other → the producer's residual or row slot.
static bool fuse_add(fum_tensor *node, int which) {
    fum_tensor *p = node->in[which], *other = node->in[1 - which];
    if (p == other || !only_for(p, node) || !same_shape(p, node) ||
        other->desc.dtype != node->desc.dtype)
        return false;
    int slot = 0;
    if (same_shape(other, node) && slot_free(p, p->op->residual_input))
        slot = p->op->residual_input;
    else if (is_row(other, node) && slot_free(p, p->op->row_input) && act_of(p) == FUM_ACT_NONE &&
             (!p->op->residual_input || !p->in[p->op->residual_input]))
        slot = p->op->row_input;
    if (!slot) return false;
    become(node, p);
    node->in[slot] = other;
    return true;
}

static bool fuse_double(fum_tensor *node) {
    if (!node->op->double_attr) return false;
    int attr = fum_op_attr_index(node->op, node->op->double_attr);
    fum_tensor *p = node->in[0];
    if (node->attr[attr] != 0 || !only_for(p, node) || !p->op->doubles) return false;
    node->in[0] = p->in[0];
    node->attr[attr] = 1;
    p->live = false;
    p->uses = 0;
    return true;
}

// Values times their gates → the epilogue of the product that computes both.
static bool fuse_gate(fum_tensor *node, const struct fum_device_info *info) {
    fum_tensor *p = node->in[0];
    if (node->op->gate == FUM_ACT_NONE || !only_for(p, node) || !p->op->gate_attr ||
        act_of(p) != FUM_ACT_NONE)
        return false;
    int attr = fum_op_attr_index(p->op, p->op->gate_attr);
    if (!slot_free(p, p->op->row_input) || !slot_free(p, p->op->residual_input)) return false;
    struct fum_op_call call;
    fum_tensor_call(p, &call);
    if (p->attr[attr] != FUM_ACT_NONE || !p->op->gates(info, &call)) return false;
    enum fum_act gate = node->op->gate;
    become(node, p);
    node->attr[attr] = gate;
    return true;
}

// What reads a concatenation reads its two parts, so that it need not wait for the copy, which
// others may want.
static bool read_joined(fum_tensor *node, const struct fum_device_info *info) {
    const struct fum_op *op = node->op;
    fum_tensor *p = node->in[0];
    if (!op->second_input || node->in[op->second_input] || p->kind != FUM_TENSOR_NODE ||
        !p->op->joins)
        return false;
    struct fum_op_call call;
    fum_tensor_call(p, &call);
    if (!p->op->joins(&call)) return false;
    fum_tensor_call(node, &call);
    if (!op->reads_joined(info, &call)) return false;
    node->in[0] = p->in[0];
    node->in[op->second_input] = p->in[1];
    return true;
}

// The input of a norm as one tensor: input 0, or the concatenation that it reads the parts of.
// NULL: there is none.
static fum_tensor *whole_input(const fum_graph *graph, const fum_tensor *norm) {
    int second = norm->op->second_input;
    if (!second || !norm->in[second]) return norm->in[0];
    for (int i = 0; i < norm->id; i++) {
        fum_tensor *t = graph->tensors[i];
        if (!t->live || t->kind != FUM_TENSOR_NODE || !t->op->joins) continue;
        if (t->in[0] == norm->in[0] && t->in[1] == norm->in[second]) return t;
    }
    return NULL;
}

// A norm that this node alone reads becomes its factors and addends, and the node applies them as
// it reads the norm's input.
static bool read_normalised(fum_tensor *node, const struct fum_device_info *info) {
    const struct fum_op *op = node->op;
    fum_tensor *p = node->in[0];
    if (!op->norm_input || !op->reads_normalised || node->in[op->norm_input]) return false;
    if (!only_for(p, node) || !p->op->affine) return false;
    fum_tensor *x = whole_input(node->graph, p);
    struct fum_op_call call;
    fum_tensor_call(node, &call);
    if (!x || !op->reads_normalised(info, &call)) return false;
    node->attr[fum_op_attr_index(op, op->norm_act_attr)] = act_of(p);
    node->in[0] = x;
    node->in[op->norm_input] = p;
    p->op = p->op->affine; // of the same inputs and settings
    fum_tensor_call(p, &call);
    bool inferred = p->op->infer(&call, NULL); // the norm was accepted with them
    p->desc = call.out;
    return inferred;
}

// A slice of whole rows needs no copy where it starts on the device's alignment. Not of weights,
// which lie in stores of their own, nor of states, which change.
static bool become_window(fum_tensor *node, const struct fum_device_info *info) {
    if (!node->op->window || node->window || fum_tensor_root(node->in[0])->kind != FUM_TENSOR_NODE)
        return false;
    struct fum_op_call call;
    fum_tensor_call(node, &call);
    if (!node->op->window(&call, &node->window_offset)) return false;
    uint64_t offset = fum_tensor_offset(node->in[0]) + node->window_offset;
    node->window = offset % (info->binding_align ? info->binding_align : 1) == 0;
    return node->window;
}

static double flops_of(const struct fum_op_call *call, const struct fum_op *op) {
    return op->flops ? op->flops(call) : (double)fum_shape_count(&call->out.shape);
}

static double stage_flops(const fum_graph *graph, enum fum_stage stage) {
    double flops = 0;
    for (int i = 0; i < graph->count; i++) {
        const fum_tensor *t = graph->tensors[i];
        if (!t->live || t->kind != FUM_TENSOR_NODE || t->stage != stage) continue;
        struct fum_op_call call;
        fum_tensor_call(t, &call);
        flops += flops_of(&call, t->op);
    }
    return flops;
}

// An op may compute the same from a weight packed otherwise. flops: of all of the node's stage.
static bool pack_weight(fum_tensor *node, const struct fum_device_info *info,
                        const struct fum_tuning *tuning, double flops) {
    fum_tensor *w = node->num_inputs > 1 ? node->in[1] : NULL;
    if (!w || w->kind != FUM_TENSOR_WEIGHT || w->uses != 1) return false;
    struct fum_op_call call;
    fum_tensor_call(node, &call);
    const struct fum_op *op = NULL;
    if (node->graph->quantised && node->op->quantised_op)
        op = node->op->quantised_op(info, tuning, &call, &w->desc, &w->pack);
    if (!op && node->op->packed_op)
        op = node->op->packed_op(info, tuning, &call, flops_of(&call, node->op) / flops, &w->desc,
                                 &w->pack);
    if (op) node->op = op;
    return op != NULL;
}

int fum_pass_fuse(fum_graph *graph, const struct fum_device_info *info,
                  const struct fum_tuning *tuning) {
    int fused = 0;
    double flops[FUM_STAGE_COUNT];
    for (int s = 0; s < FUM_STAGE_COUNT; s++) flops[s] = stage_flops(graph, (enum fum_stage)s);
    for (int i = 0; i < graph->count; i++) {
        fum_tensor *t = graph->tensors[i];
        if (!t->live || t->kind != FUM_TENSOR_NODE) continue;
        if (fuse_act(t) || fuse_gate(t, info) ||
            (t->op->adds && (fuse_add(t, 0) || fuse_add(t, 1))))
            fused++;
        if (fuse_double(t)) fused++;
        if (read_joined(t, info)) fused++;
        if (pack_weight(t, info, tuning, flops[t->stage])) fused++;
        if (read_normalised(t, info)) fused++;
        if (become_window(t, info)) fused++;
    }
    return fused;
}

// ---- verification ----

enum fum_result fum_pass_verify(const fum_graph *graph, const char *pass, struct fum_error *err) {
    for (int i = 0; i < graph->count; i++) {
        const fum_tensor *t = graph->tensors[i];
        if (t->id != i)
            return fum_error_set(err, FUM_ERR_ARG, "after %s: %s stands at %d, not %d", pass,
                                 t->name, i, t->id);
        if (!t->live || t->kind != FUM_TENSOR_NODE) continue;
        for (int k = 0; k < t->num_inputs; k++) {
            const fum_tensor *in = t->in[k];
            if (!in) continue;
            if (in->id >= t->id || !in->live || in->stage > t->stage)
                return fum_error_set(err, FUM_ERR_ARG, "after %s: %s reads %s too early", pass,
                                     t->name, in->name);
        }
        struct fum_op_call call;
        struct fum_why why = {{0}};
        fum_tensor_call(t, &call);
        if (!t->op->infer(&call, &why) || !fum_shape_same(&call.out.shape, &t->desc.shape) ||
            call.out.dtype != t->desc.dtype)
            return fum_error_set(err, FUM_ERR_ARG,
                                 "after %s: op %s at %s no longer gives its shape: %s", pass,
                                 t->op->name, t->name, why.text);
    }
    return FUM_OK;
}
