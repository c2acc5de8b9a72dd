// SPDX-License-Identifier: MIT
// Builds compute graphs from named ops, compiles them for a device, and runs them.
//
// Tensors have up to four dimensions, the last one innermost. Images are channels-last: [batch,
// height, width, channels]. Tokens are [batch, tokens, channels]. Broadcasting aligns shapes at the
// last dimension, as NumPy does.
//
// Errors while building are remembered. A call that fails returns NULL, calls given NULL return
// NULL, and fum_graph_check reports the first failure. A builder need not check every call.
#ifndef FUMAROLE_GRAPH_H
#define FUMAROLE_GRAPH_H

#include <fumarole/core.h>
#include <fumarole/device.h>
#include <fumarole/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

// Nodes and the values between them. One thread at a time.
typedef struct fum_graph fum_graph;
// A value in a graph: an input, a weight, or the result of an op. Belongs to its graph.
typedef struct fum_tensor fum_tensor;

// When a value is computed. An op's stage is the latest of its inputs' stages.
enum fum_stage {
    FUM_STAGE_LOAD = 0, // once, when the weights are loaded
    FUM_STAGE_PROMPT,   // once per prompt
    FUM_STAGE_RUN,      // once per run: tables with a row for each step
    FUM_STAGE_STEP,     // at every step; the only stage of a graph that is not split further
    FUM_STAGE_SHORT, // in place of STEP, at steps that take a value from an earlier one; or after
                     // STEP, with values that the caller computes in between
    FUM_STAGE_COUNT,
};

// Creates a graph. Activations and weights are stored as `storage` (f32, f16 or bf16). Sums are
// always f32.
FUM_API enum fum_result fum_graph_create(fum_graph **graph, enum fum_dtype storage,
                                         struct fum_error *err);
FUM_API void fum_graph_destroy(fum_graph **graph);

// Adds a value that the caller writes before a run of `stage`. dtype: a storage type or FUM_I32.
FUM_API fum_tensor *fum_graph_input(fum_graph *graph, const char *name, struct fum_shape shape,
                                    enum fum_dtype dtype, enum fum_stage stage);
// Adds a value kept between runs, which updating ops write in place. `stage` is the first stage
// that reads or updates it, and is not FUM_STAGE_LOAD. A node that reads the state itself sees it
// before any update of that stage. A node that reads the result of an update sees it after that
// update. Compiling refuses a graph whose order contradicts that.
FUM_API fum_tensor *fum_graph_state(fum_graph *graph, const char *name, struct fum_shape shape,
                                    enum fum_dtype dtype, enum fum_stage stage);
// Adds fixed numbers. `data` (dense, row-major) is copied and stored as the graph's storage type.
FUM_API fum_tensor *fum_graph_constant(fum_graph *graph, const char *name, struct fum_shape shape,
                                       const float *data);

// Adds a weight of that name from the model's files. `shape` is the shape in the graph.
FUM_API fum_tensor *fum_graph_weight(fum_graph *graph, const char *name, struct fum_shape shape,
                                     enum fum_pack pack);

// Adds a value that training changes: f32, kept in a store that several executables share, and
// written by updating ops. Unlike a weight it is never folded or repacked by a pass. `pack` is
// FUM_PACK_NONE, _LINEAR or _CONV. Its stage is FUM_STAGE_STEP. A graph that stores f16 or bf16
// adds a "cast".
FUM_API fum_tensor *fum_graph_parameter(fum_graph *graph, const char *name, struct fum_shape shape,
                                        enum fum_pack pack);

// Stores weights of products and convolutions as the quantised type of that name (see
// fum_quantised_name). A weight stays as it is if its inputs are no whole blocks of the type or the
// device cannot run its op. Call it before the graph is compiled. `graph` may be NULL.
FUM_API void fum_graph_quantise(fum_graph *graph, const char *type);

// An op's named setting: {"stride", 2}. Settings that are not listed keep the op's defaults.
struct fum_attr {
    const char *name;
    double value;
};

// The inputs of an op, at[0..count). An optional input may be NULL.
struct fum_inputs {
    fum_tensor *const *at;
    int count;
};
// Lists inputs in C: FUM_INPUTS(x, weight).
#define FUM_INPUTS(...)                                 \
    ((struct fum_inputs){(fum_tensor *[]){__VA_ARGS__}, \
                         (int)(sizeof((fum_tensor *[]){__VA_ARGS__}) / sizeof(fum_tensor *))})

// Adds the op `op` ("conv2d") and returns its value. `name` names the node in errors, dumps and
// traces; NULL: a name is made up. `attrs` ends with a NULL name; NULL: all defaults. Returns NULL
// on error, which fum_graph_check reports.
FUM_API fum_tensor *fum_graph_add(fum_graph *graph, const char *op, const char *name,
                                  struct fum_inputs inputs, const struct fum_attr *attrs);

