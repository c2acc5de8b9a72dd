// SPDX-License-Identifier: MIT
// Building graphs: nodes, shape inference, remembered errors.
#include "graph/graph.h"

#include "base/error.h"
#include "base/require.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *fum_stage_name(enum fum_stage stage) {
    static const char *const names[FUM_STAGE_COUNT] = {
        [FUM_STAGE_LOAD] = "load", [FUM_STAGE_PROMPT] = "prompt", [FUM_STAGE_RUN] = "run",
        [FUM_STAGE_STEP] = "step", [FUM_STAGE_SHORT] = "short",
    };
    return names[stage];
}

bool fum_stage_repeats(enum fum_stage stage) {
    return stage >= FUM_STAGE_STEP;
}

char *fum_shape_text(const struct fum_shape *shape, char *text, size_t size) {
    size_t used = 0;
    text[0] = 0;
    for (int i = 0; i < shape->rank && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%lld", i ? "x" : "",
                                 (long long)shape->dim[i]);
    return text;
}

int fum_op_attr_index(const struct fum_op *op, const char *name) {
    for (int i = 0; op->attrs && op->attrs[i].name; i++)
        if (!strcmp(op->attrs[i].name, name)) return i;
    return -1;
}

bool fum_tensor_is_alias(const fum_tensor *tensor) {
    return tensor->kind == FUM_TENSOR_NODE && (tensor->op->flags & FUM_OP_ALIAS || tensor->alias);
}

bool fum_tensor_updates(const fum_tensor *tensor, int input) {
    return tensor->kind == FUM_TENSOR_NODE && (tensor->op->updates >> input & 1);
}

static bool shares_memory(const fum_tensor *tensor) {
    return fum_tensor_is_alias(tensor) || fum_tensor_updates(tensor, 0);
}

static bool reads_root(const fum_tensor *node, const fum_tensor *root) {
    for (int i = 0; i < node->num_inputs; i++)
        if (node->in[i] && fum_tensor_root(node->in[i]) == root) return true;
    return false;
}

bool fum_tensor_updated_between(const fum_tensor *first, const fum_tensor *second) {
    for (int i = first->id + 1; i < second->id; i++) {
        const fum_tensor *t = first->graph->tensors[i];
        for (int k = 0; k < t->num_inputs; k++)
            if (fum_tensor_updates(t, k) && reads_root(first, fum_tensor_root(t->in[k])))
                return true;
    }
    return false;
}

const fum_tensor *fum_tensor_root(const fum_tensor *tensor) {
    while (shares_memory(tensor)) tensor = tensor->in[0];
    return tensor;
}

uint64_t fum_tensor_offset(const fum_tensor *tensor) {
    uint64_t offset = 0;
    for (; shares_memory(tensor); tensor = tensor->in[0])
        offset += tensor->alias ? tensor->alias_offset : 0;
    return offset;
}

double fum_op_flops(const struct fum_op *op, const struct fum_op_call *call) {
    return op->flops ? op->flops(call) : (double)fum_shape_count(&call->out.shape);
}

void fum_tensor_call(const fum_tensor *node, struct fum_op_call *call) {
    *call =
        (struct fum_op_call){.attr = node->attr, .num_inputs = node->num_inputs, .out = node->desc};
    for (int i = 0; i < node->num_inputs; i++) {
        if (!node->in[i]) continue;
        call->has[i] = true;
        call->in[i] = node->in[i]->desc;
        const struct fum_packing *packing = node->in[i]->packing;
        if (packing && packing->block) call->quantised[i] = packing;
    }
}

bool fum_graph_fail(fum_graph *graph, enum fum_result code, const char *fmt, ...) {
    if (graph->error.code) return false;
    char text[sizeof graph->error.text];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    fum_error_set(&graph->error, code, "%s", text);
    return false;
}

