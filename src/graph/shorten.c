// SPDX-License-Identifier: MIT
// Adds the stage SHORT to a graph: the updates of STEP again, from another value in place of one of
// its nodes. What only that node needs has no use there and is pruned. Twins keep the stage's
// order, so that each reads states as its original does.
#include "graph/shorten.h"

struct shortening {
    fum_graph *graph;
    const struct fum_shortcut *cut;
    bool *needed;       // by id: an update of SHORT depends on it
    fum_tensor **twins; // by id; NULL: none yet
};

static bool is_of_step(const fum_tensor *t) {
    return t->kind == FUM_TENSOR_NODE && t->stage == FUM_STAGE_STEP;
}

// True if the node writes the cache itself, which a short step keeps.
static bool writes_cache(const struct shortening *s, const fum_tensor *t) {
    for (int k = 0; k < t->num_inputs; k++)
        if (fum_tensor_updates(t, k) && fum_tensor_root(t->in[k]) == s->cut->cache) return true;
    return false;
}

static void mark(struct shortening *s, const fum_tensor *t) {
    if (t == s->cut->from) t = s->cut->to;
    if (!is_of_step(t) || s->needed[t->id]) return;
    s->needed[t->id] = true;
    for (int k = 0; k < t->num_inputs; k++)
        if (t->in[k]) mark(s, t->in[k]);
}

// Returns what stands for a value in SHORT. NULL after an error.
static fum_tensor *twin_of(struct shortening *s, fum_tensor *t) {
    fum_tensor *inputs[FUM_MAX_INPUTS] = {NULL};
    if (t == s->cut->from) t = s->cut->to;
    if (!is_of_step(t)) return t;
    if (s->twins[t->id]) return s->twins[t->id];
    for (int k = 0; k < t->num_inputs; k++)
        if (t->in[k] && !(inputs[k] = twin_of(s, t->in[k]))) return NULL;
    fum_tensor *twin = fum_graph_add_twin(s->graph, t, inputs);
    if (twin) twin->stage = FUM_STAGE_SHORT;
    return s->twins[t->id] = twin;
}

static bool add_twins(struct shortening *s, int count) {
    for (int i = 0; i < count; i++) {
        const fum_tensor *t = s->graph->tensors[i];
        if (is_of_step(t) && t->op->updates && !writes_cache(s, t)) mark(s, t);
    }
    for (int i = 0; i < count; i++)
        if (s->needed[i] && !twin_of(s, s->graph->tensors[i])) return false;
    return true;
}

bool fum_graph_shorten(fum_graph *graph, const struct fum_shortcut *cut) {
    if (graph->error.code) return false;
    size_t count = (size_t)graph->count;
    struct shortening s = {.graph = graph, .cut = cut};
    s.needed = fum_calloc(count + 1, sizeof *s.needed);
    s.twins = fum_calloc(count + 1, sizeof(fum_tensor *));
    bool added = s.needed && s.twins && add_twins(&s, (int)count);
    if (!added) fum_graph_fail(graph, FUM_ERR_NOMEM, "no memory for short steps");
    fum_free(s.needed);
    fum_free(s.twins);
    return added;
}
