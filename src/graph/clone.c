// SPDX-License-Identifier: MIT
// Copies a graph, so that a compilation may rewrite it and the builder's graph stays as built.
#include "graph/graph.h"

#include "base/error.h"

enum fum_result fum_graph_clone(fum_graph **out, const fum_graph *graph, struct fum_error *err) {
    *out = NULL;
    enum fum_result result = fum_graph_check(graph, err);
    if (!result) result = fum_graph_create(out, graph->storage, err);
    if (result) return result;
    fum_graph *clone = *out;
    size_t count = (size_t)graph->count;
    fum_tensor *copies = fum_arena_alloc(clone->arena, count, sizeof *copies);
    clone->tensors = fum_alloc(count, sizeof *clone->tensors);
    if (!copies || !clone->tensors) {
        fum_graph_destroy(out);
        return fum_error_set(err, FUM_ERR_NOMEM, "no memory to copy a graph of %d nodes",
                             graph->count);
    }
    for (int i = 0; i < graph->count; i++) {
        copies[i] = *graph->tensors[i];
        copies[i].graph = clone;
        for (int k = 0; k < FUM_MAX_INPUTS; k++)
            if (copies[i].in[k]) copies[i].in[k] = &copies[copies[i].in[k]->id];
        if (copies[i].original) copies[i].original = &copies[copies[i].original->id];
        clone->tensors[i] = &copies[i];
    }
    clone->quantised = graph->quantised;
    clone->stored = graph->stored;
    clone->trains = graph->trains;
    clone->trains_user = graph->trains_user;
    clone->checkpointing = graph->checkpointing;
    clone->capacity = count;
    clone->count = graph->count;
    return FUM_OK;
}
