// SPDX-License-Identifier: MIT
// Runs the loop: one recorded step, replayed for every model evaluation. Between two of them the
// host only waits and counts.
#include "base/error.h"
#include "base/macros.h"
#include "nn/nn.h"
#include "pipeline/compile.h"
#include "pipeline/finite.h"
#include "pipeline/pipeline.h"

#include <math.h>
#include <string.h>

static fum_tensor *add_op(fum_graph *graph, const char *op, struct fum_inputs inputs,
                          const struct fum_attr *attrs) {
    return fum_graph_add(graph, op, op, inputs, attrs);
}

// Adds the noise of the step with a classifier's share, both widened by the model. The share is
// widened twice, since the mean moves by the variance.
static fum_tensor *add_noise(fum_graph *graph, struct fum_denoiser *d, fum_tensor *prediction,
                             fum_tensor *share) {
    struct fum_nn nn;
    fum_nn_init(&nn, graph, "noise");
    int64_t channels = fum_nn_channels(d->state);
    if (!d->learned && !d->guide.mean) return d->noise;
    fum_tensor *noise = fum_variance_noise(graph, d, channels), *factor = NULL;
    if (d->learned) {
        d->spread = d->variance_direct
                        ? NULL
                        : fum_graph_input(graph, "spread", (struct fum_shape){2, {d->evals, 1}},
                                          FUM_F32, FUM_STAGE_RUN);
        factor = fum_variance_factor(graph, d, prediction, channels);
    }
    if (d->guide.mean) {
        if (factor) share = fum_nn_mul(&nn, NULL, share, factor);
        noise = fum_nn_add(&nn, NULL, noise, share);
    }
    return factor ? fum_nn_mul(&nn, NULL, noise, factor) : noise;
}

// Adds the inputs of the tasks. If none of them changes the model's input, what comes before the
// first cross-attention is computed once for all copies. Small pictures would not gain: their
// kernels are bound by how fast a device starts them, and other sizes need other kernels.
static void add_task_inputs(const fum_pipeline *pipe, fum_graph *graph, struct fum_denoiser *d) {
    enum { LEAST_PIXELS = 32 * 32 };
    const struct fum_attr attrs[] = {{"history", d->history}, {0}};
    const fum_tensor *input = d->unet.x;
    fum_tasks_add_inputs(pipe, graph, d);
    if (d->copies < 2 || d->unet.x != input || d->height * d->width < LEAST_PIXELS) return;
    d->unet.one_copy = fum_graph_add(graph, "sampler_input", "one_copy",
                                     FUM_INPUTS(d->state, d->coefs, d->counter), attrs);
}

