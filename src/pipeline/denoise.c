// SPDX-License-Identifier: MIT
// The loop: one recorded step, replayed for every model evaluation. What the host does between two
// of them is to wait and to count.
#include "pipeline/pipeline.h"

#include "base/error.h"
#include "base/rng.h"

#include <limits.h>
#include <math.h>
#include <string.h>

static fum_tensor *add_op(fum_graph *graph, const char *op, struct fum_inputs inputs,
                          const struct fum_attr *attrs) {
    return fum_graph_add(graph, op, op, inputs, attrs);
}

// The recorded step: model input from the state, the UNet, guidance and the sampler's update, the
// counter.
static enum fum_result build(fum_pipeline *pipe, struct fum_denoiser *d, struct fum_error *err) {
    const struct fum_unet_config *config = &pipe->view->unet;
    int64_t pictures = d->batch, channels = pipe->view->vae.latent_channels;
    enum fum_result result = fum_graph_create(&d->g.graph, pipe->unet_storage, err);
    if (result) return result;
    fum_graph *graph = d->g.graph;
    if (pipe->params.weights == FUM_WEIGHTS_Q8_0) fum_graph_quantise(graph);
    struct fum_shape latents = {4, {pictures, d->height, d->width, channels}}, all = latents,
                     noise = latents;
    all.dim[0] *= d->history;
    noise.dim[0] *= d->noise_rows ? d->noise_rows : 1;
    d->state = fum_graph_state(graph, "latents", all, FUM_F32, FUM_STAGE_STEP);
    d->counter =
        fum_graph_state(graph, "counter", (struct fum_shape){1, {1}}, FUM_I32, FUM_STAGE_STEP);
    d->flag = fum_graph_state(graph, "flag", (struct fum_shape){1, {1}}, FUM_I32, FUM_STAGE_STEP);
    d->coefs =
        fum_graph_input(graph, "coefs", (struct fum_shape){2, {d->evals, (int64_t)d->coef_stride}},
                        FUM_F32, FUM_STAGE_RUN);
    d->noise =
        d->noise_rows ? fum_graph_input(graph, "noise", noise, FUM_F32, FUM_STAGE_RUN) : NULL;

    const struct fum_attr attrs[] = {{"slots", d->history}, {"copies", d->copies}, {0}};
    d->unet.counter = d->counter;
    d->unet.x = add_op(graph, "sampler_input", FUM_INPUTS(d->state, d->coefs, d->counter), attrs);
    fum_unet_inputs(graph, config,
                    &(struct fum_unet_sizes){.batch = (int64_t)d->copies * d->batch,
                                             .steps = d->evals,
                                             .tokens = d->tokens,
                                             .pooled = fum_model_pooled(pipe->view)},
                    &d->unet);
    fum_tensor *prediction = fum_unet_build(graph, config, &d->unet);
    add_op(graph, "check_finite", FUM_INPUTS(d->flag, prediction), NULL);
    fum_tensor *updated =
        add_op(graph, "sampler_update",
               FUM_INPUTS(d->state, prediction, d->coefs, d->counter, d->noise), attrs);
    add_op(graph, "counter_next", FUM_INPUTS(d->counter, updated), NULL);
    if ((result = fum_pipeline_check_graph(graph, "unet", err))) return result;
    const struct fum_weight_source *source = &pipe->view->unet_weights;
    if (pipe->probing) return fum_pipeline_probe(pipe, &d->g, "unet", source, err);
    result = fum_pipeline_compile(pipe, &d->g, "unet", source, &pipe->unet_weights, err);
    if (!result) fum_executable_get_stats(d->g.exe, &pipe->unet_stats);
    return result;
}

// ---- what does not depend on the latents ----

