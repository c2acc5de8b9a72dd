// SPDX-License-Identifier: MIT
// Steers a request by ControlNets and T2I-adapters. Their factors are a table with a row for each
// evaluation, 0 outside of their share of the steps. All evaluations replay one recorded step,
// whose commands for a ControlNet the host leaves out there.
#include "pipeline/control.h"

#include "base/error.h"
#include "base/macros.h"
#include "base/number.h"
#include "graph/graph.h"
#include "io/image.h"
#include "nn/nn.h"
#include "pipeline/pipeline.h"
#include "pipeline/preprocess.h"
#include "pipeline/task.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const float default_strength = 0.9f;

// The parts that are open, with the pictures of the last request.
struct fum_control_set {
    fum_pipeline *pipe;
    int count;
    struct fum_control_part parts[FUM_MAX_CONTROLS];
    struct fum_weight_source source; // of their weights and the UNet's
};

static const struct fum_control_kind *const kinds[] = {&fum_control_adapter,
                                                       &fum_control_controlnet};

// Writes what stands before the names of a part's weights in the step's graph.
enum { PREFIX = 24 };
static const char *write_prefix(int index, char text[PREFIX]) {
    snprintf(text, PREFIX, "control.%d.", index);
    return text;
}

// ---- the set of a run ----

static bool find_weight(void *user, const char *name, struct fum_view *view) {
    const struct fum_control_set *set = user;
    const struct fum_weight_source *unet = &set->pipe->view->unet_weights;
    char prefix[PREFIX];
    for (int i = 0; i < set->count; i++) {
        size_t length = strlen(write_prefix(i, prefix));
        if (!strncmp(name, prefix, length))
            return set->parts[i].kind->find(&set->parts[i], name + length, view);
    }
    return unet->find(unet->user, name, view);
}

void fum_control_close(struct fum_control_set **controls) {
    struct fum_control_set *set = *controls;
    if (!set) return;
    for (int i = 0; i < set->count; i++) {
        struct fum_control_part *part = &set->parts[i];
        if (part->kind) part->kind->close(part);
        fum_bitmap_free(&part->picture);
        fum_free(part->path);
    }
    fum_free(set);
    *controls = NULL;
}

static bool same_set(const struct fum_control_set *set, const struct fum_generate_params *params) {
    if (!set || set->count != params->num_controls) return false;
    for (int i = 0; i < set->count; i++)
        if (strcmp(set->parts[i].path, params->controls[i].path)) return false;
    return true;
}

static enum fum_result open_part(struct fum_control_part *part, const fum_model *model,
                                 const char *path, struct fum_error *err) {
    part->path = fum_strdup(path);
    if (!part->path) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a path");
    size_t i = 0;
    while (kinds[i]->matches && !kinds[i]->matches(path)) i++;
    part->kind = kinds[i];
    return part->kind->open(part, model, err);
}

static enum fum_result open_parts(struct fum_control_set *set,
                                  const struct fum_generate_params *params, struct fum_error *err) {
    enum fum_result result = FUM_OK;
    for (int i = 0; i < params->num_controls && !result; i++)
        result =
            open_part(&set->parts[set->count++], set->pipe->model, params->controls[i].path, err);
    return result;
}

// Replaces the set. The UNet leaves the device, since its store has the old weights.
static enum fum_result change_set(fum_pipeline *pipe, const struct fum_generate_params *params,
                                  struct fum_error *err) {
    fum_component_release(pipe->unet);
    pipe->unet->source = &pipe->view->unet_weights;
    fum_control_close(&pipe->controls);
    struct fum_control_set *set = pipe->controls = fum_calloc(1, sizeof *set);
    if (!set) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for ControlNets");
    set->pipe = pipe;
    enum fum_result result = open_parts(set, params, err);
    if (result) {
        fum_control_close(&pipe->controls);
        return result;
    }
    set->source = (struct fum_weight_source){.find = find_weight, .user = set};
    pipe->unet->source = &set->source;
    return FUM_OK;
}

// ---- the request ----