enum fum_result fum_graph_create(fum_graph **out, enum fum_dtype storage, struct fum_error *err) {
    *out = NULL;
    if (storage != FUM_F32 && storage != FUM_F16 && storage != FUM_BF16)
        return fum_error_set(err, FUM_ERR_ARG, "a graph stores f32, f16 or bf16, not %s",
                             fum_dtype_name(storage));
    fum_graph *graph = fum_calloc(1, sizeof *graph);
    if (graph) graph->arena = fum_arena_create();
    if (!graph || !graph->arena) {
        fum_free(graph);
        return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a graph");
    }
    graph->storage = storage;
    *out = graph;
    return FUM_OK;
}

void fum_graph_destroy(fum_graph **graph) {
    if (!graph || !*graph) return;
    fum_arena_destroy(&(*graph)->arena);
    fum_free((*graph)->tensors);
    fum_free(*graph);
    *graph = NULL;
}

// True if the dimensions are in range and the padded bytes fit 63 bits.
static bool shape_valid(const struct fum_shape *shape) {
    if (shape->rank < 1 || shape->rank > FUM_MAX_DIMS) return false;
    uint64_t elements = 1;
    for (int i = 0; i < shape->rank; i++) {
        uint64_t n = (uint64_t)shape->dim[i];
        if (shape->dim[i] < 0 || n > UINT32_MAX) return false;
        if (n && elements > (UINT64_C(1) << 56) / n) return false;
        if (n) elements *= n;
    }
    return true;
}

static fum_tensor *tensor_new(fum_graph *graph, enum fum_tensor_kind kind, const char *name) {
    fum_tensor *t = NULL;
    if (fum_grow((void **)&graph->tensors, &graph->capacity, (size_t)graph->count,
                 sizeof *graph->tensors))
        t = fum_arena_alloc(graph->arena, 1, sizeof *t);
    if (t) t->name = fum_arena_strdup(graph->arena, name);
    if (!t || !t->name) {
        fum_graph_fail(graph, FUM_ERR_NOMEM, "no memory for node %s", name);
        return NULL;
    }
    t->graph = graph;
    t->kind = kind;
    t->live = true;
    t->block = graph->block_depth ? graph->num_blocks : 0;
    return t;
}

static fum_tensor *tensor_append(fum_tensor *t) {
    t->id = t->graph->count;
    t->graph->tensors[t->graph->count++] = t;
    return t;
}

static fum_tensor *source(fum_graph *graph, enum fum_tensor_kind kind, const char *name,
                          struct fum_desc desc, enum fum_stage stage) {
    const struct fum_shape shape = desc.shape;
    const enum fum_dtype dtype = desc.dtype;
    if (graph->error.code) return NULL;
    if (fum_require(name, "the name of a tensor", &graph->error)) return NULL;
    if (!shape_valid(&shape)) {
        char text[96];
        fum_graph_fail(graph, FUM_ERR_ARG,
                       "%s: shape %s (rank %d) is not one of 1 to %d dimensions of sensible size",
                       name,
                       shape.rank >= 0 && shape.rank <= FUM_MAX_DIMS
                           ? fum_shape_text(&shape, text, sizeof text)
                           : "?",
                       shape.rank, FUM_MAX_DIMS);
        return NULL;
    }
    if (dtype != FUM_F32 && dtype != FUM_F16 && dtype != FUM_BF16 && dtype != FUM_I32) {
        fum_graph_fail(graph, FUM_ERR_ARG, "%s: kernels have no type %s", name,
                       fum_dtype_name(dtype));
        return NULL;
    }
    fum_tensor *t = tensor_new(graph, kind, name);
    if (!t) return NULL;
    t->desc = desc;
    t->stage = stage;
    return t;
}

fum_tensor *fum_graph_input(fum_graph *graph, const char *name, struct fum_shape shape,
                            enum fum_dtype dtype, enum fum_stage stage) {
    fum_tensor *t = source(graph, FUM_TENSOR_INPUT, name, (struct fum_desc){shape, dtype}, stage);
    return t ? tensor_append(t) : NULL;
}

