// SPDX-License-Identifier: MIT
// Declares blocks that several models share, built from ops. Each reproduces a module of diffusers
// or transformers and takes that module's name in its parent.
//
// Weights are declared under the whole path ("down_blocks.0.resnets.1.conv1.weight"). The value
// that a module returns is a node with its path as a name, so that fum_graph_find finds it.
//
// Images are [batch, height, width, channels], tokens [batch, tokens, channels]. A function given
// NULL returns NULL, and the graph remembers the first failure (fum_graph_check).
#ifndef FUM_NN_NN_H
#define FUM_NN_NN_H

#include <fumarole/graph.h>

enum { FUM_NN_PATH = 192, FUM_NN_TIME_ROWS = 192 };

// A builder's place in the module tree. One thread at a time.
struct fum_nn {
    fum_graph *graph;
    size_t length;          // of path
    char path[FUM_NN_PATH]; // "" or ends in '.'; put before every name
};

// Starts at the root. `prefix` comes before all names ("text_model."); NULL: none.
void fum_nn_init(struct fum_nn *nn, fum_graph *graph, const char *prefix);
// Enters a child module ("resnets.%d"). Returns the mark with which fum_nn_leave comes back.
size_t fum_nn_enter(struct fum_nn *nn, const char *fmt, ...) FUM_PRINTF(2, 3);
void fum_nn_leave(struct fum_nn *nn, size_t mark);

// ---- single ops, without weights; `name` is a child's name, or NULL for a made-up one ----

fum_tensor *fum_nn_unary(struct fum_nn *nn, const char *op, const char *name, fum_tensor *x);
fum_tensor *fum_nn_add(struct fum_nn *nn, const char *name, fum_tensor *a, fum_tensor *b);
fum_tensor *fum_nn_mul(struct fum_nn *nn, const char *name, fum_tensor *a, fum_tensor *b);
fum_tensor *fum_nn_scale(struct fum_nn *nn, const char *name, fum_tensor *x, double mul,
                         double add);
// Adds the same elements under another shape, `shape` as in fum_graph_input.
fum_tensor *fum_nn_reshape(struct fum_nn *nn, const char *name, fum_tensor *x,
                           struct fum_shape shape);
// Adds a cast to the graph's storage type if x has another floating type.
fum_tensor *fum_nn_stored(struct fum_nn *nn, fum_tensor *x);
// Adds a concatenation along the last dimension.
fum_tensor *fum_nn_concat(struct fum_nn *nn, const char *name, fum_tensor *a, fum_tensor *b);
// `count` entries along an axis, from `start` on.
struct fum_nn_range {
    int axis;
    int64_t start, count;
};
// Repeats x [batch, …] so many times, all of it each time: [copies · batch, …].
fum_tensor *fum_nn_repeat(struct fum_nn *nn, fum_tensor *x, int64_t copies);
fum_tensor *fum_nn_slice(struct fum_nn *nn, const char *name, fum_tensor *x,
                         struct fum_nn_range range);
// Converts between [batch, height, width, channels] and [batch, height · width, channels] without a
// copy.
fum_tensor *fum_nn_tokens(struct fum_nn *nn, fum_tensor *image);
fum_tensor *fum_nn_image(struct fum_nn *nn, const char *name, fum_tensor *tokens,
                         struct fum_shape image);
// Returns the size of the innermost dimension; 0 for NULL.
int64_t fum_nn_channels(const fum_tensor *x);

// ---- layers ----

// Adds the weight "name.part" of the module ("weight", "bias").
fum_tensor *fum_nn_weight(struct fum_nn *nn, const char *name, const char *part,
                          struct fum_shape shape, enum fum_pack pack);

fum_tensor *fum_nn_linear(struct fum_nn *nn, const char *name, fum_tensor *x, int64_t out,
                          bool bias);

