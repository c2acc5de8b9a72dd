// SPDX-License-Identifier: MIT
// Adds the nodes of a block again. Copies that no gradient reads have no use and are pruned.
//
// Kept are values that leave the block, since a later block reads them, and what depends on states,
// which may have changed by then.
#include "graph/recompute.h"

// Marks what is read outside of its block. An alias keeps the memory of its input.
static void mark_leaves(struct fum_recompute *r) {
    for (int i = r->count - 1; i >= 0; i--) {
        const fum_tensor *t = r->graph->tensors[i];
        bool passes = r->leaves[i] && fum_tensor_is_alias(t);
        for (int k = 0; k < t->num_inputs; k++)
            if (t->in[k] && (passes || t->in[k]->block != t->block)) r->leaves[t->in[k]->id] = true;
    }
}

bool fum_recompute_begin(struct fum_recompute *r, fum_graph *graph, const fum_tensor *loss) {
    size_t count = (size_t)graph->count;
    *r = (struct fum_recompute){.graph = graph, .count = graph->count, .stage = loss->stage};
    if (!graph->checkpointing) return true;
    r->leaves = fum_calloc(count, sizeof *r->leaves);
    r->twins = fum_calloc(count, sizeof *r->twins);
    r->values = fum_calloc(count, sizeof *r->values);
    if (!r->leaves || !r->twins || !r->values) return false;
    mark_leaves(r);
    return true;
}

void fum_recompute_end(struct fum_recompute *r) {
    fum_free(r->leaves);
    fum_free(r->twins);
    fum_free(r->values);
}

static bool reads_state(const fum_tensor *t) {
    for (int i = 0; i < t->num_inputs; i++)
        if (t->in[i] && fum_tensor_root(t->in[i])->kind == FUM_TENSOR_STATE) return true;
    return false;
}

static bool is_kept(const struct fum_recompute *r, const fum_tensor *t) {
    return t->stage != r->stage || t->output || r->leaves[t->id] || reads_state(t);
}

// Adds the copy of a node whose inputs have theirs.
static bool add_twin(struct fum_recompute *r, fum_tensor *t) {
    fum_tensor *inputs[FUM_MAX_INPUTS] = {NULL};
    for (int k = 0; k < t->num_inputs; k++)
        if (t->in[k]) inputs[k] = fum_recompute_value(r, t->in[k]);
    fum_tensor *twin = fum_graph_add_twin(r->graph, t, inputs);
    r->twins[t->id] = twin;
    r->values[t->id] = is_kept(r, t) ? t : twin;
    return twin != NULL;
}

bool fum_recompute_block(struct fum_recompute *r, const fum_tensor *node) {
    if (!r->leaves || !node->block || r->twins[node->id]) return true;
    int first = node->id;
    while (first > 0 && r->graph->tensors[first - 1]->block == node->block) first--;
    for (int i = first; i <= node->id; i++) {
        fum_tensor *t = r->graph->tensors[i];
        if (t->kind == FUM_TENSOR_NODE && !t->op->updates && !add_twin(r, t)) return false;
    }
    return true;
}

fum_tensor *fum_recompute_twin(const struct fum_recompute *r, const fum_tensor *node) {
    fum_tensor *twin = r->leaves ? r->twins[node->id] : NULL;
    return twin ? twin : r->graph->tensors[node->id];
}

fum_tensor *fum_recompute_value(const struct fum_recompute *r, const fum_tensor *node) {
    fum_tensor *value = r->leaves ? r->values[node->id] : NULL;
    return value ? value : r->graph->tensors[node->id];
}
