// SPDX-License-Identifier: MIT
// Guides by other methods than plain classifier-free guidance, which are records themselves. They
// make one prediction of those of all copies.
#include "pipeline/guidance/guidance.h"

#include "base/error.h"
#include "base/number.h"
#include "graph/graph.h"
#include "pipeline/task.h"

#include <math.h>
#include <string.h>

static const struct fum_guidance_method *const methods[] = {
#define FUM_GUIDANCE(name, file) &fum_guidance_##name,
#include "pipeline/guidance/guidance.def"
#undef FUM_GUIDANCE
};
enum { METHODS = sizeof methods / sizeof *methods };

// Returns how many of the methods that serve perturb the model.
static int count_perturbing(const struct fum_guidance_params *params) {
    int count = 0;
    for (int i = 0; i < METHODS; i++) count += methods[i]->perturb && methods[i]->serves(params);
    return count;
}

static bool serves(const fum_pipeline *pipe, const struct fum_generate_params *params) {
    (void)pipe;
    for (int i = 0; i < METHODS; i++)
        if (methods[i]->serves(&params->guidance_method)) return true;
    return false;
}

static enum fum_result open_methods(fum_pipeline *pipe, struct fum_run *run,
                                    struct fum_error *err) {
    const struct fum_guidance_params *p = &run->params->guidance_method;
    int perturbing = count_perturbing(p);
    if (!(p->rescale >= 0 && p->rescale <= 1))
        return fum_error_set(err, FUM_ERR_ARG, "guidance rescale %g is not between 0 and 1",
                             (double)p->rescale);
    if (!(p->mimic_scale >= 0 && p->mimic_percentile >= 0 && p->mimic_percentile <= 1))
        return fum_error_set(err, FUM_ERR_ARG,
                             "dynamic thresholding by scale %g and quantile %g: give one above 0, "
                             "and one from 0 to 1",
                             (double)p->mimic_scale, (double)p->mimic_percentile);
    if (perturbing > 1)
        return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                             "perturbed-attention and skip-layer guidance do not go together");
    if (perturbing && !pipe->view->num_text)
        return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                             "the model %s has no prompt and no attention to it to perturb",
                             fum_model_get_info(pipe->model)->name);
    run->copies += perturbing;
    run->prompted += perturbing;
    return FUM_OK;
}

// ---- the recorded step ----

static void add_inputs(const fum_pipeline *pipe, fum_graph *graph, struct fum_denoiser *d) {
    (void)pipe;
    d->guidance_rows =
        fum_graph_input(graph, "guidance.rows", (struct fum_shape){2, {d->evals, FUM_GUIDANCE_ROW}},
                        FUM_F32, FUM_STAGE_RUN);
    int64_t row = (int64_t)(d->copies - 1) * d->batch;
    for (int i = 0; i < METHODS; i++)
        if (methods[i]->perturb && methods[i]->serves(&d->guidance))
            methods[i]->perturb(graph, &d->guidance, row);
}

fum_tensor *fum_guidance_sum(struct fum_guided *g, fum_tensor *x) {
    const struct fum_attr each[] = {{"rank", 4}, {"d0", g->d->batch}, {"d1", 1},
                                    {"d2", 1},   {"d3", 1},           {0}};
    return x ? fum_graph_add(g->nn.graph, "reduce_sum", NULL, FUM_INPUTS(x), each) : NULL;
}

fum_tensor *fum_guidance_difference(struct fum_guided *g, fum_tensor *a, fum_tensor *b) {
    return a && b ? fum_graph_add(g->nn.graph, "sub", NULL, FUM_INPUTS(a, b), NULL) : NULL;
}

// Returns a number of this evaluation's row of a table.
static fum_tensor *add_number(struct fum_guided *g, fum_tensor *table, int index) {
    if (!table) return NULL;
    fum_tensor *row =
        fum_graph_add(g->nn.graph, "step_row", NULL, FUM_INPUTS(table, g->d->counter), NULL);
    row = fum_nn_slice(&g->nn, NULL, row, (struct fum_nn_range){0, index, 1});
    return fum_nn_reshape(&g->nn, NULL, row, (struct fum_shape){4, {1, 1, 1, 1}});
}

// Returns the predictions of one copy of the pictures.
static fum_tensor *take_copy(struct fum_guided *g, fum_tensor *all, int copy) {
    int64_t batch = g->d->batch;
    if (g->d->copies == 1) return all;
    return fum_nn_slice(&g->nn, NULL, all, (struct fum_nn_range){0, copy * batch, batch});
}

