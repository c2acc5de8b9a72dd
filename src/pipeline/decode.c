// Latents to a picture.
#include "pipeline/pipeline.h"

#include "base/error.h"
#include "base/log.h"

#include <limits.h>
#include <math.h>

static enum fum_result build(fum_pipeline *pipe, struct fum_decoder *d, struct fum_error *err) {
    const struct fum_vae_config *config = &pipe->view->vae;
    enum fum_result result = fum_graph_create(&d->g.graph, pipe->vae_storage, err);
    if (result) return result;
    fum_graph *graph = d->g.graph;
    struct fum_shape shape = {4, {1, d->height, d->width, config->latent_channels}};
    d->latents = fum_graph_input(graph, "latents", shape, pipe->vae_storage, FUM_STAGE_LATENTS);
    d->flag = fum_graph_state(graph, "flag", (struct fum_shape){1, {1}}, FUM_I32);
    d->pixels = fum_vae_decode(graph, config, NULL, fum_vae_unscale(graph, config, d->latents));
    fum_graph_output(graph, d->pixels, "pixels");
    fum_graph_add(graph, "check_finite", "check_finite", (fum_tensor *[]){d->flag, d->pixels}, 2, NULL);
    if ((result = fum_graph_check(graph, err))) return result;
    return fum_pipeline_compile(pipe, &d->g, "vae", &pipe->view->vae_weights, &pipe->vae_weights, err);
}

static enum fum_result run(fum_pipeline *pipe, const float *latents, float *values, size_t count, bool *finite,
                           struct fum_error *err) {
    struct fum_decoder *d = &pipe->decoder;
    float flag = 0;
    size_t n = (size_t)fum_shape_count(&d->latents->desc.shape);
    enum fum_result result = fum_executable_write(d->g.exe, d->latents, latents, n, err);
    if (!result) result = fum_executable_write_i32(d->g.exe, d->flag, &(int32_t){INT32_MAX}, 1, err);
    if (!result) result = fum_executable_run(d->g.exe, FUM_STAGE_LATENTS, err);
    if (!result) result = fum_executable_read(d->g.exe, d->pixels, values, count, err);
    if (!result) result = fum_executable_read(d->g.exe, d->flag, &flag, 1, err);
    *finite = flag >= (float)INT32_MAX;
    return result;
}

// [-1, 1] to 0…255, rounded to nearest, half to even, as NumPy rounds.
static void to_bytes(const float *values, uint8_t *pixels, size_t count) {
    for (size_t i = 0; i < count; i++) {
        float v = values[i] / 2 + 0.5f;
        v = v < 0 ? 0 : v > 1 ? 1 : v;
        pixels[i] = (uint8_t)nearbyintf(v * 255);
    }
}

enum fum_result fum_decode(fum_pipeline *pipe, const float *latents, int height, int width, uint8_t *pixels,
                           struct fum_error *err) {
    struct fum_decoder *d = &pipe->decoder;
    enum fum_result result = FUM_OK;
    size_t factor = (size_t)fum_vae_factor(&pipe->view->vae);
    size_t count = 3 * factor * (size_t)height * factor * (size_t)width;
    float *values = fum_alloc(count, sizeof *values);
    if (!values) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a picture of %zu values", count);
    for (bool finite = false; !result && !finite;) {
        if (!d->g.exe || d->height != height || d->width != width) {
            fum_stage_graph_clear(&d->g);
            *d = (struct fum_decoder){.height = height, .width = width};
            result = build(pipe, d, err);
        }
        if (!result) result = run(pipe, latents, values, count, &finite, err);
        if (result || finite) break;
        const char *node = NULL;
        result = fum_executable_first_nonfinite(d->g.exe, FUM_STAGE_LATENTS, &node, err);
        if (result) break;
        if (pipe->vae_storage == FUM_F32) {
            result = fum_error_set(err, FUM_ERR_FORMAT,
                                   "vae: %s gives values that are not finite, in f32 too: the weights may be damaged",
                                   node ? node : "the decoder");
            break;
        }
        fum_log(pipe->params.log, FUM_LOG_WARN, "vae: %s overflows %s; decoding in f32", node ? node : "the decoder",
                fum_dtype_name(pipe->vae_storage));
        fum_stage_graph_clear(&d->g);
        fum_weights_destroy(&pipe->vae_weights);
        pipe->vae_storage = FUM_F32;
    }
    if (!result) to_bytes(values, pixels, count);
    if (result) fum_stage_graph_clear(&d->g);
    fum_free(values);
    return result;
}
