// SPDX-License-Identifier: MIT
// A training's insides: settings, the recorded step, and what it leaves in its folder.
//
// An update is one run of the recorded stage FUM_STAGE_STEP (see ranks.c for several ranks). It
// holds all micro-batches forward and back, the norm of the gradient, the optimiser and the moving
// average. What changes from step to step comes in through inputs, the batch, or is a state that
// the step itself moves on.
#ifndef FUM_TRAIN_TRAINING_H
#define FUM_TRAIN_TRAINING_H

#include "base/alloc.h"
#include "data/feed.h"
#include "exec/executable.h"
#include "io/loader.h"
#include "io/safetensors.h"
#include "model/model.h"
#include "train/history.h"
#include "train/recipe.h"
#include "weights/parameters.h"
#include "weights/store.h"

#include <cjson/cJSON.h>

enum { FUM_TRAIN_PATH = 4096, FUM_TRAIN_NAME = 256 };
enum { FUM_TRAIN_MAX_TERMS = 24, FUM_TRAIN_MAX_SOURCES = 24, FUM_TRAIN_SHOWN_SAMPLES = 8 };

enum fum_optimiser { FUM_OPTIMISER_ADAMW = 0, FUM_OPTIMISER_ADAM, FUM_OPTIMISER_SGD };
enum fum_lr_schedule { FUM_LR_CONSTANT = 0, FUM_LR_LINEAR, FUM_LR_COSINE };

// [train]
struct fum_train_options {
    int64_t steps;
    int batch, accumulate;
    double lr;
    enum fum_optimiser optimiser;
    double beta1, beta2, eps, weight_decay, momentum;
    enum fum_lr_schedule lr_schedule;
    int64_t warmup;
    double clip, ema;
    enum fum_dtype precision;
    bool checkpointing;
    uint64_t seed;
    int64_t log_every, save_every, sample_every;
    int keep; // older checkpoints kept beside the newest one
};

// Where an input's values come from at each step.
enum fum_train_origin {
    FUM_TRAIN_IMAGES,
    FUM_TRAIN_LABELS,
    FUM_TRAIN_TOKENS, // of the captions
    FUM_TRAIN_SIZES,  // of the pictures before they were cut, as SDXL takes them
    FUM_TRAIN_DRAWN,
    FUM_TRAIN_DERIVED, // computed from the values of another source
};

struct fum_train_source {
    struct fum_train_value value;
    enum fum_train_origin origin;
    enum fum_dtype dtype;
    int64_t limit;                          // whole numbers are less than this
    fum_tensor *all;                        // of all micro-batches: [accumulate · batch, shape]
    const struct fum_loader_tensor *replay; // its tensor of the replay file, or NULL
    int from;                               // of a derived one: the index of its source
    fum_train_derivation *derive;
};

struct fum_train_term {
    const char *name;
    fum_tensor *sum; // over the micro-batches so far
    bool whole;      // of all ranks' samples already
};

// What a step's states hold when a run starts or is saved.
struct fum_train_counters {
    int32_t updates;
    float loss_scale;
    int32_t scale_steps;
};

// A grid of pictures that the report shows.
struct fum_train_samples {
    char *path, *title;
};
// The newest grids, oldest first.
struct fum_train_gallery {
    struct fum_train_samples grids[FUM_TRAIN_SHOWN_SAMPLES];
    int count;
};

// A step that is recorded for pictures of one size.
struct fum_train_recording {
    int width, height;
    fum_graph *graph; // NULL: not built yet
    fum_executable *executable;
    struct fum_train_source sources[FUM_TRAIN_MAX_SOURCES];
    int num_sources;
    struct fum_train_term terms[FUM_TRAIN_MAX_TERMS]; // terms[0] is the loss
    int num_terms;
    fum_tensor **network; // its parameters; those that the optimiser trains come first
    int num_network, num_trained;
    fum_tensor *report;        // loss, terms, learning rate, gradient norm
    fum_tensor *gradient_norm; // one number
    fum_tensor *row;           // of the optimiser: the learning rate comes first
    // States of the step: the updates done, and with f16 the scale of the loss and the steps since
    // it changed (else NULL).
    fum_tensor *updates, *loss_scale, *scale_steps;
    fum_tensor *key; // state of the draws; NULL: nothing is drawn
    void *buffer;    // of one input's values
    // Values that are summed over the ranks: this rank's own, and the input of the sum. None for a
    // rank alone.
    struct fum_handover_item *sums;
    size_t sum_capacity;
    int num_sums, num_groups;
    size_t most_summed; // values of the largest group
};

struct fum_training {
    fum_arena *arena;
    const struct fum_recipe *recipe;
    struct fum_training_params params; // texts belong to the arena
    struct fum_settings settings;
    struct fum_train_options options;
    void *config;                         // the recipe's own
    int width, height, channels, classes; // of the pictures and labels
    struct fum_data_part part;            // samples of a micro-batch that this rank has
    int rows;                             // those with the samples of a prior
    double caption_drop;                  // share of the captions that become empty
    const char *trigger;                  // word that every caption holds; NULL: none
    const char *failure;                  // that ended the run, for the report; NULL: none
    bool lacks_trigger;                   // a caption without it was reported
    bool lacks_caption;                   // a picture without any was reported
    const char *dir;                      // of the results
    const char *log_path, *report_path;   // of its files