// Adds several layers of one input, with as many outputs each: y[0..count). They become one product
// if its results can be used in place and the graph is not for training.
enum { FUM_NN_STACK = 3 };
struct fum_nn_linears {
    const char *names[FUM_NN_STACK];
    int count;
    int64_t out;
    bool bias;
    bool apart; // never one product
};
void fum_nn_linears(struct fum_nn *nn, const struct fum_nn_linears *layers, fum_tensor *x,
                    fum_tensor **y);

// The padding of a convolution. Zeros are the defaults of a 3×3 that keeps the size.
struct fum_nn_conv {
    int kernel;  // 0: 3
    int stride;  // 0: 1
    int pad;     // at each border; FUM_NN_SAME or 0: (kernel - 1) / 2; FUM_NN_NO_PAD: none
    int pad_end; // more rows and columns of padding at the bottom and right
    bool no_bias;
};
enum { FUM_NN_SAME = 0, FUM_NN_NO_PAD = -1 };
// Adds a convolution. `conv` NULL: all defaults. A 1×1 of stride 1 becomes a matmul over the
// pixels, whose weight has the same bytes.
fum_tensor *fum_nn_conv(struct fum_nn *nn, const char *name, fum_tensor *x, int64_t out,
                        const struct fum_nn_conv *conv);

fum_tensor *fum_nn_group_norm(struct fum_nn *nn, const char *name, fum_tensor *x, int groups,
                              double eps);
// The groups of a norm, and what is added to a variance.
struct fum_nn_groups {
    int count;
    double eps;
};
// Adds diffusers' AdaGroupNorm: a group norm without weights, times 1 + the first half of `row`,
// plus the second half.
fum_tensor *fum_nn_ada_group_norm(struct fum_nn *nn, fum_tensor *x, fum_tensor *row,
                                  const struct fum_nn_groups *groups);
fum_tensor *fum_nn_layer_norm(struct fum_nn *nn, const char *name, fum_tensor *x, double eps);
// Adds a lookup of rows of a table of [count, channels]. `ids` are i32 [batch, tokens].
fum_tensor *fum_nn_embedding(struct fum_nn *nn, const char *name, fum_tensor *ids, int64_t count,
                             int64_t channels);

// ---- blocks ----

// Settings of diffusers' ResnetBlock2D: norm, SiLU, conv, time embedding, norm, SiLU, conv,
// shortcut.
struct fum_nn_resblock {
    int64_t out;
    int groups;     // of the first norm, and of the second unless groups_out is set
    int groups_out; // 0: groups
    double eps;
    fum_tensor *time;    // its row of fum_nn_time_rows, or NULL: has none
    bool scale_shift;    // the embedding scales and shifts the second norm instead of being added
    double output_scale; // the result is divided by it; 0: 1
    const char *activation; // op; NULL: "silu"
    bool shortcut;          // a convolution even if the channels stay
    // The picture is halved or doubled after the first norm, as the shortcut is.
    enum fum_nn_resample {
        FUM_NN_KEEP = 0,
        FUM_NN_HALVE,
        FUM_NN_DOUBLE,
        FUM_NN_SMOOTH_HALVE,
        FUM_NN_SMOOTH_DOUBLE,
    } resample;
    int64_t height, width; // of a doubled picture, see fum_nn_upsample
};
fum_tensor *fum_nn_resblock(struct fum_nn *nn, const char *name, fum_tensor *x,
                            const struct fum_nn_resblock *block);

// The projection of the time embedding for a residual block at the step that is running.
struct fum_nn_time_row {
    char path[FUM_NN_PATH]; // of the block: "down_blocks.0.resnets.1"
    const char *layer;      // its projection: "time_emb_proj"
    int64_t channels;       // the block's, twice as many with scale_shift
    fum_tensor *row;        // written: [rows, 1, 1, channels]
};
// Adds the tables of all blocks, at most FUM_NN_TIME_ROWS, as one table, so that a step reads one
// row of it. `time` is the SiLU of every step's embedding, [steps, rows, channels]. `counter` is
// the current step, i32 [1]; NULL: there is one step, and no table is read. Returns false if a node
// could not be added.
bool fum_nn_time_rows(struct fum_nn *nn, fum_tensor *time, fum_tensor *counter,
                      struct fum_nn_time_row *rows, int count);