// Builds the recorded step: model input from the state, the UNet, guidance and the sampler's
// update, the counter.
static enum fum_result build_step(const fum_pipeline *pipe, struct fum_denoiser *d, fum_graph **out,
                                  struct fum_error *err) {
    const struct fum_unet_config *config = &pipe->view->unet;
    int64_t pictures = d->batch, channels = pipe->view->vae.latent_channels;
    enum fum_result result = fum_graph_create(out, pipe->unet->storage, err);
    if (result) return result;
    fum_graph *graph = *out;
    fum_pipeline_choose_types(pipe, graph, pipe->unet->source);
    fum_component_adapt(pipe->unet, graph);
    fum_graph_wrap(graph, fum_seamless_axes(d->changes.seamless));
    struct fum_shape latents = {4, {pictures, d->height, d->width, channels}}, all = latents,
                     noise = latents;
    all.dim[0] *= d->history;
    noise.dim[0] *= d->noise_rows ? d->noise_rows : 1;
    // Noise is written for each batch, after what a run computes from its tables.
    bool reordered = d->learned || d->guide.mean || d->corrects;
    enum fum_stage noise_stage = reordered ? FUM_STAGE_STEP : FUM_STAGE_RUN;
    d->state = fum_graph_state(graph, "latents", all, FUM_F32, FUM_STAGE_STEP);
    d->counter =
        fum_graph_state(graph, "counter", (struct fum_shape){1, {1}}, FUM_I32, FUM_STAGE_STEP);
    d->flag = fum_finite_flag(graph);
    d->coefs =
        fum_graph_input(graph, "coefs", (struct fum_shape){2, {d->evals, (int64_t)d->coef_stride}},
                        FUM_F32, FUM_STAGE_RUN);
    d->noise = d->noise_rows ? fum_graph_input(graph, "noise", noise, FUM_F32, noise_stage) : NULL;

    const struct fum_attr attrs[] = {{"history", d->history}, {"copies", d->copies}, {0}},
                          guided[] = {{"history", d->history}, {"copies", d->guided}, {0}};
    d->unet.counter = d->counter;
    d->unet.freeu = d->changes.has_freeu ? d->changes.freeu : NULL;
    d->unet.x = add_op(graph, "sampler_input", FUM_INPUTS(d->state, d->coefs, d->counter), attrs);
    fum_unet_inputs(graph, config,
                    &(struct fum_unet_sizes){.batch = (int64_t)d->copies * d->batch,
                                             .steps = d->evals,
                                             .tokens = d->tokens,
                                             .contexts = d->contexts,
                                             .pooled = fum_model_pooled(pipe->view)},
                    &d->unet);
    add_task_inputs(pipe, graph, d);
    fum_tensor *prediction = fum_unet_build(graph, config, &d->unet);
    fum_tensor *checked = fum_finite_check(graph, d->flag, prediction);
    prediction = fum_parts_join(graph, d, prediction);
    fum_tensor *share = d->guide.classifier ? fum_guide_add(graph, d) : NULL;
    if (share) fum_finite_check(graph, checked, share);
    fum_tensor *step_noise = add_noise(graph, d, prediction, share);
    prediction = fum_variance_drop(graph, prediction, channels);
    prediction = fum_tasks_merged(graph, d, prediction);
    if (share && !d->guide.mean) prediction = fum_guide_output(graph, d, prediction, share);
    fum_tasks_watch(pipe, graph, d, prediction);
    if (d->corrects) fum_correction_scale(graph, d, &prediction, &step_noise);
    fum_tensor *updated = add_op(graph, "sampler_update",
                                 FUM_INPUTS(d->state, prediction, d->coefs, d->counter, step_noise,
                                            fum_threshold_add(graph, d, prediction)),
                                 guided);
    updated = fum_tasks_updated(graph, d, updated);
    add_op(graph, "counter_next", FUM_INPUTS(d->counter, updated), NULL);
    fum_step_cache_add(graph, config, d);
    return fum_component_check_graph(pipe->unet, graph, err);
}

// ---- what does not depend on the latents ----

// Writes the embedding of a distilled model's guidance, w = guidance - 1 (Luo et al. 2023,
// section 4.2): sines, then cosines. Rounded to f32 where diffusers' get_guidance_scale_embedding
// rounds.
static enum fum_result write_guidance(fum_pipeline *pipe, const struct fum_run *run,
                                      const struct fum_denoiser *d, struct fum_error *err) {
    size_t channels = (size_t)pipe->view->unet.time_cond_channels, half = channels / 2;
    float *row = fum_calloc(channels, sizeof *row);
    if (!row) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for the guidance");
    float w = (run->guidance - 1) * 1000, step = (float)log(10000) / (float)(half - 1);
    for (size_t i = 0; i < half; i++) {
        float angle = w * (float)exp((double)((float)i * -step));
        row[i] = (float)sin((double)angle);
        row[half + i] = (float)cos((double)angle);
    }
    enum fum_result result =
        fum_executable_write(pipe->unet->compiled.exe, d->unet.timestep_cond, row, channels, err);
    fum_free(row);
    return result;
}

// Writes the class, the same for every picture. The branch without a prompt has the empty class if
// the model takes no prompt, the last of its table.
static enum fum_result write_class(fum_pipeline *pipe, const struct fum_run *run,
                                   const struct fum_denoiser *d, struct fum_error *err) {
    int32_t rows[FUM_MAX_COPIES * FUM_MAX_BATCH];
    float times[FUM_MAX_COPIES * FUM_MAX_BATCH];
    size_t batch = (size_t)(d->copies * d->batch);
    bool table = pipe->view->unet.class_embed == FUM_UNET_CLASS_TABLE;
    bool empty = d->copies == 2 && !pipe->view->num_text;
    for (size_t i = 0; i < batch; i++) {
        bool without = empty && i < (size_t)d->batch;
        if (without) rows[i] = pipe->view->unet.class_count - 1;
        if (without) continue;
        rows[i] = table ? (int32_t)run->class_label : 0;
        times[i] = run->class_label;
    }
    if (table)
        return fum_executable_write_i32(pipe->unet->compiled.exe, d->unet.class_labels, rows, batch,
                                        err);
    return fum_executable_write(pipe->unet->compiled.exe, d->unet.class_labels, times, batch, err);
}

