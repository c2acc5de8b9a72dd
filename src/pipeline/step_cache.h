// SPDX-License-Identifier: MIT
// Declares step caches: ways to spare evaluations of the UNet, whose short steps take a value from
// an earlier step. Each is a record.
#ifndef FUM_PIPELINE_STEP_CACHE_H
#define FUM_PIPELINE_STEP_CACHE_H

#include <fumarole/pipeline.h>

#include "graph/shorten.h"
#include "model/unet_config.h"

struct fum_run;
struct fum_denoiser;
struct fum_sample_program;

// What a batch's evaluations did so far, for caches that decide by it. Changes and sizes are means
// of absolute values.
struct fum_cache_track {
    const struct fum_sample_program *program;
    int evaluated;          // evaluations that were whole
    size_t count;           // numbers of one input of the model
    float *state;           // room for them
    float *input, *output;  // of the last evaluation that was whole and active
    bool has_input;         // these are set
    double input_change;    // from there to this evaluation's input; 0: unknown
    double size;            // of the last output
    double rate;            // its change for each of the input's; 0: unknown
    double output_change;   // of all whole evaluations, weighed towards the last; 0: unknown
    double error;           // estimated since the last whole evaluation
    int whole, short_steps; // active ones: whole so far; short since the last whole one
};

struct fum_step_cache {
    const char *name;
    double threshold; // usual one; 0: the cache has none
    // Checks the settings, and fills in those that are 0. NULL: there are none of its own.
    enum fum_result (*check)(const fum_pipeline *pipe, struct fum_cache_params *params,
                             struct fum_error *err);
    // True if the settings build the same step. NULL: all do.
    bool (*same)(const struct fum_cache_params *a, const struct fum_cache_params *b);
    // Finds the node that short steps lack, in the graph of a whole step. NULL: there is none.
    fum_tensor *(*find)(fum_graph *graph, const struct fum_unet_config *config,
                        const struct fum_denoiser *d);
    // Adds what the cache keeps of that node, and its value as a short step has it. Both NULL: the
    // cache keeps the value itself.
    fum_tensor *(*keep)(fum_graph *graph, fum_tensor *from);
    fum_tensor *(*restore)(fum_graph *graph, fum_tensor *from, fum_tensor *cache);
    // True if an evaluation may be short, by its place in the run; the first one never is.
    bool (*is_short)(const struct fum_cache_params *params, int eval);
    // Decides by the track in place of is_short, and updates it.
    bool (*decides)(const struct fum_cache_params *params, struct fum_cache_track *track);
};

// The records.
extern const struct fum_step_cache fum_cache_deep, fum_cache_easy, fum_cache_u;

// What a request chose.
struct fum_cache_choice {
    const struct fum_step_cache *kind; // NULL: no cache
    struct fum_cache_params params;
};

enum fum_result fum_step_cache_choose(const fum_pipeline *pipe,
                                      const struct fum_generate_params *request,
                                      struct fum_cache_choice *choice, struct fum_error *err);
// Checks that the sampler's program can have short steps.
enum fum_result fum_step_cache_check(const struct fum_run *run, struct fum_error *err);
bool fum_step_cache_same(const struct fum_cache_choice *a, const struct fum_cache_choice *b);
// Adds the short step to the graph of the denoiser, which is complete but for it.
void fum_step_cache_add(fum_graph *graph, const struct fum_unet_config *config,
                        struct fum_denoiser *d);
// Empties the cache before a batch.
enum fum_result fum_step_cache_reset(fum_pipeline *pipe, const struct fum_run *run,
                                     struct fum_error *err);
// Runs evaluation `eval`, whole or short. progress NULL: it is not reported.
enum fum_result fum_step_cache_run(fum_pipeline *pipe, int eval,
                                   const struct fum_progress *progress, struct fum_error *err);
// Returns the stage that evaluation ran as, the last one that was run.
enum fum_stage fum_step_cache_stage(const fum_pipeline *pipe);
void fum_cache_track_free(struct fum_cache_track *track);

#endif
