// SPDX-License-Identifier: MIT
// The rules of the fuser and what they share.
#ifndef FUM_GRAPH_FUSE_RULE_H
#define FUM_GRAPH_FUSE_RULE_H

#include "graph/fuse/fuse.h"

// What the rules know beside the node.
struct fum_fuser {
    fum_graph *graph;
    const struct fum_device_info *info;
    const struct fum_tuning *tuning; // may be NULL
    // of each stage, before the first rule; what is computed again counts once
    double flops[FUM_STAGE_COUNT];
};

struct fum_rule {
    const char *name;
    // Rewrites the graph at `node`, a live node. Returns true if it did.
    bool (*apply)(const struct fum_fuser *fuser, fum_tensor *node);
};

// All rules in their order; a NULL name ends the table.
extern const struct fum_rule fum_rules[];

// Returns a fuser for a pruned graph.
struct fum_fuser fum_fuser_make(fum_graph *graph, const struct fum_device_info *info,
                                const struct fum_tuning *tuning);
// Applies a rule to every live node and prunes the graph. Returns how many nodes were rewritten.
int fum_rule_apply(const struct fum_rule *rule, const struct fum_fuser *fuser);

bool fum_fuse_gate(const struct fum_fuser *fuser, fum_tensor *node);
bool fum_fuse_epilogue(const struct fum_fuser *fuser, fum_tensor *node);
bool fum_fuse_upsample(const struct fum_fuser *fuser, fum_tensor *node);
bool fum_fuse_concat(const struct fum_fuser *fuser, fum_tensor *node);
bool fum_fuse_quantise(const struct fum_fuser *fuser, fum_tensor *node);
bool fum_fuse_lower(const struct fum_fuser *fuser, fum_tensor *node);
bool fum_fuse_norm(const struct fum_fuser *fuser, fum_tensor *node);
bool fum_fuse_alias(const struct fum_fuser *fuser, fum_tensor *node);

// Returns the fusion record of a tensor or a part of it, with zeros if there is none.
const struct fum_op_fusion *fum_fusion_of(const fum_tensor *tensor);
const struct fum_epilogue *fum_epilogue_of(const fum_tensor *tensor);
const struct fum_input_read *fum_input_read_of(const fum_tensor *tensor);

// True if `node` may take over its operand. Nothing else reads that, both are computed in the same
// stage and type, and no update changes in between what the operand reads.
bool fum_fuse_owns(const fum_tensor *node, const fum_tensor *operand);
// Returns the node's input 1 if it is a weight that nothing else reads; else NULL.
const fum_tensor *fum_fuse_own_weight(const fum_tensor *node);
// True if the tensor's op has the optional input and the input is absent. 0: no such input.
bool fum_fuse_input_free(const fum_tensor *tensor, int input);
// Returns the activation in the tensor's epilogue.
enum fum_act fum_fuse_activation(const fum_tensor *tensor);
// Gives a node its producer's op, settings, inputs and name; the producer is dead afterwards. The
// node keeps its place in the order, so its other operands are computed before it.
void fum_fuse_become(fum_tensor *node, fum_tensor *producer);

#endif