static enum fum_result write_tables(fum_pipeline *pipe, const struct fum_run *run,
                                    struct fum_error *err) {
    struct fum_denoiser *d = &pipe->denoiser;
    size_t evals = (size_t)d->evals;
    float *timesteps = fum_calloc(evals, sizeof *timesteps),
          *spread = fum_calloc(evals, sizeof *spread),
          *corrections = fum_calloc(evals, FUM_CORRECTION_ROW * sizeof *corrections),
          *coefs = fum_calloc(evals, d->coef_stride * sizeof *coefs);
    enum fum_result result = FUM_OK;
    if (!timesteps || !coefs || !spread || !corrections) {
        result = fum_error_set(err, FUM_ERR_NOMEM, "no memory for %d steps", d->evals);
    } else {
        for (size_t e = 0; e < evals; e++) {
            timesteps[e] = (float)run->program->eval[e].timestep;
            spread[e] = (float)run->program->eval[e].spread;
            fum_correction_row(&run->program->eval[e], corrections + e * FUM_CORRECTION_ROW);
        }
        fum_sample_coefs(run->program, run->guidance, coefs, d->coef_stride);
        // A model that reads its guidance needs none on the parts of a prompt.
        for (size_t e = 0; e < evals; e++)
            coefs[e * d->coef_stride + FUM_COEF_GUIDANCE] =
                d->unet.timestep_cond ? 1 : fum_guidance_at(run, (int)e);
        result = fum_executable_write(pipe->unet->compiled.exe, d->unet.timesteps, timesteps, evals,
                                      err);
        if (!result)
            result = fum_executable_write(pipe->unet->compiled.exe, d->coefs, coefs,
                                          evals * d->coef_stride, err);
        if (!result && d->spread)
            result = fum_executable_write(pipe->unet->compiled.exe, d->spread, spread, evals, err);
        if (!result && d->corrections)
            result = fum_executable_write(pipe->unet->compiled.exe, d->corrections, corrections,
                                          evals * FUM_CORRECTION_ROW, err);
    }
    fum_free(timesteps);
    fum_free(spread);
    fum_free(corrections);
    fum_free(coefs);
    return result;
}

static struct fum_denoiser needed_by(const fum_pipeline *pipe, const struct fum_run *run) {
    const struct fum_sample_program *program = run->program;
    return (struct fum_denoiser){
        .copies = run->copies,
        .guided = fum_tasks_merge(&run->tasks) ? 1 : FUM_MIN(run->copies, 2),
        .parts = FUM_MAX(run->conditions.parts, 1),
        .prompted = run->prompted,
        .preview_kind = run->params->preview,
        .guidance = run->params->guidance_method,
        .tasks = fum_tasks_in_step(run),
        .gated = fum_control_gated(run),
        .batch = run->batch,
        .height = run->latent_height,
        .width = run->latent_width,
        .tokens = pipe->view->text[0].tokens * FUM_MAX(run->conditions.chunks, 1),
        .contexts = FUM_MAX(run->conditions.num_rows, 1),
        .learned =
            program->learned_variance && pipe->view->unet.out_channels > run->latent_channels,
        .variance_direct = program->variance_direct,
        .corrects = program->corrects,
        .threshold_ratio = program->threshold_ratio,
        .threshold_max = program->threshold_max,
        .changes = run->changes,
        .evals = program->evals,
        .history = program->history,
        .noise_rows = program->noise_rows,
        .guide = {.classifier = run->classifier, .mean = run->classifier && program->guides_mean},
        .coef_stride = fum_sample_row_size(program)};
}

static bool same_shape(const struct fum_denoiser *a, const struct fum_denoiser *b) {
    return a->copies == b->copies && a->batch == b->batch && a->height == b->height &&
           a->width == b->width && a->tokens == b->tokens && a->contexts == b->contexts &&
           a->parts == b->parts && a->evals == b->evals && a->history == b->history &&
           a->noise_rows == b->noise_rows && a->learned == b->learned &&
           a->variance_direct == b->variance_direct && a->guide.classifier == b->guide.classifier &&
           a->guide.mean == b->guide.mean && a->threshold_ratio == b->threshold_ratio &&
           a->threshold_max == b->threshold_max && a->corrects == b->corrects &&
           fum_changes_same(&a->changes, &b->changes) && a->prompted == b->prompted &&
           a->preview_kind == b->preview_kind && fum_guidance_same(&a->guidance, &b->guidance) &&
           a->gated == b->gated && fum_tasks_same(&a->tasks, &b->tasks);
}

