// SPDX-License-Identifier: MIT
// Defines a recipe: what is trained, on what loss, and how the result is saved. Each recipe is one
// record in a file of recipes/, one line of recipes.def and one INI file of defaults.
#ifndef FUM_TRAIN_RECIPE_H
#define FUM_TRAIN_RECIPE_H

#include <fumarole/graph.h>
#include <fumarole/model.h>
#include <fumarole/train.h>

#include "base/alloc.h"
#include "base/view.h"
#include "nn/nn.h"
#include "train/settings.h"

struct fum_training;
struct fum_graph_layer;
struct fum_train_rows;

// What the loss of one micro-batch is built from.
struct fum_micro_batch {
    struct fum_training *training;
    fum_graph *graph;
    struct fum_nn nn; // at the root
    int index;        // among the micro-batches of an update
    int batch;        // samples
};

// The order of a value's elements in files. In memory pictures are channels-last.
enum fum_train_layout {
    FUM_TRAIN_FLAT = 0, // as in memory
    FUM_TRAIN_PLANES,   // [channels, height, width]
};

// A value that every sample has: part of the data, or drawn.
struct fum_train_value {
    const char *name;       // in replay files
    struct fum_shape shape; // of one sample in memory; rank 0: one number
    enum fum_train_layout layout;
};

// Returns a value of the micro-batch, [batch, shape]. A replayed run reads it from the file.
// `images` are the data's pictures in the recipe's range, `labels` their classes, i32 [batch],
// which are less than `limit`.
fum_tensor *fum_train_images(struct fum_micro_batch *m, const struct fum_train_value *value);
fum_tensor *fum_train_labels(struct fum_micro_batch *m, int limit);
// Draws a value: standard normal, one number above `low` and up to `high`, or a whole number of 0
// to limit - 1 (i32).
fum_tensor *fum_train_normal(struct fum_micro_batch *m, const struct fum_train_value *value);
fum_tensor *fum_train_uniform(struct fum_micro_batch *m, const char *name, double low, double high);
fum_tensor *fum_train_integer(struct fum_micro_batch *m, const char *name, int64_t limit);

// Returns the ids of the captions' tokens, i32 [batch, tokens], for the model's first text encoder.
// They are less than `limit`.
fum_tensor *fum_train_tokens(struct fum_micro_batch *m, int tokens, int limit);
// Returns the sizes that SDXL's UNet reads for a picture, f32 [batch, count].
fum_tensor *fum_train_sizes(struct fum_micro_batch *m, int count);
// Fills a value for all samples of an update from the whole numbers of the source, `each` for a
// sample. `out` holds i32 or f32.
typedef void fum_train_derivation(const struct fum_training *training, const int32_t *from,
                                  const struct fum_train_rows *rows, void *out);
struct fum_train_rows {
    size_t count; // samples of an update
    size_t each;  // whole numbers of a sample
};
// Adds a value that the host computes from another one, "ids".
struct fum_train_derived {
    struct fum_train_value value;
    enum fum_dtype dtype; // i32 or f32
    const char *from;
    fum_train_derivation *derive;
};
fum_tensor *fum_train_derive(struct fum_micro_batch *m, const struct fum_train_derived *derived);
// True if the run is replayed from a file that has this tensor.
bool fum_train_replays(const struct fum_training *training, const char *name);

// Reports a term of the loss, one number, unweighted, under a name of the log. Returns `value`.
fum_tensor *fum_train_term(struct fum_micro_batch *m, const char *name, fum_tensor *value);
// Does the same for a value that fum_train_sum has made one of all ranks' samples.
fum_tensor *fum_train_whole_term(struct fum_micro_batch *m, const char *name, fum_tensor *value);

// Returns the value as f32, in which losses are computed.
fum_tensor *fum_train_f32(struct fum_micro_batch *m, fum_tensor *value);
// Adds an op of up to three inputs; those that are NULL are absent.
fum_tensor *fum_train_op(struct fum_micro_batch *m, const char *op, fum_tensor *a, fum_tensor *b,
                         fum_tensor *c);
// Returns the sum over everything but the batch, averaged over the batch; and the mean over all.
fum_tensor *fum_train_batch_mean(struct fum_micro_batch *m, fum_tensor *value);
fum_tensor *fum_train_mean(struct fum_micro_batch *m, fum_tensor *value);

// How a parameter begins.
struct fum_initial {
    enum { FUM_INITIAL_UNIFORM, FUM_INITIAL_NORMAL, FUM_INITIAL_CONSTANT } kind;
    double value;     // bound, deviation or the number itself
    const char *like; // another parameter, with whose values it begins; NULL: none
};

struct fum_recipe {
    const char *name;
    const char *summary; // one line for --help
    size_t config_size;
    // Reads the recipe's own settings into training->config, and checks them against the data.
    enum fum_result (*configure)(struct fum_training *training, struct fum_error *err);
    // Does what comes before the step is built, in the run's folder. NULL: nothing.
    enum fum_result (*prepare)(struct fum_training *training, struct fum_error *err);
    // Adds the network and the loss of one micro-batch. Returns the loss, one number.
    fum_tensor *(*add_loss)(struct fum_micro_batch *m);
    // True if the optimiser leaves a trained parameter to `update`. NULL: none.
    bool (*excludes)(const struct fum_training *training, const char *name);
    // Adds an update of a parameter after the optimiser's, whose result is `updated`; that is
    // `param` itself if it has none. The updates of a step are skipped where `factor` is 0. Returns
    // the last result. NULL: none.
    fum_tensor *(*update)(struct fum_training *training, fum_tensor *param, fum_tensor *updated,
                          fum_tensor *factor);
    // Changes how a parameter begins from PyTorch's default of its layer, or from 0 for one of the
    // optimiser ("optimiser.first.NAME"). NULL: never.
    void (*initialise)(const struct fum_training *training, const char *name,
                       struct fum_initial *initial);
    // Writes the model's files into the folder `dir`.
    enum fum_result (*save)(struct fum_training *training, const char *dir, struct fum_error *err);
    // Opens the model that draws samples with what is saved in `dir`. NULL: the folder holds it.
    enum fum_result (*open_drawn)(struct fum_training *training, fum_model **model, const char *dir,
                                  struct fum_error *err);
    // Returns the recipe's cumulative products of alphas, one for each timestep. NULL: it has no
    // noise schedule.
    const double *(*alphas)(const struct fum_training *training, int *count);
    // True if the parameter is trained. False: its values are the model's. NULL: all are.
    bool (*trains)(const struct fum_training *training, const char *name);
    // Finds the first values of a parameter. False: they are drawn. NULL: all are.
    bool (*find_initial)(struct fum_training *training, const char *name, struct fum_view *view);
    // Adds to the result of a linear layer, as fum_graph_adapt has it. NULL: nothing.
    fum_tensor *(*adapt)(struct fum_training *training, const struct fum_graph_layer *layer);
    // True if a tensor of the file of first weights is no parameter, but belongs there.
    bool (*ignores)(const char *name);
    bool images_signed; // pictures are in -1..1, not 0..1
    bool draws_none;    // no pictures come from the model, so that a run has no samples
    bool takes_model;   // -m
    bool takes_prior;   // --prior
    bool has_stages;    // --stage
};

extern const struct fum_recipe *const fum_recipes[]; // ends with NULL
const struct fum_recipe *fum_recipe_find(const char *name);
// Returns the text of recipes/NAME.ini, which the build puts into the library.
const char *fum_recipe_text(const char *name);

#endif