static enum fum_result check_control(const struct fum_control *c, struct fum_error *err) {
    if (!c->path || !fum_image_given(&c->image))
        return fum_error_set(err, FUM_ERR_ARG, "a ControlNet needs a path and a picture");
    if (!isfinite(c->strength))
        return fum_error_set(err, FUM_ERR_ARG, "the strength of a ControlNet must be a number");
    float end = c->end != 0 ? c->end : 1;
    if (c->start >= 0 && c->start < 1 && end > c->start && end <= 1) return FUM_OK;
    return fum_error_set(err, FUM_ERR_ARG,
                         "a ControlNet works from %g to %g of the steps: the start must lie before "
                         "the end, both between 0 and 1",
                         (double)c->start, (double)end);
}

static enum fum_result check_controls(const fum_pipeline *pipe, const struct fum_run *run,
                                      struct fum_error *err) {
    const struct fum_generate_params *p = run->params;
    enum fum_result result = FUM_OK;
    if (p->num_controls < 0 || p->num_controls > FUM_MAX_CONTROLS)
        return fum_error_set(err, FUM_ERR_ARG, "at most %d ControlNets can be used",
                             FUM_MAX_CONTROLS);
    if (!pipe->view->num_text)
        return fum_error_set(err, FUM_ERR_ARG,
                             "the model %s follows no prompt, so no ControlNet is made for it",
                             fum_model_get_info(pipe->model)->name);
    if (run->invert)
        return fum_error_set(err, FUM_ERR_ARG, "an inversion is not steered by a ControlNet");
    for (int i = 0; i < p->num_controls && !result; i++)
        result = check_control(&p->controls[i], err);
    return result;
}

static enum fum_result report_picture(const struct fum_run *run, int index,
                                      const struct fum_bitmap *picture, struct fum_error *err) {
    const struct fum_generate_params *p = run->params;
    const struct fum_image image = {.index = index,
                                    .width = picture->width,
                                    .height = picture->height,
                                    .pixels = picture->pixels,
                                    .channels = picture->channels};
    if (!p->on_control || p->on_control(p->user, &image)) return FUM_OK;
    return fum_error_set(err, FUM_ERR_CANCELLED, "cancelled");
}

// Converts the prepared picture to the channels that a part reads.
static enum fum_result keep_picture(struct fum_control_part *part, const struct fum_run *run,
                                    const struct fum_bitmap *prepared, struct fum_error *err) {
    if (run->width % part->square || run->height % part->square)
        return fum_error_set(err, FUM_ERR_ARG,
                             "%s: a T2I-adapter needs a width and a height that are multiples of "
                             "%d, not %d x %d",
                             part->path, part->square, run->width, run->height);
    fum_bitmap_free(&part->picture);
    return fum_bitmap_convert(prepared, part->channels, &part->picture, err);
}

// Scales a picture to the size of the run. Where a part of the picture to start from is drawn
// alone, it is that part's.
static enum fum_result fit_picture(const struct fum_run *run, const struct fum_bitmap *read,
                                   struct fum_bitmap *fitted, struct fum_error *err) {
    const struct fum_bitmap *original = &run->given.original;
    const struct fum_bitmap_box area = run->given.mask.area,
                                whole = {0, 0, original->width, original->height};
    struct fum_bitmap grown = {0}, cut = {0};
    if (!run->params->only_masked || !area.width) return fum_given_fit(run, read, fitted, err);
    enum fum_result result = fum_given_fit_to(run, read, whole, &grown, err);
    if (!result) result = fum_bitmap_cut(&grown, area, &cut, err);
    if (!result) result = fum_given_fit(run, &cut, fitted, err);
    fum_bitmap_free(&grown);
    fum_bitmap_free(&cut);
    return result;
}

// Reads the picture of a part at the size of the run.
static enum fum_result read_picture(struct fum_control_set *set, const struct fum_run *run,
                                    int index, struct fum_error *err) {
    const struct fum_control *control = &run->params->controls[index];
    struct fum_bitmap read = {0}, fitted = {0}, prepared = {0};
    enum fum_result result = fum_given_read(run, &control->image, 3, &read, err);
    if (!result) result = fit_picture(run, &read, &fitted, err);
    if (!result)
        result = fum_preprocess(set->pipe->device, control->preprocess, &fitted, &prepared, err);
    if (!result) result = keep_picture(&set->parts[index], run, &prepared, err);
    if (!result) result = report_picture(run, index, &set->parts[index].picture, err);
    fum_bitmap_free(&read);
    fum_bitmap_free(&fitted);
    fum_bitmap_free(&prepared);
    return result;
}

