// SPDX-License-Identifier: MIT
// Shows what a picture is becoming while it is drawn. That is what each step predicts without
// noise, in colours by a linear map on the device, or decoded.
#include "base/alloc.h"
#include "base/error.h"
#include "graph/graph.h"
#include "nn/nn.h"
#include "pipeline/pipeline.h"
#include "pipeline/task.h"

#include <string.h>

enum { COLOURS = 3 };

static bool serves(const fum_pipeline *pipe, const struct fum_generate_params *params) {
    (void)pipe;
    return params->preview != FUM_PREVIEW_NONE;
}

static enum fum_result check_preview(fum_pipeline *pipe, struct fum_run *run,
                                     struct fum_error *err) {
    const struct fum_generate_params *p = run->params;
    const struct fum_model_view *v = pipe->view;
    bool mapped = v->pixels || (v->traits.colours && run->latent_channels == FUM_LATENT_CHANNELS);
    if (!p->on_preview) return fum_error_set(err, FUM_ERR_ARG, "previews need on_preview to go to");
    if (p->preview == FUM_PREVIEW_COLOURS && !mapped)
        return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                             "the colours of the model's latents are not known: preview by vae");
    if (p->preview == FUM_PREVIEW_TINY && pipe->kind != &fum_pictures_of_tiny)
        return fum_error_set(err, FUM_ERR_ARG,
                             "--preview tae needs a tiny autoencoder: give one with --taesd");
    if (p->preview >= FUM_PREVIEW_TINY && pipe->budget)
        return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                             "previews are decoded only without a memory budget, under which the "
                             "UNet would leave the device: preview by proj");
    return FUM_OK;
}

// ---- the recorded step ----

// Adds the map of latents to colours, [batch, height · width, 3].
static fum_tensor *add_colours(fum_graph *graph, struct fum_nn *nn, const float *map,
                               fum_tensor *denoised) {
    struct fum_shape factors = {2, {FUM_LATENT_CHANNELS, COLOURS}}, offsets = {1, {COLOURS}};
    fum_tensor *weight = fum_graph_exact_constant(graph, "preview.factors", factors, map),
               *bias = fum_graph_exact_constant(graph, "preview.offsets", offsets,
                                                map + FUM_LATENT_CHANNELS * COLOURS);
    fum_tensor *x = fum_nn_tokens(nn, denoised);
    if (!x || !weight || !bias) return NULL;
    x = fum_graph_add(graph, "matmul", NULL, FUM_INPUTS(x, weight), NULL);
    return x ? fum_graph_add(graph, "add", NULL, FUM_INPUTS(x, bias), NULL) : NULL;
}

static void watch(const fum_pipeline *pipe, fum_graph *graph, struct fum_denoiser *d,
                  fum_tensor *prediction) {
    struct fum_nn nn;
    fum_nn_init(&nn, graph, "preview");
    fum_tensor *shown = fum_denoised_add(graph, d, prediction);
    bool mapped = d->preview_kind == FUM_PREVIEW_COLOURS && !pipe->view->pixels;
    if (mapped) shown = add_colours(graph, &nn, pipe->view->traits.colours, shown);
    d->preview = shown;
    fum_graph_output(graph, shown, "preview");
}

// ---- a run ----

// What a step put out for the first picture of the batch, and room for its bytes.
struct shown {
    const float *values;
    uint8_t *pixels;
    size_t count; // bytes
};

static enum fum_result make_pixels(fum_pipeline *pipe, const struct fum_run *run,
                                   const struct shown *shown, struct fum_error *err) {
    if (run->params->preview == FUM_PREVIEW_COLOURS) {
        if (pipe->view->pixels && pipe->view->traits.unit_pixels)
            fum_unit_pixels_to_bytes(shown->values, shown->pixels, shown->count);
        else
            fum_pixels_to_bytes(shown->values, shown->pixels, shown->count);
        return FUM_OK;
    }
    const struct fum_latents latents = {shown->values, run->latent_height, run->latent_width};
    return pipe->kind->make(pipe, &latents, shown->pixels, err);
}

// Describes the preview. Colours have a pixel for each of the latents.
static struct fum_image describe(const fum_pipeline *pipe, const struct fum_run *run, int first) {
    bool mapped = run->params->preview == FUM_PREVIEW_COLOURS;
    return (struct fum_image){
        .index = first,
        .seed = fum_run_seed(run, first),
        .width = mapped ? run->latent_width : run->width,
        .height = mapped ? run->latent_height : run->height,
        .channels = mapped && !pipe->view->pixels ? COLOURS : pipe->view->vae.out_channels};
}

static enum fum_result show(fum_pipeline *pipe, const struct fum_run *run, int first, int step,
                            struct fum_error *err) {
    const struct fum_generate_params *p = run->params;
    const struct fum_denoiser *d = &pipe->denoiser;
    int interval = p->preview_interval > 0 ? p->preview_interval : 1;
    if (step % interval) return FUM_OK;
    struct fum_image image = describe(pipe, run, first);
    size_t count = (size_t)fum_shape_count(&d->preview->desc.shape),
           pixels = (size_t)image.width * (size_t)image.height * (size_t)image.channels;
    float *values = fum_alloc(count, sizeof *values);
    uint8_t *bytes = fum_alloc(pixels, 1);
    enum fum_result result =
        values && bytes
            ? fum_executable_read(pipe->unet->compiled.exe, d->preview, values, count, err)
            : fum_error_set(err, FUM_ERR_NOMEM, "no memory for a preview");
    if (!result) result = make_pixels(pipe, run, &(struct shown){values, bytes, pixels}, err);
    image.pixels = bytes;
    if (!result && !p->on_preview(p->user, &image, step))
        result = fum_error_set(err, FUM_ERR_CANCELLED, "stopped at the preview of step %d", step);
    fum_free(values);
    fum_free(bytes);
    return result;
}

const struct fum_task fum_task_preview = {
    .name = "preview",
    .serves = serves,
    .open = check_preview,
    .watch = watch,
    .stepped = show,
};