// Rows of the context repeated for every picture of the batch: all unconditional ones first.
static enum fum_result write_rows(fum_pipeline *pipe, const struct fum_denoiser *d,
                                  const fum_tensor *tensor, const float *rows, size_t row,
                                  struct fum_error *err) {
    size_t batch = (size_t)(d->copies * d->batch);
    float *all = fum_alloc(batch * row, sizeof *all);
    if (!all)
        return fum_error_set(err, FUM_ERR_NOMEM, "%s: no memory for %zu rows",
                             fum_tensor_name(tensor), batch);
    for (size_t b = 0; b < batch && row; b++) // without a row there may be no `rows`
        memcpy(all + b * row, rows + b / (size_t)d->batch * row, row * sizeof *all);
    enum fum_result result =
        fum_executable_write(pipe->denoiser.g.exe, tensor, all, batch * row, err);
    fum_free(all);
    return result;
}

// SDXL's micro-conditioning (Podell et al. 2023, section 2.2): original size, crop corner, target
// size; the refiner has an aesthetic score in place of the target size.
static enum fum_result write_time_ids(fum_pipeline *pipe, const struct fum_run *run,
                                      const struct fum_denoiser *d, struct fum_error *err) {
    enum { MOST = 6 };
    int per_picture = fum_unet_time_ids(&pipe->view->unet, pipe->context.pooled_channels);
    float h = (float)run->height, w = (float)run->width;
    float ids[2][MOST] = {{h, w, 0, 0, h, w}, {h, w, 0, 0, h, w}}, rows[2 * MOST];
    if (per_picture < 1 || per_picture > MOST)
        return fum_error_set(err, FUM_ERR_FORMAT, "unet: reads %d size numbers, not 5 or 6",
                             per_picture);
    if (per_picture == 5) {
        ids[0][4] = (float)(d->copies == 2 ? pipe->view->traits.negative_aesthetic
                                           : pipe->view->traits.aesthetic);
        ids[1][4] = (float)pipe->view->traits.aesthetic;
    }
    for (int i = 0; i < 2 * per_picture; i++) rows[i] = ids[i / per_picture][i % per_picture];
    return write_rows(pipe, d, d->unet.time_ids, rows, (size_t)per_picture, err);
}

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
        fum_executable_write(d->g.exe, d->unet.timestep_cond, row, channels, err);
    fum_free(row);
    return result;
}

// Writes the class, the same for every picture and both branches.
static enum fum_result write_class(fum_pipeline *pipe, const struct fum_run *run,
                                   const struct fum_denoiser *d, struct fum_error *err) {
    int32_t rows[2 * FUM_MAX_BATCH];
    float times[2 * FUM_MAX_BATCH];
    size_t batch = (size_t)(d->copies * d->batch);
    bool table = pipe->view->unet.class_embed == FUM_UNET_CLASS_TABLE;
    for (size_t i = 0; i < batch; i++) {
        rows[i] = table ? (int32_t)run->class_label : 0;
        times[i] = run->class_label;
    }
    if (table) return fum_executable_write_i32(d->g.exe, d->unet.class_labels, rows, batch, err);
    return fum_executable_write(d->g.exe, d->unet.class_labels, times, batch, err);
}

static enum fum_result write_tables(fum_pipeline *pipe, const struct fum_run *run,
                                    struct fum_error *err) {
    struct fum_denoiser *d = &pipe->denoiser;
    size_t evals = (size_t)d->evals;
    float *timesteps = fum_calloc(evals, sizeof *timesteps),
          *coefs = fum_calloc(evals, d->coef_stride * sizeof *coefs);
    enum fum_result result = FUM_OK;
    if (!timesteps || !coefs) {
        result = fum_error_set(err, FUM_ERR_NOMEM, "no memory for %d steps", d->evals);
    } else {
        for (size_t e = 0; e < evals; e++) timesteps[e] = (float)run->program->eval[e].timestep;
        fum_sample_coefs(run->program, run->guidance, coefs, d->coef_stride);
        result = fum_executable_write(d->g.exe, d->unet.timesteps, timesteps, evals, err);
        if (!result)
            result = fum_executable_write(d->g.exe, d->coefs, coefs, evals * d->coef_stride, err);
    }
    fum_free(timesteps);
    fum_free(coefs);
    return result;
}

static struct fum_denoiser wanted_by(const fum_pipeline *pipe, const struct fum_run *run) {
    const struct fum_sample_program *program = run->program;
    return (struct fum_denoiser){.copies = run->copies,
                                 .batch = run->batch,
                                 .height = run->latent_height,
                                 .width = run->latent_width,
                                 .tokens = pipe->view->text[0].tokens,
                                 .evals = program->evals,
                                 .history = program->history,
                                 .noise_rows = program->noise_rows,
                                 .coef_stride = fum_sample_row_size(program)};
}