static bool serves(const fum_pipeline *pipe, const struct fum_generate_params *params) {
    (void)pipe;
    return params->num_controls != 0;
}

static enum fum_result open_controls(fum_pipeline *pipe, struct fum_run *run,
                                     struct fum_error *err) {
    const struct fum_generate_params *p = run->params;
    enum fum_result result = check_controls(pipe, run, err);
    if (!result && !same_set(pipe->controls, p)) result = change_set(pipe, p, err);
    return result;
}

static enum fum_result read_pictures(fum_pipeline *pipe, struct fum_run *run,
                                     struct fum_error *err) {
    enum fum_result result = FUM_OK;
    for (int i = 0; i < run->params->num_controls && !result; i++)
        result = read_picture(pipe->controls, run, i, err);
    return result;
}

// ---- the recorded step ----

// Returns the factor of this evaluation as [1, 1, 1, 1].
static fum_tensor *add_factor(struct fum_nn *nn, const struct fum_denoiser *d, fum_tensor *table) {
    fum_tensor *row =
        table ? fum_graph_add(nn->graph, "step_row", NULL, FUM_INPUTS(table, d->counter), NULL)
              : NULL;
    return fum_nn_reshape(nn, NULL, row, (struct fum_shape){4, {1, 1, 1, 1}});
}

void fum_control_sum(fum_graph *graph, const struct fum_control_step *step,
                     fum_tensor *const *results, fum_tensor **sums, int count) {
    struct fum_nn nn;
    fum_nn_init(&nn, graph, step->prefix);
    for (int i = 0; i < count; i++) {
        fum_tensor *scaled = step->gate && results[i]
                                 ? fum_graph_add(graph, "masked_mul", NULL,
                                                 FUM_INPUTS(results[i], step->factor), NULL)
                                 : fum_nn_mul(&nn, NULL, results[i], step->factor);
        sums[i] = sums[i] ? fum_nn_add(&nn, NULL, sums[i], scaled) : scaled;
    }
}

static void add_part(fum_graph *graph, const struct fum_control_part *part, struct fum_denoiser *d,
                     int index) {
    const struct fum_bitmap *picture = &part->picture;
    int square = part->square;
    struct fum_shape shape = {4,
                              {1, picture->height / square, picture->width / square,
                               (int64_t)part->channels * square * square}};
    struct fum_control_inputs *inputs = &d->control;
    struct fum_nn nn;
    char prefix[PREFIX];
    fum_nn_init(&nn, graph, write_prefix(index, prefix));
    inputs->pictures[index] =
        fum_graph_input(graph, "control.picture", shape, graph->storage, FUM_STAGE_PROMPT);
    inputs->factors[index] =
        fum_graph_input(graph, "control.factors", (struct fum_shape){2, {d->evals, 1}},
                        graph->storage, FUM_STAGE_RUN);
    const struct fum_control_step step = {.denoiser = d,
                                          .gate = d->gated >> index & 1 ? index + 1 : 0,
                                          .prefix = prefix,
                                          .picture = inputs->pictures[index],
                                          .factor = add_factor(&nn, d, inputs->factors[index])};
    if (step.picture && step.factor) part->kind->add(graph, part, &step);
}

static void add_controls(const fum_pipeline *pipe, fum_graph *graph, struct fum_denoiser *d) {
    const struct fum_control_set *set = pipe->controls;
    struct fum_control_inputs *inputs = &d->control;
    *inputs = (struct fum_control_inputs){0};
    for (int i = 0; i < set->count; i++) add_part(graph, &set->parts[i], d, i);
    if (inputs->num_residuals) d->unet.residuals = inputs->residuals;
    d->unet.num_residuals = inputs->num_residuals;
    if (inputs->num_features) d->unet.features = inputs->features;
    d->unet.num_features = inputs->num_features;
}

// ---- a run ----

