// SPDX-License-Identifier: MIT
#include "pipeline/step_cache.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/text.h"
#include "pipeline/pipeline.h"

#include <math.h>
#include <string.h>

static const struct fum_step_cache *const caches[] = {&fum_cache_deep, &fum_cache_easy,
                                                      &fum_cache_u};

#define USUAL_START 0.15
#define USUAL_END   0.95

const char *fum_step_cache_name(size_t index) {
    if (index == 0) return "none";
    return index <= FUM_COUNT(caches) ? caches[index - 1]->name : NULL;
}

// Checks the settings of caches that decide by a threshold.
static enum fum_result check_threshold(const struct fum_step_cache *kind,
                                       struct fum_cache_params *p, struct fum_error *err) {
    if (p->threshold == 0) p->threshold = kind->threshold;
    if (p->start == 0) p->start = USUAL_START;
    if (p->end == 0) p->end = USUAL_END;
    if (!(p->threshold > 0 && isfinite(p->threshold)))
        return fum_error_set(err, FUM_ERR_ARG, "the cache's threshold %g is not above 0",
                             p->threshold);
    if (p->start < 0) p->start = 0;
    if (p->start < p->end && p->end <= 1) return FUM_OK;
    return fum_error_set(err, FUM_ERR_ARG,
                         "the cache works from %g to %g of the steps, which is not within 0 and 1",
                         p->start, p->end);
}

enum fum_result fum_step_cache_choose(const fum_pipeline *pipe,
                                      const struct fum_generate_params *request,
                                      struct fum_cache_choice *choice, struct fum_error *err) {
    const char *mode = request->cache.mode;
    *choice = (struct fum_cache_choice){.params = request->cache};
    if (!mode || !strcmp(mode, "none")) return FUM_OK;
    for (size_t i = 0; i < FUM_COUNT(caches); i++)
        if (!strcmp(caches[i]->name, mode)) choice->kind = caches[i];
    if (!choice->kind)
        return fum_error_set(err, FUM_ERR_ARG, "there is no step cache \"%s\"",
                             fum_text_show(mode).text);
    if (choice->kind->threshold > 0) return check_threshold(choice->kind, &choice->params, err);
    return choice->kind->check(pipe, &choice->params, err);
}

enum fum_result fum_step_cache_check(const struct fum_run *run, struct fum_error *err) {
    const struct fum_step_cache *kind = run->changes.cache.kind;
    if (!kind || !run->program->adaptive) return FUM_OK;
    return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                         "sampler %s chooses its own steps, which the step cache %s cannot shorten",
                         run->program->sampler, kind->name);
}

bool fum_step_cache_same(const struct fum_cache_choice *a, const struct fum_cache_choice *b) {
    if (a->kind != b->kind) return false;
    return !a->kind || !a->kind->same || a->kind->same(&a->params, &b->params);
}

// ---- the recorded step ----

void fum_step_cache_add(fum_graph *graph, const struct fum_unet_config *config,
                        struct fum_denoiser *d) {
    const struct fum_step_cache *kind = d->changes.cache.kind;
    if (!kind || fum_graph_check(graph, NULL)) return;
    fum_tensor *from = kind->find(graph, config, d);
    if (!from) {
        fum_graph_fail(graph, FUM_ERR_UNSUPPORTED, "the step cache %s is not of such a network",
                       kind->name);
        return;
    }
    fum_tensor *kept = kind->keep ? kind->keep(graph, from) : from;
    if (!kept) return;
    d->cache = fum_graph_state(graph, "cache", kept->desc.shape, kept->desc.dtype, FUM_STAGE_STEP);
    if (!d->cache || !fum_graph_add(graph, "assign", NULL, FUM_INPUTS(d->cache, kept), NULL))
        return;
    fum_tensor *to = kind->restore ? kind->restore(graph, from, d->cache) : d->cache;
    if (to) fum_graph_shorten(graph, &(struct fum_shortcut){from, to, d->cache});
}

// ---- the track ----

void fum_cache_track_free(struct fum_cache_track *t) {
    fum_free(t->state);
    fum_free(t->input);
    fum_free(t->output);
    *t = (struct fum_cache_track){0};
}

// Returns the mean of |a - b|; b NULL: of |a|.
static double mean_difference(const float *a, const float *b, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += fabs((double)a[i] - (b ? (double)b[i] : 0));
    return count ? sum / (double)count : 0;
}

// Reads the input of an evaluation into the track's room.
static enum fum_result read_input(fum_pipeline *pipe, int eval, struct fum_error *err) {
    const struct fum_denoiser *d = &pipe->denoiser;
    struct fum_cache_track *t = &pipe->cache_track;
    size_t rows = (size_t)d->batch * (size_t)d->height * (size_t)d->width;
    float scale = (float)t->program->eval[eval].c_in;
    enum fum_result result =
        fum_executable_read_rows(pipe->unet->compiled.exe, d->state, rows, t->state, err);
    for (size_t i = 0; i < t->count && !result; i++) t->state[i] *= scale;
    t->input_change = t->has_input ? mean_difference(t->state, t->input, t->count) : 0;
    return result;
}

