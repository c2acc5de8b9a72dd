// SPDX-License-Identifier: MIT
// The graph's insides, for passes and for the interpreter. Builders use include/fumarole/graph.h.
#ifndef FUM_GRAPH_GRAPH_H
#define FUM_GRAPH_GRAPH_H

#include "base/alloc.h"
#include "graph/op.h"
#include "weights/packing.h"

enum fum_tensor_kind {
    FUM_TENSOR_INPUT,
    FUM_TENSOR_STATE,
    FUM_TENSOR_CONSTANT,
    FUM_TENSOR_WEIGHT,
    FUM_TENSOR_PARAMETER, // f32, written by updates, in a store that executables share
    FUM_TENSOR_NODE,      // what an op computes
};

struct fum_tensor {
    fum_graph *graph;
    int id; // index in graph->tensors; nodes that a node reads have smaller ids
    enum fum_tensor_kind kind;
    const char *name;
    const char *output; // not NULL: the caller reads it, under this name
    struct fum_desc desc;
    enum fum_stage stage;
    const struct fum_op *op; // of a node
    double attr[FUM_MAX_ATTRS];
    fum_tensor *in[FUM_MAX_INPUTS]; // NULL: absent
    int num_inputs;
    const float *data;                 // of a constant
    const struct fum_packing *packing; // of a weight or parameter
    bool kept_stored;                  // a weight that is never quantised
    bool pointwise; // a weight of a 1×1 convolution, which has its two dimensions in files
    const char *const *parts; // names of the files' tensors that a stacked weight holds, in order
    int num_parts;            // number of them; 0: the weight is one tensor of the files
    bool alias; // the bytes of in[0] from alias_offset on; set by the rule of that name
    uint64_t alias_offset;
    // False once the prune pass has found that nothing that is read or kept depends on it.
    bool live;
    int uses;  // set by the prune pass: how many inputs of live nodes it is
    int block; // number of its block (see fum_graph_checkpoint); 0: it is in none
    int gate;  // that it is behind (see fum_graph_set_gate); 0: none
    // The twin in the forward half, or in FUM_STAGE_STEP, if the node is computed again.
    const fum_tensor *original;
};

// A linear layer that was just added.
struct fum_graph_layer {
    const char *name; // its path
    fum_tensor *x, *y;
};

// What the rows of a batch from `row` on leave out of transformers that are added from here on.
// `serves` chooses by the path of a module and by its number, counted from 0 among its kind.
struct fum_graph_perturbation {
    enum fum_perturbed {
        FUM_PERTURB_NONE = 0,
        FUM_PERTURB_ATTENTION, // self-attention passes its values on
        FUM_PERTURB_BLOCK,     // transformer blocks pass their inputs on
    } part;
    int64_t row;
    bool (*serves)(const void *user, const char *path, int index);
    const void *user;
    int seen, matched; // modules so far
};

struct fum_graph {
    fum_arena *arena;
    enum fum_dtype storage;
    const struct fum_packing *quantised; // that weights of products are to have; NULL: none
    // Shows blocks that weights are stored in, which products then read (see
    // fum_graph_keep_blocks).
    struct fum_weight_source stored;
    // True for weights that become parameters; NULL: none (see fum_graph_train).
    bool (*trains)(void *user, const char *name);
    void *trains_user;
    // Adds to the result of a linear layer; NULL: nothing (see fum_graph_adapt).
    fum_tensor *(*adapt)(void *user, fum_graph *graph, const struct fum_graph_layer *layer);
    void *adapt_user;
    struct fum_graph_perturbation perturbation;
    unsigned wraps; // axes along which convolutions wrap around, of enum fum_graph_axis
    bool checkpointing;
    int num_blocks, block_depth; // blocks so far, and how many of them are open
    int gate;                    // of nodes that are added
    fum_tensor **tensors;
    int count;
    size_t capacity;
    struct fum_error error; // the first failure of building; code FUM_OK: none
};

// Records the first failure of building; later ones are dropped. Returns false.
bool fum_graph_fail(fum_graph *graph, enum fum_result code, const char *fmt, ...) FUM_PRINTF(3, 4);
// Lets products read the blocks of integers that the source has for their weights, unless
// fum_graph_quantise requests a type. The source must outlive the graph and its compilations.
void fum_graph_keep_blocks(fum_graph *graph, const struct fum_weight_source *source);
// Returns the quantised packing that a weight is to have; NULL: none.
const struct fum_packing *fum_graph_packing(const fum_graph *graph, const fum_tensor *weight);
// Returns the stage's name in dumps and traces ("step").
const char *fum_stage_name(enum fum_stage stage);
// True if a run of the graph repeats the stage: once for every step.
bool fum_stage_repeats(enum fum_stage stage);

// Copies a graph whose building had no error. Tensors keep their ids, so the twin of `tensor` is
// (*clone)->tensors[tensor->id]. The copy borrows the names and numbers of `graph`, which must
// outlive it.
enum fum_result fum_graph_clone(fum_graph **clone, const fum_graph *graph, struct fum_error *err);

