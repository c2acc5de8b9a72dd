// SPDX-License-Identifier: MIT
// Encodes a picture to latents with the VAE's encoder.
#include "base/error.h"
#include "pipeline/compile.h"
#include "pipeline/pipeline.h"

// Builds the graph of one picture. Its result is the mean of the latents, without noise.
static enum fum_result build_encoder(const fum_pipeline *pipe, struct fum_image_encoder *e,
                                     fum_graph **out, struct fum_error *err) {
    const struct fum_vae_config *config = &pipe->view->vae;
    enum fum_dtype storage = pipe->vae_encoder->storage;
    struct fum_shape shape = {4, {1, e->height, e->width, config->in_channels}};
    struct fum_vae_moments moments = {0};
    enum fum_result result = fum_graph_create(out, storage, err);
    if (result) return result;
    fum_graph *graph = *out;
    e->pixels = fum_graph_input(graph, "pixels", shape, storage, FUM_STAGE_STEP);
    fum_vae_encode(graph, config, NULL, e->pixels, &moments);
    e->mean = fum_vae_scale(graph, config, moments.mean);
    fum_graph_output(graph, e->mean, "mean");
    return fum_component_check_graph(pipe->vae_encoder, graph, err);
}

enum fum_result fum_encode_image_prepare(fum_pipeline *pipe, int height, int width,
                                         struct fum_error *err) {
    struct fum_component *component = pipe->vae_encoder;
    struct fum_compiled *compiled = &component->compiled;
    struct fum_image_encoder *e = &pipe->image_encoder;
    if (compiled->exe && e->height == height && e->width == width) return FUM_OK;
    fum_compiled_clear(compiled);
    *e = (struct fum_image_encoder){.height = height, .width = width};
    enum fum_result result = build_encoder(pipe, e, &compiled->graph, err);
    if (!result) result = fum_component_compile(component, compiled, err);
    if (!result) result = fum_executable_run(compiled->exe, FUM_STAGE_LOAD, err);
    if (result) fum_compiled_clear(compiled);
    return result;
}

enum fum_result fum_encode_image(fum_pipeline *pipe, const struct fum_pixels *pixels,
                                 float *latents, struct fum_error *err) {
    const struct fum_image_encoder *e = &pipe->image_encoder;
    enum fum_result result = fum_encode_image_prepare(pipe, pixels->height, pixels->width, err);
    if (result) return result;
    fum_executable *exe = pipe->vae_encoder->compiled.exe;
    size_t count = (size_t)fum_shape_count(&e->pixels->desc.shape);
    result = fum_executable_write(exe, e->pixels, pixels->values, count, err);
    if (!result) result = fum_executable_run(exe, FUM_STAGE_STEP, err);
    if (result) return result;
    count = (size_t)fum_shape_count(&e->mean->desc.shape);
    return fum_executable_read(exe, e->mean, latents, count, err);
}