enum fum_result fum_denoiser_build(struct fum_component *component, const struct fum_run *run,
                                   fum_graph **graph, struct fum_error *err) {
    struct fum_denoiser d = needed_by(component->pipe, run);
    return build_step(component->pipe, &d, graph, err);
}

// Compiles the step for this run, unless it is the one that is compiled.
static enum fum_result compile_step(fum_pipeline *pipe, const struct fum_run *run,
                                    struct fum_error *err) {
    struct fum_compiled *compiled = &pipe->unet->compiled;
    struct fum_denoiser needed = needed_by(pipe, run);
    bool same = compiled->exe && same_shape(&pipe->denoiser, &needed);
    if (same) pipe->denoiser.changes = needed.changes;
    if (same) return FUM_OK;
    fum_compiled_clear(compiled);
    pipe->denoiser = needed;
    enum fum_result result = build_step(pipe, &pipe->denoiser, &compiled->graph, err);
    if (!result) result = fum_component_compile(pipe->unet, compiled, err);
    if (result) fum_compiled_clear(compiled);
    return result;
}

enum fum_result fum_denoise_prepare(fum_pipeline *pipe, const struct fum_run *run,
                                    struct fum_error *err) {
    struct fum_denoiser *d = &pipe->denoiser;
    enum fum_result result = compile_step(pipe, run, err);
    if (!result) result = fum_context_write(pipe, run, err);
    if (!result && d->unet.timestep_cond) result = write_guidance(pipe, run, d, err);
    if (!result && d->unet.class_labels) result = write_class(pipe, run, d, err);
    if (!result) result = write_tables(pipe, run, err);
    if (!result) result = fum_guide_write(pipe, run, err);
    if (!result) result = fum_tasks_write(pipe, run, err);
    fum_executable *exe = pipe->unet->compiled.exe;
    if (!result) result = fum_executable_run(exe, FUM_STAGE_PROMPT, err);
    return result ? result : fum_executable_run(exe, FUM_STAGE_RUN, err);
}

// ---- noise ----

// Sets the states to the beginning of a run.
static enum fum_result write_states(fum_pipeline *pipe, const struct fum_start *n,
                                    struct fum_error *err) {
    const struct fum_denoiser *d = &pipe->denoiser;
    fum_executable *exe = pipe->unet->compiled.exe;
    size_t pictures = n->batch * n->one;
    enum fum_result result =
        fum_executable_write(exe, d->state, n->state, (size_t)d->history * pictures, err);
    if (!result && n->rows)
        result =
            fum_executable_write(exe, d->noise, n->rows, (size_t)d->noise_rows * pictures, err);
    if (!result && d->shares)
        result = fum_executable_write(exe, d->shares, n->shares, n->batch, err);
    if (!result) result = fum_executable_write_i32(exe, d->counter, &(int32_t){0}, 1, err);
    return result ? result : fum_finite_reset(exe, d->flag, err);
}

// Writes the noise of the pictures from `first` on, and what else they start from.
static enum fum_result write_noise(fum_pipeline *pipe, const struct fum_run *run, int first,
                                   struct fum_error *err) {
    struct fum_start start;
    enum fum_result result = fum_start_draw(run, &pipe->denoiser, first, &start, err);
    if (!result) result = write_states(pipe, &start, err);
    if (!result) result = fum_step_cache_reset(pipe, run, err);
    if (!result) result = fum_tasks_write_batch(pipe, run, &start, err);
    fum_start_release(&start);
    return result;
}

// ---- the loop ----

// Inserts a value into a sorted list of `count` values.
static void insert_sorted(double *sorted, int count, double value) {
    int i = count;
    for (; i > 0 && sorted[i - 1] > value; i--) sorted[i] = sorted[i - 1];
    sorted[i] = value;
}

struct step_piece {
    const struct fum_generate_params *params;
    int image;
};

static bool on_piece(void *user, int done, int total) {
    const struct step_piece *piece = user;
    return piece->params->on_work(piece->params->user, FUM_WORK_STEP, piece->image, done, total);
}