enum fum_result fum_denoise_probe(fum_pipeline *pipe, const struct fum_run *run,
                                  struct fum_error *err) {
    struct fum_denoiser d = wanted_by(pipe, run);
    enum fum_result result = build(pipe, &d, err);
    fum_stage_graph_clear(&d.g);
    return result;
}

enum fum_result fum_denoise_prepare(fum_pipeline *pipe, const struct fum_run *run,
                                    struct fum_error *err) {
    struct fum_denoiser *d = &pipe->denoiser, wanted = wanted_by(pipe, run);
    enum fum_result result = FUM_OK;
    bool same = d->g.exe && d->copies == wanted.copies && d->batch == wanted.batch &&
                d->height == wanted.height && d->width == wanted.width &&
                d->tokens == wanted.tokens && d->evals == wanted.evals &&
                d->history == wanted.history && d->noise_rows == wanted.noise_rows;
    if (!same) {
        fum_stage_graph_clear(&d->g);
        *d = wanted;
        if ((result = build(pipe, d, err))) {
            fum_stage_graph_clear(&d->g);
            return result;
        }
    }
    const struct fum_context *c = &pipe->context;
    if ((result = write_rows(pipe, d, d->unet.context, c->hidden,
                             (size_t)c->tokens * (size_t)c->channels, err)))
        return result;
    if (d->unet.text_embeds && (result = write_rows(pipe, d, d->unet.text_embeds, c->pooled,
                                                    (size_t)c->pooled_channels, err)))
        return result;
    if (d->unet.time_ids && (result = write_time_ids(pipe, run, d, err))) return result;
    if (d->unet.timestep_cond && (result = write_guidance(pipe, run, d, err))) return result;
    if (d->unet.class_labels && (result = write_class(pipe, run, d, err))) return result;
    if ((result = write_tables(pipe, run, err))) return result;
    if ((result = fum_executable_run(d->g.exe, FUM_STAGE_PROMPT, err))) return result;
    return fum_executable_run(d->g.exe, FUM_STAGE_RUN, err);
}

// ---- noise ----

// [channels, pixels] to [pixels, channels], scaled.
static void to_channels_last(const float *in, float *out, size_t channels, size_t pixels,
                             float scale) {
    for (size_t p = 0; p < pixels; p++)
        for (size_t c = 0; c < channels; c++) out[p * channels + c] = in[c * pixels + p] * scale;
}

// Slot 0 and all noise rows of the batch, each picture from its own generator: first the start,
// then the rows in order, as torch draws them.
static enum fum_result write_noise(fum_pipeline *pipe, const struct fum_run *run, int first,
                                   struct fum_error *err) {
    struct fum_denoiser *d = &pipe->denoiser;
    const struct fum_generate_params *params = run->params;
    size_t channels = (size_t)run->latent_channels, pixels = (size_t)d->height * (size_t)d->width;
    size_t one = channels * pixels, batch = (size_t)d->batch;
    float *state = fum_calloc((size_t)d->history * batch * one, sizeof *state),
          *draw = fum_alloc(one, sizeof *draw);
    float *rows = d->noise ? fum_calloc((size_t)d->noise_rows * batch * one, sizeof *rows) : NULL;
    enum fum_result result = FUM_OK;
    if (!state || !draw || (d->noise && !rows))
        result = fum_error_set(err, FUM_ERR_NOMEM, "no memory for the noise");
    for (size_t b = 0; b < batch && !result; b++) {
        int image = first + (int)b < run->count ? first + (int)b : run->count - 1;
        struct fum_rng rng;
        fum_rng_init(&rng, params->rng, params->seed + (uint64_t)image);
        if (params->noise)
            memcpy(draw, params->noise + (size_t)image * one, one * sizeof *draw);
        else
            fum_rng_normal(&rng, draw, one);
        to_channels_last(draw, state + b * one, channels, pixels, (float)run->program->init_scale);
        for (int r = 0; r < d->noise_rows; r++) {
            fum_rng_normal(&rng, draw, one);
            to_channels_last(draw, rows + ((size_t)r * batch + b) * one, channels, pixels, 1);
        }
    }
    if (!result)
        result =
            fum_executable_write(d->g.exe, d->state, state, (size_t)d->history * batch * one, err);
    if (!result && rows)
        result = fum_executable_write(d->g.exe, d->noise, rows, (size_t)d->noise_rows * batch * one,
                                      err);
    if (!result) result = fum_executable_write_i32(d->g.exe, d->counter, &(int32_t){0}, 1, err);
    if (!result)
        result = fum_executable_write_i32(d->g.exe, d->flag, &(int32_t){INT32_MAX}, 1, err);
    fum_free(state);
    fum_free(draw);
    fum_free(rows);
    return result;
}