// Copies are that without the prompt, that with it and the perturbed one, as far as the run has
// them.
static fum_tensor *merge(fum_graph *graph, struct fum_denoiser *d, fum_tensor *prediction) {
    // The parts of a prompt that AND joins are one copy by now.
    int perturbed = count_perturbing(&d->guidance), copies = d->copies - d->parts + 1,
        with = copies - 1 - perturbed;
    struct fum_guided g = {.d = d};
    fum_nn_init(&g.nn, graph, "guidance");
    prediction = fum_graph_add(graph, "cast", NULL, FUM_INPUTS(prediction),
                               (struct fum_attr[]){{"dtype", FUM_F32}, {0}});
    g.with = take_copy(&g, prediction, with);
    g.without = with > 0 ? take_copy(&g, prediction, 0) : NULL;
    g.perturbed = perturbed ? take_copy(&g, prediction, with + 1) : NULL;
    g.guidance = add_number(&g, d->coefs, FUM_COEF_GUIDANCE);
    g.on = add_number(&g, d->guidance_rows, FUM_GUIDANCE_ON);
    g.scale = add_number(&g, d->guidance_rows, FUM_GUIDANCE_SCALE);
    g.prediction = g.with;
    if (g.without)
        g.prediction = fum_nn_add(
            &g.nn, NULL, g.without,
            fum_nn_mul(&g.nn, NULL, fum_guidance_difference(&g, g.with, g.without), g.guidance));
    for (int i = 0; i < METHODS && g.prediction; i++)
        if (methods[i]->serves(&d->guidance)) methods[i]->guide(&g);
    return g.prediction;
}

static fum_tensor *update(fum_graph *graph, struct fum_denoiser *d, fum_tensor *updated) {
    for (int i = 0; i < METHODS; i++)
        if (methods[i]->update && methods[i]->serves(&d->guidance))
            updated = methods[i]->update(graph, d, updated);
    return updated;
}

// ---- a run ----

// Returns the scale of the perturbed prediction's difference at a step. As in diffusers, the first
// and the last step of a range are not in it.
static float scale_at(const struct fum_guidance_params *p, int step, int steps) {
    float begin = p->slg_begin, end = p->slg_end;
    if (p->slg_scale == 0) return p->pag_scale;
    if (begin == 0 && end == 0) {
        begin = 0.01F;
        end = 0.2F;
    }
    bool inside = step > (int)(fum_number_widen(begin) * steps) &&
                  step < (int)(fum_number_widen(end) * steps);
    return inside ? p->slg_scale : 0;
}

static enum fum_result write_rows(fum_pipeline *pipe, const struct fum_run *run,
                                  struct fum_error *err) {
    const struct fum_denoiser *d = &pipe->denoiser;
    const struct fum_sample_program *program = run->program;
    size_t count = (size_t)d->evals * FUM_GUIDANCE_ROW;
    float *rows = fum_calloc(count, sizeof *rows);
    if (!rows) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for %d steps", d->evals);
    for (int e = 0; e < d->evals; e++) {
        float *row = rows + (size_t)e * FUM_GUIDANCE_ROW;
        row[FUM_GUIDANCE_ON] = fum_guidance_on(run, e);
        row[FUM_GUIDANCE_SCALE] = scale_at(&d->guidance, program->eval[e].step, program->steps);
    }
    enum fum_result result =
        fum_executable_write(pipe->unet->compiled.exe, d->guidance_rows, rows, count, err);
    fum_free(rows);
    return result;
}

// Clears the momentum of the pictures before.
static enum fum_result write_batch(fum_pipeline *pipe, const struct fum_run *run,
                                   const struct fum_start *start, struct fum_error *err) {
    const struct fum_denoiser *d = &pipe->denoiser;
    (void)run;
    if (!d->momentum) return FUM_OK;
    size_t count = start->one * start->batch;
    float *zeros = fum_calloc(count, sizeof *zeros);
    if (!zeros) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a batch");
    enum fum_result result =
        fum_executable_write(pipe->unet->compiled.exe, d->momentum, zeros, count, err);
    fum_free(zeros);
    return result;
}

const struct fum_task fum_task_guidance = {
    .name = "guidance",
    .serves = serves,
    .open = open_methods,
    .add_inputs = add_inputs,
    .merge = merge,
    .update = update,
    .write = write_rows,
    .write_batch = write_batch,
};