// Adds the means of 2×2 pixels. An odd last row or column is left out, as torch does.
fum_tensor *fum_nn_halve(struct fum_nn *nn, fum_tensor *x);
// Adds nearest-neighbour doubling, cut to height × width.
fum_tensor *fum_nn_double(struct fum_nn *nn, fum_tensor *x, int64_t height, int64_t width);

// Halves or doubles with the filter 1, 3, 3, 1 in both directions and zeros around the picture, as
// diffusers' FirDownsample2D and FirUpsample2D.
fum_tensor *fum_nn_smooth_halve(struct fum_nn *nn, fum_tensor *x);
fum_tensor *fum_nn_smooth_double(struct fum_nn *nn, fum_tensor *x, int64_t height, int64_t width);

// Does the same where the picture continues as its reflection, as diffusers' KDownsample2D and
// KUpsample2D. The sides are 2 pixels at least.
fum_tensor *fum_nn_reflect_halve(struct fum_nn *nn, fum_tensor *x);
fum_tensor *fum_nn_reflect_double(struct fum_nn *nn, fum_tensor *x);

// Adds a convolution of stride 2 ("downsamplers.0"), or nearest-neighbour doubling and a
// convolution ("upsamplers.0"). The doubled picture is cut to height × width, which are odd if its
// counterpart on the way down was.
fum_tensor *fum_nn_downsample(struct fum_nn *nn, const char *name, fum_tensor *x,
                              const struct fum_nn_conv *conv);
fum_tensor *fum_nn_upsample(struct fum_nn *nn, const char *name, fum_tensor *x, int64_t height,
                            int64_t width);

// Settings of multi-head attention. The names of its projections differ between the libraries.
struct fum_nn_attention {
    const char *q, *k, *v, *out; // NULL: diffusers' to_q, to_k, to_v, to_out.0
    int heads;
    bool causal;
    bool bias; // of q, k and v; `out` always has one
    // q, k and v are products of their own: slower, but their memory is free sooner
    bool apart;
    int64_t inner;       // channels of q, k and v; 0: as many as x has
    fum_tensor *context; // what k and v are made from; NULL: x
    // i32 [1]: which of the contexts counts that follow each other in `context`; NULL: there is one
    fum_tensor *context_row;
};
fum_tensor *fum_nn_attention(struct fum_nn *nn, const char *name, fum_tensor *x,
                             const struct fum_nn_attention *attention);

// Settings of diffusers' attention over pixels: group norm, attention, residual.
struct fum_nn_pixel_attention {
    int groups; // of the norm; 0: none
    double eps;
    int heads;
    int64_t inner;       // channels of all heads; 0: as many as x has
    bool apart;          // see struct fum_nn_attention
    double output_scale; // the result is divided by it; 0: 1
};
fum_tensor *fum_nn_pixel_attention(struct fum_nn *nn, const char *name, fum_tensor *x,
                                   const struct fum_nn_pixel_attention *attention);

// Settings of diffusers' Transformer2DModel over an image: group norm, projection in, transformer
// blocks, projection out, residual. A block has self-attention, cross-attention and a GEGLU
// feed-forward, each with layer norm and residual. Projections written as 1×1 convolutions and as
// linear layers are the same computation on channels-last data.
struct fum_nn_transformer {
    int heads, depth, groups;
    fum_tensor *context;     // [batch, tokens, channels]
    fum_tensor *context_row; // see struct fum_nn_attention
    bool only_cross;         // the first attention looks at the context too
    // The context has so many times the batch of x, and so has the result: x stands for equal
    // copies. They begin to differ in the first cross-attention. 0 or 1: x has the whole batch.
    int64_t copies;
};
fum_tensor *fum_nn_transformer(struct fum_nn *nn, const char *name, fum_tensor *x,
                               const struct fum_nn_transformer *t);

// Adds linear_1, SiLU, linear_2.
fum_tensor *fum_nn_time_mlp(struct fum_nn *nn, const char *name, fum_tensor *x, int64_t out);

#endif