// ---- the loop ----

// Inserts a value into a sorted list of `count` values.
static void insert(double *sorted, int count, double value) {
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
        if (params->on_work)
            result = fum_executable_run_reported(d->g.exe, FUM_STAGE_STEP, &progress, err);
        else
            result = fum_executable_run(d->g.exe, FUM_STAGE_STEP, err);
        const struct fum_sample_eval *eval = &run->program->eval[e];
        if (result || !eval->step_end) continue;
        if (done < steps) insert(seconds, done++, fum_time_now() - start);
        pipe->times.step = seconds[(done - 1) / 2];
        if (params->on_step && !params->on_step(params->user, first, eval->step + 1, steps))
            result = fum_error_set(err, FUM_ERR_CANCELLED, "cancelled after step %d of %d",
                                   eval->step + 1, steps);
        start = fum_time_now();
    }
    return result;
}

enum fum_result fum_denoise(fum_pipeline *pipe, const struct fum_run *run, int first,
                            float *latents, bool *finite, struct fum_error *err) {
    struct fum_denoiser *d = &pipe->denoiser;
    int steps = run->program->steps;
    double *seconds = fum_alloc((size_t)steps + 1, sizeof *seconds);
    if (!seconds) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for %d steps", steps);
    enum fum_result result = write_noise(pipe, run, first, err);
    if (!result) result = run_steps(pipe, run, first, seconds, err);
    fum_free(seconds);
    if (result) return result;
    // Slot 0 of every picture comes first in the state.
    size_t rows = (size_t)d->batch * (size_t)d->height * (size_t)d->width;
    float flag = 0;
    result = fum_executable_read_rows(d->g.exe, d->state, rows, latents, err);
    if (!result) result = fum_executable_read(d->g.exe, d->flag, &flag, 1, err);
    *finite = flag >= (float)INT32_MAX;
    return result;
}

enum fum_result fum_denoise_diagnose(fum_pipeline *pipe, const struct fum_run *run, int first,
                                     const char **node, struct fum_error *err) {
    struct fum_denoiser *d = &pipe->denoiser;
    enum fum_result result = write_noise(pipe, run, first, err);
    *node = NULL;
    // Runs up to the evaluation that fails, then that one node by node.
    for (int e = 0; e < d->evals && !result && !*node; e++) {
        float flag = 0;
        size_t count = (size_t)fum_shape_count(&d->state->desc.shape);
        float *state = fum_alloc(count, sizeof *state);
        if (!state)
            return fum_error_set(err, FUM_ERR_NOMEM, "no memory to look for the first bad value");
        result = fum_executable_read(d->g.exe, d->state, state, count, err);
        if (!result) result = fum_executable_run(d->g.exe, FUM_STAGE_STEP, err);
        if (!result) result = fum_executable_read(d->g.exe, d->flag, &flag, 1, err);
        if (!result && flag < (float)INT32_MAX) {
            result = fum_executable_write(d->g.exe, d->state, state, count, err);
            if (!result)
                result = fum_executable_write_i32(d->g.exe, d->counter, &(int32_t){e}, 1, err);
            if (!result)
                result = fum_executable_first_nonfinite(d->g.exe, FUM_STAGE_STEP, node, err);
            e = d->evals;
        }
        fum_free(state);
    }
    return result;
}