fum_tensor *fum_graph_state(fum_graph *graph, const char *name, struct fum_shape shape,
                            enum fum_dtype dtype, enum fum_stage stage) {
    if (name && !graph->error.code && stage == FUM_STAGE_LOAD)
        fum_graph_fail(graph, FUM_ERR_ARG, "%s: a state cannot change when weights are loaded",
                       name);
    fum_tensor *t = source(graph, FUM_TENSOR_STATE, name, (struct fum_desc){shape, dtype}, stage);
    return t ? tensor_append(t) : NULL;
}

static fum_tensor *add_constant(fum_graph *graph, const char *name, const struct fum_desc *desc,
                                const float *data) {
    fum_tensor *t = source(graph, FUM_TENSOR_CONSTANT, name, *desc, FUM_STAGE_LOAD);
    if (!t) return NULL;
    size_t count = (size_t)fum_shape_count(&desc->shape);
    float *copy = fum_arena_alloc(graph->arena, count, sizeof *copy);
    if (!copy) {
        fum_graph_fail(graph, FUM_ERR_NOMEM, "%s: no memory for %zu numbers", name, count);
        return NULL;
    }
    if (count) memcpy(copy, data, count * sizeof *copy);
    t->data = copy;
    t->packing = &fum_packing_plain;
    return tensor_append(t);
}

fum_tensor *fum_graph_constant(fum_graph *graph, const char *name, struct fum_shape shape,
                               const float *data) {
    return add_constant(graph, name, &(struct fum_desc){shape, graph->storage}, data);
}

fum_tensor *fum_graph_exact_constant(fum_graph *graph, const char *name, struct fum_shape shape,
                                     const float *data) {
    return add_constant(graph, name, &(struct fum_desc){shape, FUM_F32}, data);
}

void fum_graph_quantise(fum_graph *graph, const char *type) {
    if (!graph || graph->error.code) return;
    if (fum_require(type, "the name of a quantised type", &graph->error)) return;
    graph->quantised = fum_quantised_find(type);
    if (!graph->quantised)
        fum_graph_fail(graph, FUM_ERR_ARG, "there is no quantised type \"%s\"",
                       fum_text_show(type).text);
}

void fum_graph_keep_blocks(fum_graph *graph, const struct fum_weight_source *source) {
    if (graph) graph->stored = *source;
}

// Returns the packing of the blocks that a tensor of the files consists of; NULL: it has none.
static const struct fum_packing *stored_packing(const fum_graph *graph, const char *name) {
    struct fum_view view;
    if (!graph->stored.find || !graph->stored.find(graph->stored.user, name, &view)) return NULL;
    return view.blocks ? fum_quantised_of(view.blocks) : NULL;
}

const struct fum_packing *fum_graph_packing(const fum_graph *graph, const fum_tensor *weight) {
    if (graph->quantised) return graph->quantised;
    if (!weight->num_parts) return stored_packing(graph, weight->name);
    const struct fum_packing *packing = stored_packing(graph, weight->parts[0]);
    for (int i = 1; i < weight->num_parts; i++)
        if (stored_packing(graph, weight->parts[i]) != packing) return NULL;
    return packing;
}

// Returns the source of that kind, name, packing and shape; NULL if the graph has none.
static fum_tensor *find_source(const fum_graph *graph, enum fum_tensor_kind kind, const char *name,
                               const struct fum_shape *shape, const struct fum_packing *packing) {
    for (int i = 0; name && i < graph->count && !graph->error.code; i++) {
        fum_tensor *t = graph->tensors[i];
        if (t->kind == kind && t->packing == packing && !strcmp(t->name, name) &&
            fum_shape_same(&t->desc.shape, shape))
            return t;
    }
    return NULL;
}

