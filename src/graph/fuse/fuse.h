// SPDX-License-Identifier: MIT
// Says which work an op can take over from its neighbours in a graph, and rewrites a graph by that.
// Each rule is a file of this folder; rule.h is their common ground.
#ifndef FUM_GRAPH_FUSE_FUSE_H
#define FUM_GRAPH_FUSE_FUSE_H

#include "graph/graph.h"

// What an op computes after its sums: out = act(sum + row) + residual. An input of 0 or a NULL
// setting: it has none.
struct fum_epilogue {
    int row_input, residual_input; // indices of optional inputs
    const char *act_attr;          // setting that takes an enum fum_act
    // Setting that takes the enum fum_act of a gate. The output is then value gate(other), of the
    // two halves of the channels.
    const char *gate_attr;
    // True if a gate takes the device no longer than a node of its own. The call has no gate yet.
    bool (*gate_is_free)(const struct fum_device_info *info, const struct fum_op_call *call);
};

// What an op can read in place of its input 0. An input of 0 or a NULL setting: it has none.
struct fum_input_read {
    const char *double_attr; // setting that makes it repeat each pixel in both directions
    int second_input;        // optional input: channels that follow those of input 0
    // True if the device can read both inputs of a call whose input 0 is still the concatenation.
    bool (*reads_joined)(const struct fum_device_info *info, const struct fum_op_call *call);
    // Optional input, f32 [batch, 2, channels]: scales and shifts. The op then reads
    // act(x scale + shift) in place of x, with the act of the setting norm_act_attr.
    int norm_input;
    const char *norm_act_attr;
    // True if that is as fast as reading what the norm writes. NULL: never.
    bool (*reads_normalised)(const struct fum_device_info *info, const struct fum_op_call *call);
};

// The facts on which a lowering is chosen.
struct fum_lowering_site {
    const struct fum_device_info *info;
    const struct fum_tuning *tuning; // may be NULL
    const struct fum_op_call *call;
    double share; // the call's part of the floating-point operations of its stage, 0 to 1
    // The weight that input 1 is, or is computed from. NULL: it is no weight.
    const struct fum_desc *weight;
    // True in a training that need not save memory. Its stage has the backward pass, too.
    bool trains;
};

// An op with the same inputs and settings that computes the same from another packing of input 1.
// It may also do so, faster, from an input 1 that is no weight.
struct fum_lowering {
    const struct fum_op *op;             // NULL ends a list
    const struct fum_packing *from, *to; // of input 1, a weight; NULL: it is none and stays
    const struct fum_op *through;        // computes input 1 from that weight; NULL: input 1 is it
    const char *clears, *sets;           // settings that become 0 and 1; may be NULL
    // True if the device can run it and is faster so. Sets *weight to what input 1 becomes.
    bool (*choose)(const struct fum_lowering_site *site, struct fum_desc *weight);
};

// What the rules may do with an op. Zero or NULL: nothing.
struct fum_op_fusion {
    // Work that a neighbour may take over.
    bool adds;               // computes in[0] + in[1], broadcast
    enum fum_act activation; // computes this activation of in[0]
    enum fum_act gate;       // computes x gate(y) of the two halves of in[0]'s channels
    // True if it repeats each pixel of in[0] in both directions.
    bool (*doubles)(const struct fum_op_call *call);
    // True if the output is in[0] and in[1] one after the other along the channels.
    bool (*joins)(const struct fum_op_call *call);
    // Computes a norm's scales and shifts, f32 [batch, 2, channels], from the norm's inputs and
    // settings.
    const struct fum_op *norm_scales;
    // True if the output is the bytes of input 0 from *offset on.
    bool (*is_alias)(const struct fum_op_call *call, uint64_t *offset);
    // Work that the op may take over.
    const struct fum_epilogue *epilogue;
    const struct fum_input_read *reads;
    const struct fum_lowering *lowerings;
};

struct fum_fuse_params {
    const struct fum_device_info *info;
    const struct fum_tuning *tuning; // may be NULL
    // Called after each rule with its name; an error ends the rewriting. May be NULL.
    enum fum_result (*after)(void *user, const char *rule, struct fum_error *err);
    void *user;
};

// Rewrites a pruned graph by all rules, in order, and prunes and verifies it after each. A value
// that is an output or is read elsewhere too is kept. Tensors keep their ids.
enum fum_result fum_graph_fuse(fum_graph *graph, const struct fum_fuse_params *params,
                               struct fum_error *err);

#endif