// Notes what a whole evaluation gave with the prompt, whose copy of the pictures is the last.
static void note_output(struct fum_cache_track *t, const float *added) {
    const double kept = 0.8;
    for (size_t i = 0; i < t->count; i++) t->input[i] = t->state[i] + added[i]; // the new output
    double change = t->has_input ? mean_difference(t->input, t->output, t->count) : 0;
    if (change > 0 && isfinite(change))
        t->output_change =
            t->output_change > 0 ? kept * t->output_change + (1 - kept) * change : change;
    if (change > 0 && t->input_change > 0) t->rate = change / t->input_change;
    memcpy(t->output, t->input, t->count * sizeof *t->output);
    memcpy(t->input, t->state, t->count * sizeof *t->input);
    t->size = mean_difference(t->output, NULL, t->count);
    t->has_input = true;
    t->whole++;
    t->short_steps = 0;
}

// Reads the cache after a whole evaluation.
static enum fum_result read_output(fum_pipeline *pipe, struct fum_error *err) {
    const fum_tensor *cache = pipe->denoiser.cache;
    struct fum_cache_track *t = &pipe->cache_track;
    size_t all = (size_t)fum_shape_count(&cache->desc.shape);
    float *added = fum_alloc(all, sizeof *added);
    if (!added) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for the step cache");
    enum fum_result result = fum_executable_read(pipe->unet->compiled.exe, cache, added, all, err);
    if (!result) note_output(t, added + all - t->count);
    fum_free(added);
    return result;
}

static enum fum_result make_track(fum_pipeline *pipe, const struct fum_run *run,
                                  struct fum_error *err) {
    const struct fum_denoiser *d = &pipe->denoiser;
    struct fum_cache_track *t = &pipe->cache_track;
    fum_cache_track_free(t);
    t->program = run->program;
    t->count =
        (size_t)d->batch * (size_t)d->height * (size_t)d->width * (size_t)run->latent_channels;
    t->state = fum_alloc(t->count, sizeof *t->state);
    t->input = fum_alloc(t->count, sizeof *t->input);
    t->output = fum_alloc(t->count, sizeof *t->output);
    if (t->state && t->input && t->output) return FUM_OK;
    return fum_error_set(err, FUM_ERR_NOMEM, "no memory for the step cache");
}

// ---- running ----

enum fum_result fum_step_cache_reset(fum_pipeline *pipe, const struct fum_run *run,
                                     struct fum_error *err) {
    const fum_tensor *cache = pipe->denoiser.cache;
    pipe->cache_stage = FUM_STAGE_STEP;
    if (!cache) return FUM_OK;
    enum fum_result result = make_track(pipe, run, err);
    if (result) return result;
    size_t count = (size_t)fum_shape_count(&cache->desc.shape);
    float *zeros = fum_calloc(count, sizeof *zeros);
    if (!zeros) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for the step cache");
    result = fum_executable_write(pipe->unet->compiled.exe, cache, zeros, count, err);
    fum_free(zeros);
    return result;
}

// True if a cache that decides may do so at this evaluation.
static bool is_active(const struct fum_pipeline *pipe, int eval) {
    const struct fum_cache_choice *cache = &pipe->denoiser.changes.cache;
    int evals = pipe->denoiser.evals;
    return cache->kind && cache->kind->decides && eval >= (int)(cache->params.start * evals) &&
           eval < (int)(cache->params.end * evals);
}

// Decides whether an evaluation is short.
static enum fum_result choose_stage(fum_pipeline *pipe, int eval, struct fum_error *err) {
    const struct fum_cache_choice *cache = &pipe->denoiser.changes.cache;
    bool is_short = eval > 0 && cache->kind && cache->kind->is_short &&
                    cache->kind->is_short(&cache->params, eval);
    enum fum_result result = FUM_OK;
    if (is_active(pipe, eval)) {
        result = read_input(pipe, eval, err);
        is_short = !result && cache->kind->decides(&cache->params, &pipe->cache_track);
        if (is_short) pipe->cache_track.short_steps++;
    }
    pipe->cache_stage = is_short ? FUM_STAGE_SHORT : FUM_STAGE_STEP;
    return result;
}

// Logs how many evaluations of a batch were whole.
static void report(const fum_pipeline *pipe) {
    const struct fum_step_cache *kind = pipe->denoiser.changes.cache.kind;
    if (kind)
        fum_log(pipe->params.log, FUM_LOG_INFO,
                "step cache %s: %d of %d evaluations of the UNet were whole", kind->name,
                pipe->cache_track.evaluated, pipe->denoiser.evals);
}

enum fum_stage fum_step_cache_stage(const fum_pipeline *pipe) {
    return pipe->cache_stage;
}

enum fum_result fum_step_cache_run(fum_pipeline *pipe, int eval,
                                   const struct fum_progress *progress, struct fum_error *err) {
    fum_executable *exe = pipe->unet->compiled.exe;
    enum fum_result result = choose_stage(pipe, eval, err);
    if (result) return result;
    enum fum_stage stage = pipe->cache_stage;
    if (progress)
        result = fum_executable_run_reported(exe, stage, progress, err);
    else
        result = fum_executable_run(exe, stage, err);
    if (!result && stage == FUM_STAGE_STEP && is_active(pipe, eval))
        result = read_output(pipe, err);
    pipe->cache_track.evaluated += stage == FUM_STAGE_STEP;
    if (!result && eval + 1 == pipe->denoiser.evals) report(pipe);
    return result;
}