static bool train_all(void *user, const char *name) {
    (void)user;
    (void)name;
    return true;
}

void fum_graph_train(fum_graph *graph, bool (*trains)(void *user, const char *name), void *user) {
    graph->trains = trains ? trains : train_all;
    graph->trains_user = user;
}

void fum_graph_adapt(fum_graph *graph,
                     fum_tensor *(*adapt)(void *user, fum_graph *graph,
                                          const struct fum_graph_layer *layer),
                     void *user) {
    graph->adapt = adapt;
    graph->adapt_user = user;
}

void fum_graph_wrap(fum_graph *graph, unsigned axes) {
    graph->wraps = axes;
}

void fum_tensor_keep_stored(fum_tensor *weight) {
    weight->kept_stored = true;
}

void fum_graph_mark_pointwise(fum_graph *graph, const char *name) {
    for (int i = graph->count - 1; i >= 0; i--) {
        fum_tensor *t = graph->tensors[i];
        bool weight = t->kind == FUM_TENSOR_WEIGHT || t->kind == FUM_TENSOR_PARAMETER;
        if (!weight || strcmp(t->name, name)) continue;
        t->pointwise = true;
        return;
    }
}

bool fum_graph_is_training(const fum_graph *graph) {
    return graph->trains != NULL;
}

void fum_graph_checkpoint(fum_graph *graph) {
    graph->checkpointing = true;
}

void fum_graph_begin_block(fum_graph *graph) {
    if (graph->block_depth++ == 0) graph->num_blocks++;
}

void fum_graph_end_block(fum_graph *graph) {
    graph->block_depth--;
}

void fum_graph_set_gate(fum_graph *graph, int gate) {
    graph->gate = gate;
}

static bool trains_weight(const fum_graph *graph, const char *name) {
    return name && graph->trains && graph->trains(graph->trains_user, name);
}

int fum_graph_list_parameters(const fum_graph *graph, fum_tensor **list) {
    int count = 0;
    for (int i = 0; i < graph->count; i++) {
        if (graph->tensors[i]->kind != FUM_TENSOR_PARAMETER) continue;
        if (list) list[count] = graph->tensors[i];
        count++;
    }
    return count;
}

// Adds a parameter as the graph stores its values. One that is used twice is cast once.
static fum_tensor *trained_weight(fum_graph *graph, const char *name, struct fum_shape shape,
                                  enum fum_pack pack) {
    fum_tensor *parameter = fum_graph_parameter(graph, name, shape, pack);
    if (!parameter || graph->storage == FUM_F32) return parameter;
    for (int i = parameter->id + 1; i < graph->count; i++) {
        fum_tensor *t = graph->tensors[i];
        if (t->kind == FUM_TENSOR_NODE && t->in[0] == parameter && !strcmp(t->op->name, "cast"))
            return t;
    }
    return fum_graph_add(graph, "cast", NULL, FUM_INPUTS(parameter), NULL);
}

fum_tensor *fum_graph_weight(fum_graph *graph, const char *name, struct fum_shape shape,
                             enum fum_pack pack) {
    if (trains_weight(graph, name)) return trained_weight(graph, name, shape, pack);
    // The same weight used twice (tied embeddings) is one tensor.
    const struct fum_packing *packing = fum_packing_of(pack);
    fum_tensor *t = find_source(graph, FUM_TENSOR_WEIGHT, name, &shape, packing);
    if (t) return t;
    if (!packing) fum_graph_fail(graph, FUM_ERR_ARG, "%s: no packing has the code %d", name, pack);
    t = source(graph, FUM_TENSOR_WEIGHT, name, (struct fum_desc){shape, graph->storage},
               FUM_STAGE_LOAD);
    if (!t) return NULL;
    t->packing = packing;
    return tensor_append(t);
}