// Makes weights trainable that are added from here on. fum_graph_weight of a name for which
// `trains` returns true adds a parameter of that name and packing. A graph that stores f16 or bf16
// casts it once. NULL: every weight is trained.
void fum_graph_train(fum_graph *graph, bool (*trains)(void *user, const char *name), void *user);
// Returns true after fum_graph_train. Layers of one input then stay products of their own.
bool fum_graph_is_training(const fum_graph *graph);
// Adds an adapter to linear layers that are added from here on: what `adapt` returns takes the
// place of the layer's result.
void fum_graph_adapt(fum_graph *graph,
                     fum_tensor *(*adapt)(void *user, fum_graph *graph,
                                          const struct fum_graph_layer *layer),
                     void *user);
// Pads convolutions that are added from here on with the opposite border, along these axes of the
// picture, in place of zeros.
enum fum_graph_axis { FUM_GRAPH_WIDTH = 1, FUM_GRAPH_HEIGHT = 2 };
void fum_graph_wrap(fum_graph *graph, unsigned axes);
// Keeps a weight in the graph's storage type where others are quantised.
void fum_tensor_keep_stored(fum_tensor *weight);
// Makes gradients keep only what leaves a block of the graph. Nodes that the gradient pass adds
// compute the block's other values again, just before its gradient. See Chen et al., "Training deep
// nets with sublinear memory cost" (2016).
void fum_graph_checkpoint(fum_graph *graph);
// Begins a block of nodes, up to fum_graph_end_block. A block inside another is part of that.
void fum_graph_begin_block(fum_graph *graph);
void fum_graph_end_block(fum_graph *graph);
// Puts nodes of repeated stages that are added from here on behind a gate, 1 to FUM_MAX_GATES; 0:
// behind none. A run skips nodes behind a closed gate (fum_executable_set_gate), so that their
// values are undefined. Beside nodes behind the same gate, only ops with FUM_OP_MASKS may read
// them, as input 0.
enum { FUM_MAX_GATES = 31 };
void fum_graph_set_gate(fum_graph *graph, int gate);
// Adds a copy of a node that computes it again from other inputs. Returns NULL after an error.
fum_tensor *fum_graph_add_twin(fum_graph *graph, const fum_tensor *node, fum_tensor *const *inputs);
// Marks the weight of that name as one of a 1×1 convolution. There may be none.
void fum_graph_mark_pointwise(fum_graph *graph, const char *name);
// Lists the graph's parameters in the order of their adding. Returns their number. list may be
// NULL.
int fum_graph_list_parameters(const fum_graph *graph, fum_tensor **list);

// Adds fixed numbers, as fum_graph_constant, that stay f32 in any graph.
fum_tensor *fum_graph_exact_constant(fum_graph *graph, const char *name, struct fum_shape shape,
                                     const float *data);

// Adds a weight that no training changes and that stays f32 in any graph. In a network that is
// trained it is a parameter without a gradient. Returns NULL after an error, as fum_graph_weight.
fum_tensor *fum_graph_fixed_weight(fum_graph *graph, const char *name, struct fum_shape shape);

// Adds one weight of shape [count, …] that stacks tensors of the files, so that one product can use
// them all. Each has the given shape. None may be trained. Returns NULL after an error, as
// fum_graph_weight.
fum_tensor *fum_graph_weight_stack(fum_graph *graph, const char *const *names, int count,
                                   struct fum_shape shape, enum fum_pack pack);
// Adds a weight of the same tensors in the files as `weight`, of another shape, type or packing.
// Returns NULL after an error.
fum_tensor *fum_graph_repack(fum_graph *graph, const fum_tensor *weight,
                             const struct fum_desc *desc, const struct fum_packing *packing);
// Returns the bytes of device memory that a tensor takes, as its packing lays it.
uint64_t fum_tensor_bytes(const fum_tensor *tensor);
// Returns a weight or constant as its store knows it.
struct fum_weight fum_tensor_weight(const fum_tensor *tensor);
// Lists the graph's live tensors of `kind`, FUM_TENSOR_WEIGHT or FUM_TENSOR_CONSTANT, in order.
// Returns their number. list may be NULL.
int fum_graph_list_weights(const fum_graph *graph, enum fum_tensor_kind kind,
                           struct fum_weight *list);

// Fills `call` from a node: settings, inputs, output.
void fum_tensor_call(const fum_tensor *node, struct fum_op_call *call);
// Returns the index of a setting in an op's table, or -1 if it has none of that name.
int fum_op_attr_index(const struct fum_op *op, const char *name);
// Writes a shape as text, "2x64x64x320". Returns text.
char *fum_shape_text(const struct fum_shape *shape, char *text, size_t size);
// True if it is the memory of its input 0, or part of it, under another shape.
bool fum_tensor_is_alias(const fum_tensor *tensor);
// True if an update between the two nodes writes what the first one reads, so that the second could
// not read it in its place.
bool fum_tensor_updated_between(const fum_tensor *first, const fum_tensor *second);
// True if the node writes that input in place.
bool fum_tensor_updates(const fum_tensor *tensor, int input);
// Follows aliases and updates down to the tensor whose memory they are.
const fum_tensor *fum_tensor_root(const fum_tensor *tensor);
// Returns the byte of its root's memory where it starts.
uint64_t fum_tensor_offset(const fum_tensor *tensor);

#endif