// Runs every evaluation; seconds[0..steps) are those of each step, sorted.
static enum fum_result run_steps(fum_pipeline *pipe, const struct fum_run *run, int first,
                                 double *seconds, struct fum_error *err) {
    struct fum_denoiser *d = &pipe->denoiser;
    const struct fum_generate_params *params = run->params;
    const struct fum_progress progress = {on_piece, &(struct step_piece){params, first}};
    int steps = run->program->steps, done = 0;
    enum fum_result result = FUM_OK;
    double start = fum_time_now();
    for (int e = 0; e < d->evals && !result; e++) {
        fum_tasks_begin(pipe, run, e);
        result = fum_step_cache_run(pipe, e, params->on_work ? &progress : NULL, err);
        const struct fum_sample_eval *eval = &run->program->eval[e];
        if (result || !eval->step_end) continue;
        if (done < steps) insert_sorted(seconds, done++, fum_time_now() - start);
        pipe->times.step = seconds[(done - 1) / 2];
        result = fum_tasks_stepped(pipe, run, first, eval->step + 1, err);
        if (!result && params->on_step &&
            !params->on_step(params->user, first, eval->step + 1, steps))
            result = fum_error_set(err, FUM_ERR_CANCELLED, "cancelled after step %d of %d",
                                   eval->step + 1, steps);
        start = fum_time_now();
    }
    return result;
}

enum fum_result fum_denoise(fum_pipeline *pipe, const struct fum_run *run, struct fum_batch *batch,
                            struct fum_error *err) {
    const struct fum_denoiser *d = &pipe->denoiser;
    fum_executable *exe = pipe->unet->compiled.exe;
    int steps = run->program->steps;
    double *seconds = fum_alloc((size_t)steps + 1, sizeof *seconds);
    if (!seconds) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for %d steps", steps);
    enum fum_result result = write_noise(pipe, run, batch->first, err);
    if (!result && run->program->adaptive)
        result = fum_flow_run(pipe, run, batch->first, err);
    else if (!result)
        result = run_steps(pipe, run, batch->first, seconds, err);
    fum_free(seconds);
    if (result) return result;
    // history[0] of every picture comes first in the state.
    size_t rows = (size_t)d->batch * (size_t)d->height * (size_t)d->width;
    result = fum_executable_read_rows(exe, d->state, rows, batch->latents, err);
    return result ? result : fum_finite_read(exe, d->flag, &batch->finite, err);
}

// Runs evaluation `eval`; at a non-finite value runs it again node by node. `state` has room for a
// copy of the state.
static enum fum_result diagnose_eval(fum_pipeline *pipe, int eval, float *state, const char **node,
                                     struct fum_error *err) {
    const struct fum_denoiser *d = &pipe->denoiser;
    fum_executable *exe = pipe->unet->compiled.exe;
    size_t count = (size_t)fum_shape_count(&d->state->desc.shape);
    bool finite = true;
    enum fum_result result = fum_executable_read(exe, d->state, state, count, err);
    if (!result) result = fum_step_cache_run(pipe, eval, NULL, err);
    if (!result) result = fum_finite_read(exe, d->flag, &finite, err);
    if (result || finite) return result;
    result = fum_executable_write(exe, d->state, state, count, err);
    if (!result) result = fum_executable_write_i32(exe, d->counter, &(int32_t){eval}, 1, err);
    if (!result)
        result = fum_executable_first_nonfinite(exe, fum_step_cache_stage(pipe), node, err);
    if (!result && !*node) *node = "the prediction";
    return result;
}

enum fum_result fum_denoise_diagnose(fum_pipeline *pipe, const struct fum_run *run, int first,
                                     const char **node, struct fum_error *err) {
    const struct fum_denoiser *d = &pipe->denoiser;
    *node = NULL;
    float *state = fum_alloc((size_t)fum_shape_count(&d->state->desc.shape), sizeof *state);
    if (!state)
        return fum_error_set(err, FUM_ERR_NOMEM, "no memory to look for the first bad value");
    enum fum_result result = write_noise(pipe, run, first, err);
    for (int e = 0; e < d->evals && !result && !*node; e++) {
        fum_tasks_begin(pipe, run, e);
        result = diagnose_eval(pipe, e, state, node, err);
    }
    if (!result && !*node) *node = "the prediction";
    fum_free(state);
    return result;
}