fum_tensor *fum_graph_fixed_weight(fum_graph *graph, const char *name, struct fum_shape shape) {
    if (trains_weight(graph, name)) return fum_graph_parameter(graph, name, shape, FUM_PACK_NONE);
    fum_tensor *t =
        source(graph, FUM_TENSOR_WEIGHT, name, (struct fum_desc){shape, FUM_F32}, FUM_STAGE_LOAD);
    if (!t) return NULL;
    t->packing = &fum_packing_plain;
    return tensor_append(t);
}

fum_tensor *fum_graph_parameter(fum_graph *graph, const char *name, struct fum_shape shape,
                                enum fum_pack pack) {
    int rank = shape.rank; // that the packing needs
    if (pack == FUM_PACK_CONV) rank = 4;
    if (pack == FUM_PACK_LINEAR) rank = 2;
    const struct fum_packing *packing = fum_packing_of(pack);
    fum_tensor *t = find_source(graph, FUM_TENSOR_PARAMETER, name, &shape, packing);
    if (t) return t;
    if (!packing || shape.rank != rank)
        fum_graph_fail(graph, FUM_ERR_ARG, "%s: a parameter of %d dimensions is not packed so",
                       name, shape.rank);
    t = source(graph, FUM_TENSOR_PARAMETER, name, (struct fum_desc){shape, FUM_F32},
               FUM_STAGE_STEP);
    if (!t) return NULL;
    t->packing = packing;
    return tensor_append(t);
}

// Joins the names by a +. Returns NULL without memory.
static char *join_names(fum_graph *graph, const char *const *names, int count) {
    size_t size = 0, used = 0;
    for (int i = 0; i < count; i++) size += strlen(names[i]) + 1;
    char *text = fum_arena_alloc(graph->arena, size + 1, 1);
    for (int i = 0; text && i < count; i++)
        used += (size_t)snprintf(text + used, size + 1 - used, "%s%s", i ? "+" : "", names[i]);
    return text;
}

fum_tensor *fum_graph_weight_stack(fum_graph *graph, const char *const *names, int count,
                                   struct fum_shape shape, enum fum_pack pack) {
    if (graph->error.code) return NULL;
    for (int i = 0; i < count; i++)
        if (trains_weight(graph, names[i])) {
            fum_graph_fail(graph, FUM_ERR_ARG, "%s: a stacked weight cannot be trained", names[i]);
            return NULL;
        }
    const char **parts = fum_arena_alloc(graph->arena, (size_t)count, sizeof *parts);
    char *name = join_names(graph, names, count);
    bool kept = parts && name;
    for (int i = 0; kept && i < count; i++)
        kept = (parts[i] = fum_arena_strdup(graph->arena, names[i])) != NULL;
    struct fum_shape stacked = {shape.rank + 1, {count}};
    memcpy(&stacked.dim[1], shape.dim, (size_t)shape.rank * sizeof shape.dim[0]);
    fum_tensor *t = kept ? fum_graph_weight(graph, name, stacked, pack) : NULL;
    if (!kept) fum_graph_fail(graph, FUM_ERR_NOMEM, "no memory for a weight");
    if (!t) return NULL;
    t->parts = parts;
    t->num_parts = count;
    return t;
}

fum_tensor *fum_graph_repack(fum_graph *graph, const fum_tensor *weight,
                             const struct fum_desc *desc, const struct fum_packing *packing) {
    fum_tensor *t = find_source(graph, FUM_TENSOR_WEIGHT, weight->name, &desc->shape, packing);
    if (t && t->desc.dtype == desc->dtype) return t;
    t = source(graph, FUM_TENSOR_WEIGHT, weight->name, *desc, weight->stage);
    if (!t) return NULL;
    t->packing = packing;
    t->parts = weight->parts;
    t->num_parts = weight->num_parts;
    return tensor_append(t);
}

uint64_t fum_tensor_bytes(const fum_tensor *tensor) {
    const struct fum_desc memory = fum_packing_desc(tensor->packing, &tensor->desc);
    return fum_desc_bytes(&memory);
}