// Adds the nodes that compute the gradient of `loss`, a single number, with respect to `count`
// values. Sets grads[i] to the gradient of params[i], of its shape and type. Differentiates the
// graph as it is built so far, in reverse mode. Returns false after an error: an op without a
// gradient, or a value that the loss does not depend on.
FUM_API bool fum_graph_gradient(fum_graph *graph, fum_tensor *loss, fum_tensor *const *params,
                                int count, fum_tensor **grads);

// Marks a value as one that the caller reads after a run.
FUM_API void fum_graph_output(fum_graph *graph, fum_tensor *tensor, const char *name);

// Returns FUM_OK, or the first error of building, which names the node and the shapes.
FUM_API enum fum_result fum_graph_check(const fum_graph *graph, struct fum_error *err);

// Returns what a value is. NULL has rank 0, FUM_DTYPE_UNKNOWN and no name.
FUM_API struct fum_shape fum_tensor_shape(const fum_tensor *tensor);
FUM_API enum fum_dtype fum_tensor_dtype(const fum_tensor *tensor);
FUM_API const char *fum_tensor_name(const fum_tensor *tensor);
// Returns the value of that name (input, state, weight or output), or NULL.
FUM_API fum_tensor *fum_graph_find(const fum_graph *graph, const char *name);

// A graph compiled for a device: kernels, memory, recorded command buffers. One thread at a time.
// The graph must outlive it and stays as it was built. So it can be compiled again, also for
// another device. Nodes added later are not part of the executable.
typedef struct fum_executable fum_executable;

struct fum_executable_params {
    const char *label; // name of the graph for traces and errors ("unet"); NULL: none
    // Receives the graph as text and Graphviz after each pass: "prune", each rewriting rule by its
    // name ("epilogue"), and "plan" with the places in memory. May be NULL.
    void (*dump)(void *user, const char *pass, const char *text, const char *dot);
    // Reports the number of compiled kernels among those that must be compiled, first with 0.
    // Returning false cancels. May be NULL.
    bool (*on_compile)(void *user, int done, int total);
    void *user;
    // Holds the graph's parameters and must outlive the executable. Missing ones are added with
    // their initial values. NULL: the graph has no parameters.
    fum_parameters *parameters;
};

// Compiles a copy of the graph for the device: rewrites it, plans its memory and records its
// commands. `params` may be NULL. Takes inputs, states and constants; graphs with weights need the
// model API. Errors: FUM_ERR_ARG (the graph is invalid), FUM_ERR_UNSUPPORTED (a limit of the
// device), FUM_ERR_NOMEM, FUM_ERR_DEVICE.
FUM_API enum fum_result fum_executable_create(fum_executable **executable, const fum_graph *graph,
                                              fum_device *device,
                                              const struct fum_executable_params *params,
                                              struct fum_error *err);
FUM_API void fum_executable_destroy(fum_executable **executable);

// Writes an input or state: `count` dense elements, its whole shape. f32 is rounded to its type;
// integers are given as int32_t through fum_executable_write_i32. A value that nothing reads is
// skipped.
FUM_API enum fum_result fum_executable_write(fum_executable *executable, const fum_tensor *tensor,
                                             const float *data, size_t count,
                                             struct fum_error *err);
FUM_API enum fum_result fum_executable_write_i32(fum_executable *executable,
                                                 const fum_tensor *tensor, const int32_t *data,
                                                 size_t count, struct fum_error *err);
// Runs one stage and waits. Stages must be run in order once; later ones can then be repeated.
// Values that were written once are kept. FUM_ERR_ARG names an input or state that the stage reads
// and that was never written.
FUM_API enum fum_result fum_executable_run(fum_executable *executable, enum fum_stage stage,
                                           struct fum_error *err);
// Reads an output or state as dense f32.
FUM_API enum fum_result fum_executable_read(fum_executable *executable, const fum_tensor *tensor,
                                            float *data, size_t count, struct fum_error *err);

// The cost of a compiled graph, per stage and in total.
struct fum_executable_stats {
    int dispatches[FUM_STAGE_COUNT];
    int barriers[FUM_STAGE_COUNT];
    double flops[FUM_STAGE_COUNT];
    uint64_t activation_bytes; // planned, aliased
    uint64_t weight_bytes;     // bytes that stay on the device
    // Streaming under a memory budget that does not hold all weights. One run of a stage brings in
    // these bytes in so many pieces, through buffers of stream_bytes. Zero without streaming.
    uint64_t streamed_bytes[FUM_STAGE_COUNT];
    int segments[FUM_STAGE_COUNT];
    uint64_t stream_bytes;
    // that had to be compiled; kernels of other executables of the device are shared
    int kernels;
    double compile_seconds; // spent waiting for the compiler, beyond the loading meanwhile
    double load_seconds;    // spent loading weights
};
FUM_API void fum_executable_get_stats(const fum_executable *executable,
                                      struct fum_executable_stats *stats);

#ifdef __cplusplus
}
#endif

#endif