// Stores the picture in 0..1, the pixels of a square as channels in PyTorch's order.
static void fill_picture(const struct fum_control_part *part, float *values) {
    const struct fum_bitmap *p = &part->picture;
    int s = part->square;
    for (int y = 0; y < p->height; y += s)
        for (int x = 0; x < p->width; x += s)
            for (int c = 0; c < p->channels; c++)
                for (int i = 0; i < s * s; i++) {
                    size_t pixel = (size_t)(y + i / s) * (size_t)p->width + (size_t)(x + i % s);
                    *values++ = (float)p->pixels[pixel * (size_t)p->channels + (size_t)c] / 255;
                }
}

static enum fum_result write_picture(fum_pipeline *pipe, int index, struct fum_error *err) {
    const struct fum_control_part *part = &pipe->controls->parts[index];
    size_t count =
        (size_t)part->picture.width * (size_t)part->picture.height * (size_t)part->picture.channels;
    float *values = fum_alloc(count, sizeof *values);
    if (!values) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a picture");
    fill_picture(part, values);
    enum fum_result result = fum_executable_write(
        pipe->unet->compiled.exe, pipe->denoiser.control.pictures[index], values, count, err);
    fum_free(values);
    return result;
}

// Returns the factor of an evaluation, as diffusers' controlnet_keep has it.
static float find_factor(const struct fum_control *control, int eval, int evals) {
    float strength = control->strength != 0 ? control->strength : default_strength;
    double start = fum_number_widen(control->start),
           end = control->end != 0 ? fum_number_widen(control->end) : 1;
    double from = (double)eval / evals, to = (double)(eval + 1) / evals;
    return from < start || to > end || strength < 0 ? 0 : strength;
}

uint32_t fum_control_gated(const struct fum_run *run) {
    uint32_t gated = 0;
    int evals = run->program->evals;
    for (int i = 0; i < run->params->num_controls; i++)
        for (int e = 0; e < evals; e++)
            if (find_factor(&run->params->controls[i], e, evals) == 0) gated |= UINT32_C(1) << i;
    return gated;
}

// Leaves out what an evaluation does not use.
static void set_gates(fum_pipeline *pipe, const struct fum_run *run, int eval) {
    const struct fum_generate_params *p = run->params;
    for (int i = 0; i < p->num_controls; i++)
        fum_executable_set_gate(pipe->unet->compiled.exe, i + 1,
                                find_factor(&p->controls[i], eval, pipe->denoiser.evals) != 0);
}

const char *fum_control_describe(const struct fum_control *control, char *text, size_t size) {
    const char *slash = strrchr(control->path, '/'), *how = control->preprocess;
    float strength = control->strength != 0 ? control->strength : default_strength;
    char weight[FUM_NUMBER_BYTES], start[FUM_NUMBER_BYTES], end[FUM_NUMBER_BYTES];
    snprintf(text, size,
             "Module: %.40s, Model: %.80s, Weight: %s, Guidance Start: %s, Guidance End: %s",
             how ? how : "none", slash && slash[1] ? slash + 1 : control->path,
             fum_number_shorten(weight, (double)FUM_MAX(strength, 0.0f)),
             fum_number_shorten(start, (double)control->start),
             fum_number_shorten(end, control->end != 0 ? (double)control->end : 1));
    return text;
}

static enum fum_result write_factors(fum_pipeline *pipe, const struct fum_control *control,
                                     int index, struct fum_error *err) {
    const struct fum_denoiser *d = &pipe->denoiser;
    float *factors = fum_alloc((size_t)d->evals, sizeof *factors);
    if (!factors) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for %d steps", d->evals);
    for (int e = 0; e < d->evals; e++) factors[e] = find_factor(control, e, d->evals);
    enum fum_result result = fum_executable_write(
        pipe->unet->compiled.exe, d->control.factors[index], factors, (size_t)d->evals, err);
    fum_free(factors);
    return result;
}

static enum fum_result write_controls(fum_pipeline *pipe, const struct fum_run *run,
                                      struct fum_error *err) {
    const struct fum_generate_params *p = run->params;
    enum fum_result result = FUM_OK;
    for (int i = 0; i < p->num_controls && !result; i++) {
        result = write_picture(pipe, i, err);
        if (!result) result = write_factors(pipe, &p->controls[i], i, err);
    }
    return result;
}

const struct fum_task fum_task_control = {
    .name = "control",
    .serves = serves,
    .open = open_controls,
    .prepare = read_pictures,
    .add_inputs = add_controls,
    .write = write_controls,
    .begin = set_gates,
};