struct fum_weight fum_tensor_weight(const fum_tensor *tensor) {
    return (struct fum_weight){.name = tensor->name,
                               .desc = fum_packing_desc(tensor->packing, &tensor->desc),
                               .packing = tensor->packing,
                               .parts = tensor->parts,
                               .num_parts = tensor->num_parts,
                               .values = tensor->data};
}

int fum_graph_list_weights(const fum_graph *graph, enum fum_tensor_kind kind,
                           struct fum_weight *list) {
    int count = 0;
    for (int i = 0; i < graph->count; i++) {
        const fum_tensor *t = graph->tensors[i];
        if (!t->live || t->kind != kind) continue;
        if (list) list[count] = fum_tensor_weight(t);
        count++;
    }
    return count;
}

static bool set_attrs(fum_tensor *t, const struct fum_attr *attrs) {
    const struct fum_op *op = t->op;
    for (int i = 0; op->attrs && op->attrs[i].name; i++) t->attr[i] = op->attrs[i].default_value;
    for (; attrs && attrs->name; attrs++) {
        int i = fum_op_attr_index(op, attrs->name);
        if (i < 0) {
            fum_graph_fail(t->graph, FUM_ERR_ARG, "%s: op %s has no setting \"%s\"", t->name,
                           op->name, attrs->name);
            return false;
        }
        t->attr[i] = attrs->value;
    }
    return true;
}

static bool set_inputs(fum_tensor *t, fum_tensor *const *inputs, int num_inputs) {
    const struct fum_op *op = t->op;
    if (num_inputs < op->min_inputs || num_inputs > op->max_inputs) {
        fum_graph_fail(t->graph, FUM_ERR_ARG, "%s: op %s takes %d to %d inputs, not %d", t->name,
                       op->name, op->min_inputs, op->max_inputs, num_inputs);
        return false;
    }
    for (int i = 0; i < num_inputs; i++) {
        t->in[i] = inputs[i];
        if (!inputs[i] && i < op->min_inputs) {
            fum_graph_fail(t->graph, FUM_ERR_ARG, "%s: op %s needs its input %d", t->name, op->name,
                           i);
            return false;
        }
        if (!inputs[i]) continue;
        if (inputs[i]->graph != t->graph) {
            fum_graph_fail(t->graph, FUM_ERR_ARG, "%s: input %d belongs to another graph", t->name,
                           i);
            return false;
        }
        if (inputs[i]->stage > t->stage) t->stage = inputs[i]->stage;
    }
    // All slots exist from here on, so that a pass may fill an optional one.
    t->num_inputs = op->max_inputs;
    return true;
}

static bool infer(fum_tensor *t) {
    struct fum_op_call call;
    struct fum_why why = {"shapes do not fit"};
    fum_tensor_call(t, &call);
    call.out.dtype = t->graph->storage;
    if (t->op->infer(&call, &why)) {
        if (shape_valid(&call.out.shape)) {
            t->desc = call.out;
            return true;
        }
        fum_refuse(&why, "the result's shape is out of range");
    }
    char shapes[256] = "", one[96];
    size_t used = 0;
    for (int i = 0; i < t->num_inputs && used < sizeof shapes; i++)
        if (t->in[i])
            used += (size_t)snprintf(shapes + used, sizeof shapes - used, "%s%s", used ? ", " : "",
                                     fum_shape_text(&t->in[i]->desc.shape, one, sizeof one));
    fum_graph_fail(t->graph, FUM_ERR_ARG, "%s: op %s of (%s): %s", t->name, t->op->name, shapes,
                   why.text);
    return false;
}

