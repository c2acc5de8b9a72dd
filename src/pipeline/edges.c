// SPDX-License-Identifier: MIT
// The ridges of the gradient are marked once. Runs then follow edges along weak marks, a number of
// pixels each, until none is added.
#include "pipeline/edges.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/macros.h"
#include "exec/executable.h"
#include "graph/graph.h"
#include "io/canny.h"

enum { FOLLOWED = 16 };      // pixels that edges grow by in a run
static const float edge = 2; // mark of an edge; others are less

struct edges {
    size_t count; // pixels
    fum_graph *graph;
    fum_executable *exe;
    fum_tensor *grey, *ridges, *marks;
};

static fum_tensor *add_follow(fum_graph *graph, fum_tensor *x) {
    return x ? fum_graph_add(graph, "canny_follow", NULL, FUM_INPUTS(x), NULL) : NULL;
}

static enum fum_result build(struct edges *e, const struct fum_edges_params *p,
                             struct fum_error *err) {
    const struct fum_shape shape = {2, {p->from->height, p->from->width}};
    const struct fum_attr thresholds[] = {
        {"low", (double)fum_canny_threshold(FUM_MIN(p->low, p->high))},
        {"high", (double)fum_canny_threshold(FUM_MAX(p->low, p->high))},
        {0}};
    enum fum_result result = fum_graph_create(&e->graph, FUM_F32, err);
    if (result) return result;
    e->grey = fum_graph_input(e->graph, "grey", shape, FUM_F32, FUM_STAGE_PROMPT);
    e->ridges = fum_graph_add(e->graph, "canny_ridges", NULL, FUM_INPUTS(e->grey), thresholds);
    e->marks = fum_graph_state(e->graph, "marks", shape, FUM_F32, FUM_STAGE_STEP);
    fum_tensor *followed = e->marks;
    for (int i = 0; i < FOLLOWED; i++) followed = add_follow(e->graph, followed);
    fum_graph_add(e->graph, "assign", NULL, FUM_INPUTS(e->marks, followed), NULL);
    fum_graph_output(e->graph, e->ridges, "ridges");
    return fum_graph_check(e->graph, err);
}

// Marks the ridges, and begins with these.
static enum fum_result mark_ridges(const struct edges *e, const struct fum_bitmap *from,
                                   float *values, struct fum_error *err) {
    uint8_t *grey = fum_alloc(e->count, 1);
    if (!grey) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a grey picture");
    fum_bitmap_grey(from, grey);
    for (size_t i = 0; i < e->count; i++) values[i] = grey[i];
    fum_free(grey);
    enum fum_result result = fum_executable_write(e->exe, e->grey, values, e->count, err);
    if (!result) result = fum_executable_run(e->exe, FUM_STAGE_PROMPT, err);
    if (!result) result = fum_executable_read(e->exe, e->ridges, values, e->count, err);
    return result ? result : fum_executable_write(e->exe, e->marks, values, e->count, err);
}

static size_t count_edges(const float *values, size_t count) {
    size_t found = 0;
    for (size_t i = 0; i < count; i++) found += values[i] == edge;
    return found;
}

// Follows the edges to their ends.
static enum fum_result follow(const struct edges *e, float *values, struct fum_error *err) {
    size_t before, now = count_edges(values, e->count);
    enum fum_result result = FUM_OK;
    do {
        before = now;
        result = fum_executable_run(e->exe, FUM_STAGE_STEP, err);
        if (!result) result = fum_executable_read(e->exe, e->marks, values, e->count, err);
        now = count_edges(values, e->count);
    } while (!result && now > before);
    return result;
}

enum fum_result fum_edges_find(fum_device *device, const struct fum_edges_params *p,
                               struct fum_bitmap *to, struct fum_error *err) {
    struct edges e = {.count = (size_t)p->from->width * (size_t)p->from->height};
    const struct fum_executable_params named = {.label = "canny"};
    float *values = fum_alloc(e.count, sizeof *values);
    *to = (struct fum_bitmap){fum_alloc(e.count, 1), p->from->width, p->from->height, 1};
    enum fum_result result =
        values && to->pixels
            ? build(&e, p, err)
            : fum_error_set(err, FUM_ERR_NOMEM, "no memory for the edges of a picture");
    const struct fum_executable_job job = {.graph = e.graph, .device = device, .params = &named};
    if (!result) result = fum_executable_compile(&e.exe, &job, err);
    if (!result) result = mark_ridges(&e, p->from, values, err);
    if (!result) result = follow(&e, values, err);
    for (size_t i = 0; i < e.count && !result; i++) to->pixels[i] = values[i] == edge ? 255 : 0;
    if (result) fum_bitmap_free(to);
    fum_executable_destroy(&e.exe);
    fum_graph_destroy(&e.graph);
    fum_free(values);
    return result;
}
