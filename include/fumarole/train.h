// SPDX-License-Identifier: MIT
// Trains the models of the diffusion textbooks on the device. A recipe with its settings becomes a
// recorded step, which is replayed until the run is done.
#ifndef FUMAROLE_TRAIN_H
#define FUMAROLE_TRAIN_H

#include <fumarole/core.h>
#include <fumarole/device.h>

#ifdef __cplusplus
extern "C" {
#endif

// Returns the index-th recipe's name ("vae", "ddpm", …), or NULL past the last.
FUM_API const char *fum_recipe_name(size_t index);
// Returns one line about a recipe, or NULL if there is none of that name.
FUM_API const char *fum_recipe_summary(const char *name);
// Returns the text of the recipe's INI file, which has every setting with its default, or NULL if
// there is none of that name.
FUM_API const char *fum_recipe_defaults(const char *name);

// A training run. One thread at a time.
typedef struct fum_training fum_training;

// One update that is done. Numbers are those of the batch before the update.
struct fum_training_step {
    int64_t step, steps; // of the run, from 1
    double loss;
    int num_terms; // parts of the loss, unweighted
    const char *const *terms;
    const double *values;
    double lr;
    double gradient_norm; // before clipping
    double seconds;       // of this step
    double samples_per_second;
};

struct fum_training_params {
    const char *recipe;
    const char *output;      // folder of the results; NULL: the recipe's name in the current folder
    const char *model;       // folder or file of the model to begin with; NULL: none
    const char *program_dir; // of the running program, to find shipped models; NULL: unknown
    const char *stage;       // part to train, "vae" or "unet"; NULL: the recipe's choice
    // Folder of the VQ-VAE whose latents are trained on; it gets the result as its prior. NULL:
    // none.
    const char *prior;
    const char *data;            // stands for the setting data.path; NULL: as set
    const char *config;          // INI file over the recipe's defaults; NULL: none
    const char *const *settings; // "SECTION.KEY=VALUE", over the file
    size_t num_settings;
    const char *resume; // folder of an interrupted run, which goes on there; NULL: a new run
    const char *init;   // safetensors file with the weights of step 0; NULL: drawn by the seed
    const char *replay; // safetensors file with everything that would be drawn; NULL: none
    const struct fum_log *log; // kept; may be NULL
    // Reports every step. Returning false saves the run and ends it. May be NULL.
    bool (*on_step)(void *user, const struct fum_training_step *step);
    // Reports the progress of compiling, as in struct fum_pipeline_params. May be NULL.
    bool (*on_compile)(void *user, int done, int total);
    void *user;
};

// Checks all settings and files and compiles the step. `params` and its texts are copied. The
// device must outlive the training. Errors: FUM_ERR_ARG (a setting), FUM_ERR_IO and FUM_ERR_FORMAT
// (a file), FUM_ERR_UNSUPPORTED (the device cannot run it), FUM_ERR_NOMEM, FUM_ERR_CANCELLED.
FUM_API enum fum_result fum_training_create(fum_training **training, fum_device *device,
                                            const struct fum_training_params *params,
                                            struct fum_error *err);
FUM_API void fum_training_destroy(fum_training **training);

// The processes that train together. Each computes its part of every batch on its own device, and
// all make the same update. The losses are those of one process with the whole batch, within
// rounding.
struct fum_training_ranks {
    int index, count; // of this process, from 0
    // Adds up the values of all ranks, which call it with equal counts in the same order. All must
    // get the same bits. False: a rank is gone, which ends the run.
    bool (*sum)(void *user, float *values, size_t count);
    void *user;
};
// Does the same as fum_training_create, for one of several ranks. Rank 0 alone writes files.
// train.batch is the batch of all ranks together. A run that on_step ends in any rank ends in all,
// a step later. `ranks` is copied; NULL: this process trains alone.
FUM_API enum fum_result fum_training_create_ranked(fum_training **training, fum_device *device,
                                                   const struct fum_training_params *params,
                                                   const struct fum_training_ranks *ranks,
                                                   struct fum_error *err);

// Device memory that a training takes, in bytes.
struct fum_training_size {
    uint64_t activations; // values and gradients of a step, as far as they live at once
    uint64_t weights;     // that no update changes, with constants
    uint64_t parameters;  // that updates change, with the optimiser's numbers for each
};
// Checks all settings and files, and plans the step: that of the largest pictures, if they have
// several sizes. Nothing runs and nothing is written, so that the device may be a planning-only
// one. Errors are those of fum_training_create.
FUM_API enum fum_result fum_training_measure(struct fum_training_size *size, fum_device *device,
                                             const struct fum_training_params *params,
                                             struct fum_error *err);

// Trains to the last step, and saves the checkpoint and the model on the way and at the end.
// FUM_ERR_CANCELLED: on_step ended it, and everything is saved. A loss that is no number ends the
// run too. The error then names the first tensor with such a value, and the last checkpoint stays.
FUM_API enum fum_result fum_training_run(fum_training *training, struct fum_error *err);
// Returns the folder of the results.
FUM_API const char *fum_training_folder(const fum_training *training);

#ifdef __cplusplus
}
#endif

#endif