    fum_device *device;
    fum_loader *replay;            // file, or NULL
    fum_loader *initial, *resumed; // files of the first weights, or NULL; closed once they are read
    fum_data *data;                // NULL: replayed
    fum_data_feed *batches;        // of the data, read ahead
    struct fum_train_prior *prior; // DreamBooth's second data set, or NULL
    fum_model *model;              // that the training begins with, or NULL
    fum_weights *weights;          // of the model, frozen
    fum_parameters *parameters;
    struct fum_train_recording *recordings; // one for each size of the data's buckets
    int num_recordings;
    struct fum_train_recording *now; // that of the next step, whose size `width` and `height` are

    struct fum_train_counters counters;

    int64_t step;  // updates done
    int64_t saved; // those that the checkpoint has
    bool stopped;  // the caller ended the run

    struct fum_training_ranks ranks;    // count 1: alone
    bool wants_end, ends;               // this rank's caller, or that of any, ends the run
    double sum_seconds, hidden_seconds; // of sums over the ranks, and of those beside a step

    struct fum_history *history;            // loss, terms, rate, norm and speed of the steps
    const char *series[FUM_HISTORY_SERIES]; // their names
    double reported;                        // when report.html was last written
    // Grids of drawn pictures, and of the data's pictures above their reconstructions.
    struct fum_train_gallery drawn, reconstructed;
};

// Reads [train] from the settings.
enum fum_result fum_train_read_options(struct fum_training *training, struct fum_error *err);

// True for the rank that writes all files, and if there are several ranks.
bool fum_train_is_first(const struct fum_training *training);
bool fum_train_is_ranked(const struct fum_training *training);
// Chooses this rank's part of every micro-batch.
enum fum_result fum_train_divide_batch(struct fum_training *training, struct fum_error *err);
// Returns the samples of all ranks' micro-batches, with those of a prior.
int fum_train_whole_rows(const struct fum_training *training);
// Returns the share of a batch's samples that this rank has. The sum of means with these factors is
// the mean of the whole batch.
double fum_train_share_of_batch(const struct fum_training *training);
// Returns a value's sum over the ranks, as the update reads it. It is `value` itself for a rank
// alone.
fum_tensor *fum_train_sum(struct fum_training *training, fum_tensor *value);
// Divides the values of the built graph that are summed into groups, as they leave the device.
struct fum_handover fum_train_group_sums(struct fum_training *training);
// Computes the gradients of a step, and sums them over the ranks as they are ready.
enum fum_result fum_train_run_gradients(struct fum_training *training, struct fum_error *err);
// Logs how long sums took, and how much of that the device did not wait for.
void fum_train_log_exchange(const struct fum_training *training);
// Waits until all ranks have come here.
enum fum_result fum_train_meet(struct fum_training *training, struct fum_error *err);
// Checks that all ranks have the same step and settings.
enum fum_result fum_train_compare_ranks(struct fum_training *training, struct fum_error *err);

// Opens the replay file, checks that it has enough steps, and takes the pictures' size from it.
enum fum_result fum_train_open_replay(struct fum_training *training, struct fum_error *err);
// Checks a source's tensor in the replay file.
enum fum_result fum_train_check_replay(const struct fum_training *training,
                                       struct fum_train_source *source, struct fum_error *err);

// Opens the data set of [data], and takes the pictures' size and the classes from it.
enum fum_result fum_train_open_data(struct fum_training *training, struct fum_error *err);
// Starts to read batches ahead from the current step on.
enum fum_result fum_train_start_data(struct fum_training *training, struct fum_error *err);
// Returns the caption of a sample: its own, or the setting's where it has none or lacks the trigger
// word.
const char *fum_train_caption(struct fum_training *training, const struct fum_data_sample *sample);
// Fills the token ids of a batch's captions, for the model's first text encoder.
enum fum_result fum_train_encode_captions(struct fum_training *training,
                                          const struct fum_data_batch *batch, int32_t *ids,
                                          struct fum_error *err);
// Fills `each` numbers for the size of every picture, as SDXL reads them. They are the height and
// width before the cut, the cut's corner, and the result's sides. `batch` NULL: nothing was cut.
void fum_train_describe_sizes(const struct fum_training *training,
                              const struct fum_data_batch *batch, int each, float *sizes);

// Opens the model that the training begins with.
enum fum_result fum_train_open_model(struct fum_training *training, const char *path,
                                     struct fum_error *err);
// Finds tensors of the model by names that begin with the component's, "unet.conv_in.weight".
struct fum_weight_source fum_train_model_source(struct fum_training *training);
// Finds a tensor in a file of weights. A text encoder's names may lack "text_model." there, or have
// it, and an adapter's may be those that saved files have. Returns NULL if there is none.
const struct fum_loader_tensor *fum_train_find_spelled(const fum_loader *loader, const char *name);

