// SPDX-License-Identifier: MIT
// Writes graphs for people and for Graphviz.
#include "graph/dump.h"

#include "base/number.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct text {
    char *bytes;
    size_t used, capacity;
    bool failed;
};

static void put(struct text *t, const char *fmt, ...) FUM_PRINTF(2, 3);
static void put(struct text *t, const char *fmt, ...) {
    char line[1024];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    size_t bytes = n < 0 ? 0 : (size_t)n;
    if (bytes > sizeof line - 1) bytes = sizeof line - 1;
    if (t->failed || !fum_grow((void **)&t->bytes, &t->capacity, t->used + bytes + 1, 1)) {
        t->failed = true;
        return;
    }
    memcpy(t->bytes + t->used, line, bytes + 1);
    t->used += bytes;
}

static char *finish(struct text *t) {
    if (!t->failed) put(t, "%s", "");
    if (!t->failed) return t->bytes;
    fum_free(t->bytes);
    return NULL;
}

static const char *const stage_colours[FUM_STAGE_COUNT] = {
    [FUM_STAGE_LOAD] = "gray85",     [FUM_STAGE_PROMPT] = "lightskyblue",
    [FUM_STAGE_RUN] = "khaki",       [FUM_STAGE_STEP] = "lightsalmon",
    [FUM_STAGE_SHORT] = "palegreen",
};

static const char *kind_name(const fum_tensor *t) {
    static const char *const names[] = {"input", "state", "constant", "weight", "parameter"};
    return t->kind == FUM_TENSOR_NODE ? t->op->name : names[t->kind];
}

static void put_attrs(struct text *t, const fum_tensor *node, const char *separator) {
    char value[FUM_NUMBER_BYTES];
    for (int i = 0; node->op && node->op->attrs && node->op->attrs[i].name; i++)
        if (node->attr[i] != node->op->attrs[i].default_value)
            put(t, "%s%s=%s", separator, node->op->attrs[i].name,
                fum_number_format(value, 6, node->attr[i]));
}

char *fum_dump_text(const fum_graph *graph, const fum_plan *plan) {
    struct text t = {0};
    char shape[96];
    for (int i = 0; i < graph->count; i++) {
        const fum_tensor *n = graph->tensors[i];
        if (!n->live) continue;
        put(&t, "%%%d %s = %s(", n->id, n->name, kind_name(n));
        for (int k = 0, shown = 0; k < n->num_inputs; k++)
            if (n->in[k]) put(&t, "%s%d:%%%d", shown++ ? ", " : "", k, n->in[k]->id);
        put(&t, ")");
        put_attrs(&t, n, " ");
        put(&t, " : %s %s, %s", fum_dtype_name(n->desc.dtype),
            fum_shape_text(&n->desc.shape, shape, sizeof shape), fum_stage_name(n->stage));
        if (plan && plan->places[i].block >= 0)
            put(&t, ", block %d + %llu, %llu bytes", plan->places[i].block,
                (unsigned long long)plan->places[i].offset,
                (unsigned long long)plan->places[i].bytes);
        if (n->packing && n->packing->block) put(&t, ", %s", n->packing->name);
        put(&t, "%s%s\n", n->output ? ", output " : "", n->output ? n->output : "");
    }
    return finish(&t);
}

// True if the picture leaves it out: what the graph holds rather than computes.
static bool is_fixed(const fum_tensor *t) {
    return t->kind == FUM_TENSOR_WEIGHT || t->kind == FUM_TENSOR_CONSTANT ||
           t->kind == FUM_TENSOR_PARAMETER;
}

char *fum_dump_dot(const fum_graph *graph) {
    struct text t = {0};
    char shape[96];
    put(&t, "digraph fumarole {\n  node [shape=box, style=filled, fontname=\"sans-serif\"];\n");
    for (int i = 0; i < graph->count; i++) {
        const fum_tensor *n = graph->tensors[i];
        if (!n->live || is_fixed(n)) continue;
        put(&t, "  n%d [fillcolor=%s, label=\"%s\\n%s", n->id, stage_colours[n->stage], n->name,
            kind_name(n));
        put_attrs(&t, n, "\\n");
        put(&t, "\\n%s\"];\n", fum_shape_text(&n->desc.shape, shape, sizeof shape));
        for (int k = 0; k < n->num_inputs; k++)
            if (n->in[k] && !is_fixed(n->in[k])) put(&t, "  n%d -> n%d;\n", n->in[k]->id, n->id);
    }
    put(&t, "}\n");
    return finish(&t);
}

char *fum_dump_shaders(const fum_plan *plan) {
    enum { MOST = 64 };
    const char *names[MOST];
    int counts[MOST] = {0}, num = 0;
    struct text t = {0};
    for (int s = 0; s < plan->num_steps; s++) {
        for (int i = 0; i < plan->steps[s].count; i++) {
            const char *shader = plan->steps[s].dispatches[i].shader;
            int k = 0;
            while (k < num && strcmp(names[k], shader)) k++;
            if (k == MOST) continue;
            if (k == num) names[num++] = shader;
            counts[k]++;
        }
    }
    for (int k = 0; k < num; k++) put(&t, "%s%s %d", k ? ", " : "", names[k], counts[k]);
    return finish(&t);
}
