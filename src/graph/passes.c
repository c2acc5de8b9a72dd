// SPDX-License-Identifier: MIT
// Marks what a graph needs and checks what the planner relies on.
#include "graph/passes.h"

#include "base/error.h"

// Nodes have smaller ids than those that read them, so one sweep down reaches everything.
static void mark_live(fum_graph *graph) {
    for (int i = 0; i < graph->count; i++) graph->tensors[i]->live = false;
    for (int i = graph->count - 1; i >= 0; i--) {
        fum_tensor *t = graph->tensors[i];
        if (t->output || (t->op && t->op->updates)) t->live = true;
        for (int k = 0; k < t->num_inputs && t->live; k++)
            if (t->in[k]) t->in[k]->live = true;
    }
}

static int first_id(const fum_tensor *t) {
    return t->original ? t->original->id : t->id;
}

// Counts uses as if nothing were computed again, so that both twins of a node are fused as the
// node would be without the other.
static void count_uses(fum_graph *graph) {
    for (int i = 0; i < graph->count; i++) graph->tensors[i]->uses = 0;
    for (int i = 0; i < graph->count; i++) {
        const fum_tensor *t = graph->tensors[i];
        if (!t->live || (t->original && t->original->live)) continue;
        for (int k = 0; k < t->num_inputs; k++)
            if (t->in[k]) graph->tensors[first_id(t->in[k])]->uses++;
    }
    for (int i = 0; i < graph->count; i++)
        graph->tensors[i]->uses = graph->tensors[first_id(graph->tensors[i])]->uses;
}

void fum_pass_prune(fum_graph *graph) {
    mark_live(graph);
    count_uses(graph);
}

// True if the node may read its input k, which may be undefined behind a closed gate.
static bool passes_gate(const fum_tensor *t, int k) {
    const fum_tensor *in = t->in[k];
    bool undefined = in->kind == FUM_TENSOR_NODE && in->gate && in->gate != t->gate;
    return !undefined || (k == 0 && t->op->flags & FUM_OP_MASKS);
}

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
            bool late = in->kind == FUM_TENSOR_NODE && in->id >= t->id;
            if (late || !in->live || in->stage > t->stage)
                return fum_error_set(err, FUM_ERR_ARG, "after %s: %s reads %s too early", pass,
                                     t->name, in->name);
            if (!passes_gate(t, k))
                return fum_error_set(err, FUM_ERR_ARG, "after %s: %s reads %s behind a gate", pass,
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
