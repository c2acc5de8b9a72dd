// SPDX-License-Identifier: MIT
// What an op must provide. The graph holds pointers to these records and never names one; src/ops
// has one file per record and the table ops.def.
//
// Tensors lie in memory as base/desc.h says.
#ifndef FUM_GRAPH_OP_H
#define FUM_GRAPH_OP_H

#include <fumarole/graph.h>

#include "base/desc.h"
#include "base/macros.h"
#include "base/why.h"
#include "gpu/groups.h"
#include "gpu/tuning.h"
#include "weights/packing.h"

enum { FUM_MAX_INPUTS = 6, FUM_MAX_ATTRS = 16, FUM_MAX_DISPATCHES = 128 };

// One use of an op: its settings (in the order of its attr table), inputs (has[i] false: optional
// and absent) and output.
struct fum_op_call {
    const double *attr;
    int num_inputs;
    bool has[FUM_MAX_INPUTS];
    struct fum_desc in[FUM_MAX_INPUTS];
    // Packing of an input that is a quantised weight, whose `in` describes its dense values; else
    // NULL. Only input 1 of ops with FUM_OP_QUANTISED has one.
    const struct fum_packing *quantised[FUM_MAX_INPUTS];
    struct fum_desc out;
};

// Returns how input i lies in device memory.
struct fum_desc fum_call_memory(const struct fum_op_call *call, int i);

// ---- what a call runs on the GPU ----

enum { FUM_OUT = -1, FUM_SCRATCH = -2 }; // operands beside the inputs 0, 1, 2, …

struct fum_dispatch_bind {
    int operand;
    bool write;
    // window of the operand; offset a multiple of info->binding_align; bytes 0: all of it
    uint64_t offset, bytes;
};

struct fum_dispatch {
    const char *shader;
    enum fum_dtype dtype; // variant of the shader
    uint32_t texels;      // bindings that it reads as texels, see struct fum_kernel_desc
    uint32_t spec[FUM_MAX_SPEC];
    int num_spec;
    struct fum_dispatch_bind bind[FUM_MAX_BINDINGS];
    int num_bind;
    uint32_t push[FUM_MAX_PUSH];
    int num_push;
    uint32_t groups[3];
    uint32_t subgroup; // required subgroup size, 0: any; see struct fum_kernel_desc
};

// Dispatches of a call, run in order, with barriers where their windows conflict. An absent
// optional operand must still be bound when the shader declares it: bind any other operand in its
// place.
struct fum_dispatches {
    const struct fum_device_info *info; // limits to obey
    const struct fum_tuning *tuning;    // what is known beyond them; may be NULL
    struct fum_dispatch item[FUM_MAX_DISPATCHES];
    int count;
    uint64_t scratch_bytes; // private memory of the call, shared by its dispatches
    // relative RMS error of inputs that the kernels round on purpose; 0: they do not
    double rounding;
    struct fum_why why; // set where a call is refused
};

// Returns the kernel that a dispatch runs. Its shader is NULL if this build has none of that name
// and type.
struct fum_kernel_desc fum_dispatch_kernel(const struct fum_dispatch *d);

// Returns how many rows of `desc` fit one binding, leaving room for the alignment skip. Returns 0
// if one row is too large, and INT64_MAX if the whole tensor fits.
int64_t fum_rows_per_binding(const struct fum_device_info *info, const struct fum_desc *desc);

// ---- the record ----

// Codes of the functions of one number. Epilogues compute those up to FUM_ACT_SIGMOID by their
// "act" setting; lib/act.glsl has the same list.
enum fum_act {
    FUM_ACT_NONE = 0,
    FUM_ACT_SILU,
    FUM_ACT_GELU, // x Φ(x), by erf
    FUM_ACT_GELU_TANH,
    FUM_ACT_QUICK_GELU, // x σ(1.702 x)
    FUM_ACT_RELU,
    FUM_ACT_TANH,
    FUM_ACT_SIGMOID,
    // Functions that only have ops of their own; lib/function.glsl has the same list.
    FUM_ACT_EXP,
    FUM_ACT_EXPM1, // exp(x) - 1, accurate near 0
    FUM_ACT_LOG,
    FUM_ACT_SQRT,
    FUM_ACT_SQUARE,
    FUM_ACT_RECIPROCAL,
};

struct fum_attr_def {
    const char *name;
    double default_value;
};

enum {
    // Computes nothing: the output is the bytes of input 0 under another shape ("reshape").
    FUM_OP_ALIAS = 1 << 0,
    // Each element of the output depends on the same element of input 0 alone, so the output may
    // take its memory.
    FUM_OP_IN_PLACE = 1 << 1,
    // Input 1 may be a quantised weight: its kernels multiply it out. The reference gets dense
    // values in any case.
    FUM_OP_QUANTISED = 1 << 2,
    // Nothing is differentiated through it: its output counts as fixed numbers ("stop_gradient").
    FUM_OP_STOPS_GRADIENT = 1 << 3,
    // Nothing of input 0 is used where input 1 is 0, so it may be undefined there.
    FUM_OP_MASKS = 1 << 4,
};

struct fum_op_fusion;
struct fum_gradient;

struct fum_op {
    const char *name;
    const struct fum_attr_def *attrs; // ends with a NULL name; NULL: none
    int min_inputs, max_inputs;       // inputs from min_inputs on are optional
    // Shape rule: checks inputs and settings and sets call->out. On failure writes what it
    // needs and has found into `why` (the graph adds the node and all shapes) and returns false.
    bool (*infer)(struct fum_op_call *call, struct fum_why *why);
    // Computes the op in plain C, in double throughout: what the kernel must agree with, and what
    // gradients are measured on. Arrays are dense, without padding; in[i] is NULL when absent;
    // integers come as exact doubles. The caller rounds the result to its type.
    void (*reference)(const struct fum_op_call *call, const double *const *in, double *out);
    // Adds what to run. Returns false, with list->why, if the device's limits do not allow it.
    bool (*dispatch)(const struct fum_op_call *call, struct fum_dispatches *list);
    // Adds the nodes of d(loss)/d(input) for each needed input (graph/gradient.h). Returns false,
    // with a reason, for a call that cannot be differentiated. NULL: no call can.
    bool (*gradient)(struct fum_gradient *gradient);
    // Floating-point operations of a call; NULL: as many as the output has elements.
    double (*flops)(const struct fum_op_call *call);

    // Set of inputs that it writes in place (bit i: input i), each a state or a parameter; 0: none.
    // Input 0 is one of them, and the output is its new value. The reference writes the new
    // contents of all of them one after the other.
    uint32_t updates;
    uint32_t flags;                     // FUM_OP_ALIAS and so on
    const struct fum_op_fusion *fusion; // what rewrites may do with it (fuse/fuse.h); NULL: nothing
};

// Returns the floating-point operations of a call.
double fum_op_flops(const struct fum_op *op, const struct fum_op_call *call);

// The table, in the order of ops.def.
extern const struct fum_op *const fum_ops[];
extern const int fum_op_count;
const struct fum_op *fum_op_find(const char *name); // NULL: none

#endif