// Opens the data set of [prior], and draws the pictures that are missing there.
enum fum_result fum_train_open_prior(struct fum_training *training, struct fum_error *err);
void fum_train_close_prior(struct fum_training *training);
// Makes of a batch of instances one that has the prior's samples after those of each micro-batch.
enum fum_result fum_train_add_prior(struct fum_training *training,
                                    const struct fum_data_batch **batch, struct fum_error *err);

// Makes the recordings for the sizes of the data, and chooses that of the first step.
enum fum_result fum_train_list_sizes(struct fum_training *training, struct fum_error *err);
void fum_train_free_recordings(struct fum_training *training);
// True if all sides of pictures are multiples of a number.
bool fum_train_sides_fit(const struct fum_training *training, int multiple);
// Chooses the recording for pictures of this size, and compiles it if that is not done yet.
enum fum_result fum_train_choose_size(struct fum_training *training, int width, int height,
                                      struct fum_error *err);
// Builds the graph of one update and compiles it with initial, given or resumed weights. The
// parameters are those of the recordings before.
enum fum_result fum_train_compile(struct fum_training *training, struct fum_error *err);
// Builds the graph of one update and plans it.
enum fum_result fum_train_plan(struct fum_training *training, struct fum_training_size *size,
                               struct fum_error *err);
// Plans the steps of all sizes, and keeps the numbers of the one that needs most.
enum fum_result fum_train_plan_largest(struct fum_training *training,
                                       struct fum_training_size *size, struct fum_error *err);
// Adds optimiser and moving average of every trained parameter.
void fum_train_add_updates(struct fum_training *training, fum_tensor *const *grads);
// Adds the states of a dynamic loss scale, if the precision needs one.
void fum_train_add_loss_scale(struct fum_training *training);
// Copies the counters to the step's states, and back.
enum fum_result fum_train_write_counters(struct fum_training *training, struct fum_error *err);
enum fum_result fum_train_read_counters(struct fum_training *training, struct fum_error *err);
// Writes the inputs of the next update.
enum fum_result fum_train_feed(struct fum_training *training, struct fum_error *err);

// Gives every parameter of the graph its first value.
enum fum_result fum_train_create_parameters(struct fum_training *training, struct fum_error *err);

// Writes checkpoint/state.safetensors.
enum fum_result fum_train_save_checkpoint(struct fum_training *training, struct fum_error *err);
// Opens the checkpoint of params.resume and takes its settings and step.
enum fum_result fum_train_open_checkpoint(struct fum_training *training, struct fum_error *err);

// Writes the network's parameters whose names begin with `prefix`, without it, to a file: the
// moving average if the run has one.
enum fum_result fum_train_save_weights(struct fum_training *training, const char *path,
                                       const char *prefix, struct fum_error *err);
// Writes such parameters with other tensors and texts. `more` and `texts` may be NULL.
struct fum_train_file {
    const char *path, *prefix;
    bool whole_names; // the prefix stays before the names
    // Returns the name in the file, which may lie in `text`. NULL: names stay.
    const char *(*rename)(const char *name, char text[FUM_TRAIN_NAME]);
    const struct fum_safetensors_tensor *more;
    size_t num_more;
    const struct fum_safetensors_text *texts;
    size_t num_texts;
};
enum fum_result fum_train_save_file(struct fum_training *training,
                                    const struct fum_train_file *file, struct fum_error *err);
// Copies the files of a component's folder, with or without its weights. Folders in it are left
// out.
enum fum_result fum_train_copy_folder(struct fum_training *training, const char *from,
                                      const char *to, bool weights, struct fum_error *err);
// True if the model is a folder, so that one like it can be saved.
bool fum_train_can_save_pipeline(const struct fum_training *training);
// Writes the model's folder with the trained parameters in place of its own weights.
enum fum_result fum_train_save_pipeline(struct fum_training *training, const char *dir,
                                        struct fum_error *err);
// Writes a JSON file. Takes `json`, which may be NULL when memory is out.
enum fum_result fum_train_save_json(const char *path, cJSON *json, struct fum_error *err);

// Appends a line to log.jsonl.
enum fum_result fum_train_log(const struct fum_training *training,
                              const struct fum_training_step *step, struct fum_error *err);
// Creates the history of a run, with the lines of the log so far.
enum fum_result fum_train_open_history(struct fum_training *training, struct fum_error *err);
// Adds a step's numbers to the history.
void fum_train_remember(struct fum_training *training, const struct fum_training_step *step);
// Writes report.html.
enum fum_result fum_train_write_report(const struct fum_training *training, struct fum_error *err);
// Lists the grids that an interrupted run left in samples/.
void fum_train_list_samples(struct fum_training *training);
// Draws pictures with the saved model into samples/ and lists the grids for the report. A failure
// is a warning, since the training itself is well.
void fum_train_draw_samples(struct fum_training *training);
// Removes the log's lines after the current step, which an interrupted run may have left.
enum fum_result fum_train_trim_log(const struct fum_training *training, struct fum_error *err);

#endif
