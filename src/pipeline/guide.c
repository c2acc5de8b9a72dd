// SPDX-License-Identifier: MIT
// Guides sampling by a classifier: Dhariwal and Nichol, "Diffusion models beat GANs on image
// synthesis" (2021), section 4. The classifier and its gradient are part of the recorded step.
#include "base/error.h"
#include "base/log.h"
#include "graph/graph.h"
#include "nn/nn.h"
#include "pipeline/pipeline.h"

#include <math.h>
#include <string.h>

static const char prefix[] = "classifier."; // of the classifier's weights in the step's graph

// ---- the classifier of a run ----

static bool find_weight(void *user, const char *name, struct fum_view *view) {
    const fum_pipeline *pipe = user;
    const struct fum_weight_source *unet = &pipe->view->unet_weights;
    size_t length = sizeof prefix - 1;
    if (strncmp(name, prefix, length)) return unet->find(unet->user, name, view);
    const struct fum_weight_source own = fum_classifier_source(pipe->guide.classifier.loader);
    return own.find(own.user, name + length, view);
}

void fum_guide_close(struct fum_guide_model *guide) {
    fum_classifier_close(&guide->classifier);
    fum_free(guide->path);
    *guide = (struct fum_guide_model){0};
}

// Replaces the classifier. The UNet leaves the device, since its store has the old weights.
static enum fum_result open_classifier(fum_pipeline *pipe, const char *path,
                                       struct fum_error *err) {
    struct fum_guide_model *guide = &pipe->guide;
    if (guide->path && !strcmp(guide->path, path)) return FUM_OK;
    fum_component_release(pipe->unet);
    pipe->unet->source = &pipe->view->unet_weights;
    fum_guide_close(guide);
    enum fum_result result = fum_classifier_open(&guide->classifier, path, err);
    if (!result && !(guide->path = fum_strdup(path)))
        result = fum_error_set(err, FUM_ERR_NOMEM, "no memory for a path");
    if (result) {
        fum_guide_close(guide);
        return result;
    }
    guide->source = (struct fum_weight_source){.find = find_weight, .user = pipe};
    pipe->unet->source = &guide->source;
    return FUM_OK;
}

static enum fum_result check_fit(const struct fum_classifier *c, const struct fum_run *run,
                                 struct fum_error *err) {
    const struct fum_unet_config *config = &c->config;
    float label = run->params->class_label;
    if (config->sample_width != run->width || config->sample_height != run->height ||
        config->in_channels != run->latent_channels)
        return fum_error_set(err, FUM_ERR_ARG,
                             "the classifier reads pictures of %d × %d with %d channel%s; this run "
                             "draws %d × %d with %d",
                             config->sample_width, config->sample_height, config->in_channels,
                             config->in_channels == 1 ? "" : "s", run->width, run->height,
                             run->latent_channels);
    if (!run->params->has_class)
        return fum_error_set(err, FUM_ERR_ARG,
                             "the classifier has %d classes: choose one with --class, from 0 to %d",
                             c->classes, c->classes - 1);
    if (label >= 0 && label < (float)c->classes && label == floorf(label)) return FUM_OK;
    return fum_error_set(err, FUM_ERR_ARG,
                         "class %g is not one of the classifier's: --class takes 0 to %d",
                         (double)label, c->classes - 1);
}

enum fum_result fum_guide_open(fum_pipeline *pipe, struct fum_run *run, struct fum_error *err) {
    const struct fum_generate_params *params = run->params;
    run->classifier_scale = params->has_classifier_scale ? params->classifier_scale : 1;
    if (!params->classifier && params->has_classifier_scale)
        return fum_error_set(err, FUM_ERR_ARG, "a classifier scale needs a classifier");
    if (!params->classifier) return FUM_OK;
    if (!pipe->view->pixels)
        return fum_error_set(err, FUM_ERR_ARG,
                             "the model %s draws latents, not pictures: a classifier cannot guide "
                             "it; --cfg-scale can",
                             fum_model_get_info(pipe->model)->name);
    if (run->invert)
        return fum_error_set(err, FUM_ERR_ARG, "an inversion is not guided by a classifier");
    if (!isfinite(run->classifier_scale))
        return fum_error_set(err, FUM_ERR_ARG, "the classifier scale must be a number");
    enum fum_result result = open_classifier(pipe, params->classifier, err);
    if (!result) result = check_fit(&pipe->guide.classifier, run, err);
    if (result) return result;
    run->classifier = &pipe->guide.classifier;
    if (!run->classifier->noisy)
        fum_log(pipe->params.log, FUM_LOG_WARN,
                "the classifier %s was trained on clean pictures (loss.noisy = false): its "
                "gradient means little for noisy ones",
                params->classifier);
    return FUM_OK;
}

enum fum_result fum_guide_check(const struct fum_run *run, struct fum_error *err) {
    const struct fum_sample_program *p = run->program;
    bool guided = p->guides_mean, finite = true;
    if (!run->classifier) return FUM_OK;
    for (int e = 0; e < p->evals; e++) {
        guided = guided || p->eval[e].guide != 0;
        finite = finite && isfinite(p->eval[e].guide);
    }
    if (!guided)
        return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                             "a classifier cannot guide sampler %s on this model's noise levels",
                             p->sampler);
    if (!finite)
        return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                             "a classifier cannot guide sampler %s from pure noise (zero terminal "
                             "SNR): use sampler ddpm",
                             p->sampler);
    return FUM_OK;
}