// Checks that every input that the node writes is a state or a parameter, and each another one.
static bool check_updates(const fum_tensor *t) {
    for (int i = 0; i < t->num_inputs; i++) {
        if (!fum_tensor_updates(t, i)) continue;
        const fum_tensor *root = t->in[i] ? fum_tensor_root(t->in[i]) : NULL;
        bool kept = root && (root->kind == FUM_TENSOR_STATE || root->kind == FUM_TENSOR_PARAMETER);
        if (!kept) {
            fum_graph_fail(t->graph, FUM_ERR_ARG,
                           "%s: op %s updates its input %d, which must be a state or a parameter",
                           t->name, t->op->name, i);
            return false;
        }
        for (int k = 0; k < i; k++) {
            if (!fum_tensor_updates(t, k) || fum_tensor_root(t->in[k]) != root) continue;
            fum_graph_fail(t->graph, FUM_ERR_ARG, "%s: op %s would update %s twice", t->name,
                           t->op->name, root->name);
            return false;
        }
    }
    return true;
}

fum_tensor *fum_graph_add(fum_graph *graph, const char *op, const char *name,
                          struct fum_inputs inputs, const struct fum_attr *attrs) {
    if (graph->error.code || fum_require(op, "the name of an op", &graph->error)) return NULL;
    char made_up[96];
    snprintf(made_up, sizeof made_up, "%s#%d", op, graph->count);
    const struct fum_op *record = fum_op_find(op);
    if (!record) {
        fum_graph_fail(graph, FUM_ERR_ARG, "%s: there is no op \"%s\"", name ? name : made_up, op);
        return NULL;
    }
    fum_tensor *t = tensor_new(graph, FUM_TENSOR_NODE, name ? name : made_up);
    if (!t) return NULL;
    t->op = record;
    if (!set_attrs(t, attrs) || !set_inputs(t, inputs.at, inputs.count) || !infer(t)) return NULL;
    if (!check_updates(t)) return NULL;
    if (fum_stage_repeats(t->stage)) t->gate = graph->gate;
    return tensor_append(t);
}

fum_tensor *fum_graph_add_twin(fum_graph *graph, const fum_tensor *node,
                               fum_tensor *const *inputs) {
    char name[256];
    snprintf(name, sizeof name, "%s.again", node->name);
    fum_tensor *t = tensor_new(graph, FUM_TENSOR_NODE, name);
    if (!t) return NULL;
    const char *kept = t->name;
    *t = *node;
    t->name = kept;
    t->output = NULL;
    t->block = 0;
    t->original = node;
    memcpy(t->in, inputs, sizeof t->in);
    return tensor_append(t);
}

void fum_graph_output(fum_graph *graph, fum_tensor *tensor, const char *name) {
    if (!tensor || graph->error.code) return;
    if (fum_require(name, "the name of an output", &graph->error)) return;
    tensor->output = fum_arena_strdup(graph->arena, name);
    if (!tensor->output) fum_graph_fail(graph, FUM_ERR_NOMEM, "no memory for output %s", name);
}

enum fum_result fum_graph_check(const fum_graph *graph, struct fum_error *err) {
    if (graph->error.code && err) *err = graph->error;
    return graph->error.code;
}

struct fum_shape fum_tensor_shape(const fum_tensor *tensor) {
    return tensor ? tensor->desc.shape : (struct fum_shape){0};
}

enum fum_dtype fum_tensor_dtype(const fum_tensor *tensor) {
    return tensor ? tensor->desc.dtype : FUM_DTYPE_UNKNOWN;
}

const char *fum_tensor_name(const fum_tensor *tensor) {
    if (!tensor) return NULL;
    return tensor->output ? tensor->output : tensor->name;
}

fum_tensor *fum_graph_find(const fum_graph *graph, const char *name) {
    if (!name) return NULL;
    for (int i = graph->count - 1; i >= 0; i--)
        if (graph->tensors[i]->output && !strcmp(graph->tensors[i]->output, name))
            return graph->tensors[i];
    for (int i = graph->count - 1; i >= 0; i--)
        if (!strcmp(graph->tensors[i]->name, name)) return graph->tensors[i];
    return NULL;
}