// ---- the recorded step ----

static bool trains_nothing(void *user, const char *name) {
    (void)user;
    (void)name;
    return false;
}

// Adds the gradient of -log p(y | x), summed over the pictures: each has its own.
static fum_tensor *add_gradient(fum_graph *graph, struct fum_denoiser *d, fum_tensor *x) {
    const struct fum_classifier *c = d->guide.classifier;
    const struct fum_unet_params params = {
        .prefix = prefix, .x = x, .counter = d->counter, .timesteps = d->unet.timesteps};
    const struct fum_attr one[] = {{"rank", 1}, {"d0", 1}, {0}};
    struct fum_classifier_outputs out;
    fum_tensor *gradient = NULL;
    if (!x || !fum_unet_classifier(graph, &c->config, &params, c->classes, &out)) return NULL;
    fum_tensor *loss =
        fum_graph_add(graph, "cross_entropy", NULL, FUM_INPUTS(out.logits, d->guide.labels), NULL);
    if (loss) loss = fum_graph_add(graph, "reduce_sum", "classifier.loss", FUM_INPUTS(loss), one);
    if (!loss || !fum_graph_gradient(graph, loss, &x, 1, &gradient)) return NULL;
    return gradient;
}

// Computes in f32 whatever the UNet stores, since gradients are small. The classifier is built as
// for a training, so that no layers are merged into products without a gradient.
fum_tensor *fum_guide_add(fum_graph *graph, struct fum_denoiser *d) {
    const enum fum_dtype storage = graph->storage;
    const struct fum_packing *quantised = graph->quantised;
    const struct fum_attr input[] = {{"history", d->history}, {"dtype", FUM_F32}, {0}};
    struct fum_nn nn;
    fum_nn_init(&nn, graph, "guide");
    d->guide.labels = fum_graph_input(graph, "guide.labels", (struct fum_shape){1, {d->batch}},
                                      FUM_I32, FUM_STAGE_PROMPT);
    d->guide.factors = fum_graph_input(graph, "guide.factors", (struct fum_shape){2, {d->evals, 1}},
                                       FUM_F32, FUM_STAGE_RUN);
    fum_tensor *x = fum_graph_add(graph, "sampler_input", "guide.x",
                                  FUM_INPUTS(d->state, d->coefs, d->counter), input);
    graph->storage = FUM_F32;
    graph->quantised = NULL;
    fum_graph_train(graph, trains_nothing, NULL);
    fum_tensor *gradient = add_gradient(graph, d, x);
    graph->trains = NULL;
    graph->storage = storage;
    graph->quantised = quantised;
    fum_tensor *factor =
        fum_graph_add(graph, "step_row", NULL, FUM_INPUTS(d->guide.factors, d->counter), NULL);
    if (!gradient || !factor) return NULL;
    factor = fum_nn_reshape(&nn, NULL, factor, (struct fum_shape){4, {1, 1, 1, 1}});
    return fum_nn_mul(&nn, NULL, gradient, factor);
}

fum_tensor *fum_guide_output(fum_graph *graph, const struct fum_denoiser *d, fum_tensor *prediction,
                             fum_tensor *share) {
    struct fum_nn nn;
    fum_nn_init(&nn, graph, "guide");
    if (!prediction || !share) return NULL;
    prediction = fum_graph_add(graph, "cast", NULL, FUM_INPUTS(prediction),
                               (struct fum_attr[]){{"dtype", FUM_F32}, {0}});
    if (d->guided == 2)
        share = fum_graph_add(graph, "concat", NULL, FUM_INPUTS(share, share),
                              (struct fum_attr[]){{"axis", 0}, {0}});
    return fum_nn_add(&nn, NULL, prediction, share);
}

// ---- a run ----

enum fum_result fum_guide_write(fum_pipeline *pipe, const struct fum_run *run,
                                struct fum_error *err) {
    const struct fum_denoiser *d = &pipe->denoiser;
    fum_executable *exe = pipe->unet->compiled.exe;
    int32_t labels[FUM_MAX_BATCH];
    if (!d->guide.classifier) return FUM_OK;
    float *factors = fum_alloc((size_t)d->evals, sizeof *factors);
    if (!factors) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for %d steps", d->evals);
    for (int i = 0; i < d->batch; i++) labels[i] = (int32_t)run->class_label;
    // The loss is -log p.
    for (int e = 0; e < d->evals; e++)
        factors[e] = (float)(-(double)run->classifier_scale * run->program->eval[e].guide);
    enum fum_result result =
        fum_executable_write_i32(exe, d->guide.labels, labels, (size_t)d->batch, err);
    if (!result)
        result = fum_executable_write(exe, d->guide.factors, factors, (size_t)d->evals, err);
    fum_free(factors);
    return result;
}
