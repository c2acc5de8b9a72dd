// SPDX-License-Identifier: MIT
// Encodes a picture to the distribution of its latents with the VAE's encoder. It encodes the whole
// where the device and the budget can hold that, else bands, else overlapping tiles through one
// compiled graph.
#include "base/error.h"
#include "base/log.h"
#include "base/macros.h"
#include "pipeline/bands.h"
#include "pipeline/budget.h"
#include "pipeline/compile.h"
#include "pipeline/finite.h"
#include "pipeline/pipeline.h"
#include "pipeline/tiles.h"

#include <math.h>
#include <string.h>

// Builds the graph of the picture, or of a tile of it. Its results are the mean of the latents and
// the logarithm of their variance, which no factor scales.
static enum fum_result build_encoder(const fum_pipeline *pipe, struct fum_image_encoder *e,
                                     fum_graph **out, struct fum_error *err) {
    const struct fum_vae_config *config = &pipe->view->vae;
    enum fum_dtype storage = pipe->vae_encoder->storage;
    int factor = fum_vae_factor(config);
    struct fum_shape shape = {
        4, {1, e->tile_height * factor, e->tile_width * factor, config->in_channels}};
    struct fum_vae_moments moments = {0};
    enum fum_result result = fum_graph_create(out, storage, err);
    if (result) return result;
    fum_graph *graph = *out;
    e->pixels = fum_graph_input(graph, "pixels", shape, storage, FUM_STAGE_STEP);
    fum_vae_encode(graph, config, NULL, e->pixels, &moments);
    e->mean = fum_vae_scale(graph, config, moments.mean);
    e->logvar = moments.logvar;
    fum_graph_output(graph, e->mean, "mean");
    fum_graph_output(graph, e->logvar, "logvar");
    return fum_component_check_graph(pipe->vae_encoder, graph, err);
}

static enum fum_result compile_encoder(fum_pipeline *pipe, struct fum_error *err) {
    struct fum_component *component = pipe->vae_encoder;
    struct fum_compiled *compiled = &component->compiled;
    fum_compiled_clear(compiled);
    enum fum_result result = build_encoder(pipe, &pipe->image_encoder, &compiled->graph, err);
    if (!result) result = fum_component_compile(component, compiled, err);
    if (!result) result = fum_executable_run(compiled->exe, FUM_STAGE_LOAD, err);
    if (result) fum_compiled_clear(compiled);
    return result;
}

enum fum_result fum_image_encoder_measure(struct fum_component *component,
                                          const struct fum_run *run,
                                          struct fum_executable_size *size, struct fum_error *err) {
    fum_pipeline *pipe = component->pipe;
    const struct fum_bands bands = {
        .height = run->latent_height, .width = run->latent_width, .encodes = true};
    struct fum_image_encoder e = {.tile_height = run->latent_height,
                                  .tile_width = run->latent_width};
    fum_graph *graph = NULL;
    *size = (struct fum_executable_size){0};
    if (!fum_image_given(&run->params->init_image) || pipe->view->low_res.reads) return FUM_OK;
    while (fum_vae_tile_shrink(&e.tile_height, &e.tile_width)) continue;
    enum fum_result result = build_encoder(pipe, &e, &graph, err);
    if (!result) result = fum_executable_measure(graph, pipe->device, size, err);
    fum_graph_destroy(&graph);
    uint64_t least = 0;
    bool banded = !result && fum_bands_possible(pipe, &bands, NULL);
    if (banded && !fum_bands_least(pipe, &bands, &least, NULL))
        size->least = FUM_MIN(size->least, least);
    return result;
}

// Makes the other components leave the device. Returns false if none was there.
static bool release_others(fum_pipeline *pipe) {
    bool any = false;
    for (int i = 0; i < pipe->num_components; i++) {
        struct fum_component *c = &pipe->components[i];
        if (c == pipe->vae_encoder || (!c->compiled.exe && !c->weights)) continue;
        fum_component_release(c);
        any = true;
    }
    return any;
}

// Compiles the encoder of the whole picture. Where the device refuses memory, other components
// leave it first, since tiles see less of the picture. A budget has made room already.
static enum fum_result compile_whole(fum_pipeline *pipe, struct fum_error *err) {
    enum fum_result result = compile_encoder(pipe, err);
    if (result != FUM_ERR_NOMEM || pipe->budget || !release_others(pipe)) return result;
    fum_log(pipe->params.log, FUM_LOG_INFO,
            "memory: other components leave the device, to make room for vae_encoder: %s",
            err->text);
    return compile_encoder(pipe, err);
}

static bool is_too_large(enum fum_result result) {
    return result == FUM_ERR_UNSUPPORTED || result == FUM_ERR_NOMEM;
}

// Prepares bands if they can run. The room for them is what others leave of a budget.
static bool prepare_bands(fum_pipeline *pipe) {
    struct fum_image_encoder *e = &pipe->image_encoder;
    const struct fum_bands bands = {.height = e->height, .width = e->width, .encodes = true};
    uint64_t least = 0;
    e->room = FUM_BAND_BYTES;
    e->bands = fum_bands_possible(pipe, &bands, NULL);
    if (!e->bands || !pipe->budget) return e->bands;
    if (fum_bands_least(pipe, &bands, &least, NULL)) return e->bands = false;
    const struct fum_weights *weights = pipe->vae_encoder->weights;
    e->room = fum_budget_room(pipe->vae_encoder, least, least);
    if (weights) e->room += fum_weights_bytes(weights);
    return e->bands = e->room >= least;
}

static int count_tiles(const struct fum_image_encoder *e) {
    return fum_vae_tile_count(e->height, e->tile_height) *
           fum_vae_tile_count(e->width, e->tile_width);
}

enum fum_result fum_encode_image_prepare(fum_pipeline *pipe, int height, int width,
                                         struct fum_error *err) {
    struct fum_image_encoder *e = &pipe->image_encoder;
    int factor = fum_vae_factor(&pipe->view->vae);
    if (pipe->vae_encoder->compiled.exe && e->height == height / factor &&
        e->width == width / factor)
        return FUM_OK;
    struct fum_error why = {0}, again = {0};
    *e = (struct fum_image_encoder){.height = height / factor, .width = width / factor};
    e->tile_height = e->height;
    e->tile_width = e->width;
    enum fum_result result = compile_whole(pipe, &why);
    again = why;
    if (is_too_large(result) && prepare_bands(pipe)) {
        fum_log(pipe->params.log, pipe->budget ? FUM_LOG_INFO : FUM_LOG_WARN,
                "vae: encoding %dx%d pixels in bands of rows: %s", width, height, why.text);
        return FUM_OK;
    }
    while (is_too_large(result) && fum_vae_tile_shrink(&e->tile_height, &e->tile_width))
        result = compile_encoder(pipe, &again);
    if (result) return fum_error_set(err, result, "%s", again.text);
    if (count_tiles(e) > 1)
        fum_log(pipe->params.log, FUM_LOG_WARN,
                "vae: encoding %dx%d pixels in %d tiles of %dx%d, as the whole does not fit: %s",
                width, height, count_tiles(e), e->tile_width * factor, e->tile_height * factor,
                why.text);
    return FUM_OK;
}

// ---- running ----

// What encoding a picture needs in memory.
struct encoding {
    const struct fum_pixels *picture;
    int channels;                  // of latents
    float *mean, *logvar;          // of the picture
    float *pixels, *part, *spread; // of one tile
    float *rows, *columns;         // weights of the tiles
};

static size_t count_values(const fum_tensor *tensor) {
    return (size_t)fum_shape_count(&tensor->desc.shape);
}

// Copies the pixels of the tile at a latent pixel.
static void take_tile(const fum_pipeline *pipe, const struct encoding *job, int top, int left) {
    const struct fum_image_encoder *e = &pipe->image_encoder;
    size_t factor = (size_t)fum_vae_factor(&pipe->view->vae),
           channels = (size_t)pipe->view->vae.in_channels,
           stride = (size_t)job->picture->width * channels,
           run = (size_t)e->tile_width * factor * channels;
    const float *from =
        job->picture->values + (size_t)top * factor * stride + (size_t)left * factor * channels;
    for (size_t y = 0; y < (size_t)e->tile_height * factor; y++)
        memcpy(job->pixels + y * run, from + y * stride, run * sizeof *from);
}

static enum fum_result encode_tile(fum_pipeline *pipe, const struct encoding *job,
                                   struct fum_error *err) {
    const struct fum_image_encoder *e = &pipe->image_encoder;
    fum_executable *exe = pipe->vae_encoder->compiled.exe;
    enum fum_result result =
        fum_executable_write(exe, e->pixels, job->pixels, count_values(e->pixels), err);
    if (!result) result = fum_executable_run(exe, FUM_STAGE_STEP, err);
    if (!result) result = fum_executable_read(exe, e->mean, job->part, count_values(e->mean), err);
    return result ? result
                  : fum_executable_read(exe, e->logvar, job->spread, count_values(e->logvar), err);
}

// Adds the tile of row i and column k, weighted.
static void add_tile(const struct fum_image_encoder *e, const struct encoding *job, int i, int k) {
    const float *rows = job->rows + i * e->tile_height, *columns = job->columns + k * e->tile_width;
    int top = fum_vae_tile_start(e->height, e->tile_height, i),
        left = fum_vae_tile_start(e->width, e->tile_width, k);
    size_t channels = (size_t)job->channels, from = 0;
    for (int y = 0; y < e->tile_height; y++)
        for (int x = 0; x < e->tile_width; x++) {
            size_t to = ((size_t)(top + y) * (size_t)e->width + (size_t)(left + x)) * channels;
            for (size_t c = 0; c < channels; c++, from++) {
                job->mean[to + c] += rows[y] * columns[x] * job->part[from];
                job->logvar[to + c] += rows[y] * columns[x] * job->spread[from];
            }
        }
}

static enum fum_result encode_tiles(fum_pipeline *pipe, const struct encoding *job,
                                    struct fum_error *err) {
    const struct fum_image_encoder *e = &pipe->image_encoder;
    int rows = fum_vae_tile_count(e->height, e->tile_height),
        columns = fum_vae_tile_count(e->width, e->tile_width);
    enum fum_result result = FUM_OK;
    fum_vae_tile_weights(e->height, e->tile_height, 1, job->rows);
    fum_vae_tile_weights(e->width, e->tile_width, 1, job->columns);
    for (int i = 0; i < rows * columns && !result; i++) {
        int row = i / columns, column = i % columns;
        take_tile(pipe, job, fum_vae_tile_start(e->height, e->tile_height, row),
                  fum_vae_tile_start(e->width, e->tile_width, column));
        result = encode_tile(pipe, job, err);
        if (!result) add_tile(e, job, row, column);
    }
    return result;
}

static bool alloc_encoding(const struct fum_image_encoder *e, struct encoding *job, size_t count) {
    size_t rows = (size_t)fum_vae_tile_count(e->height, e->tile_height) * (size_t)e->tile_height,
           columns = (size_t)fum_vae_tile_count(e->width, e->tile_width) * (size_t)e->tile_width;
    job->mean = fum_calloc(count, sizeof *job->mean);
    job->logvar = fum_calloc(count, sizeof *job->logvar);
    job->pixels = fum_alloc(count_values(e->pixels), sizeof *job->pixels);
    job->part = fum_alloc(count_values(e->mean), sizeof *job->part);
    job->spread = fum_alloc(count_values(e->logvar), sizeof *job->spread);
    job->rows = fum_alloc(rows, sizeof *job->rows);
    job->columns = fum_alloc(columns, sizeof *job->columns);
    return job->mean && job->logvar && job->pixels && job->part && job->spread && job->rows &&
           job->columns;
}

static void free_encoding(struct encoding *job) {
    float *all[] = {job->mean,   job->logvar, job->pixels, job->part,
                    job->spread, job->rows,   job->columns};
    for (size_t i = 0; i < FUM_COUNT(all); i++) fum_free(all[i]);
}

static bool is_finite(const struct encoding *job, size_t count) {
    return fum_finite_values(job->mean, count) && fum_finite_values(job->logvar, count);
}

// Encodes in bands; in thinner ones where the device has less memory than was thought.
static enum fum_result encode_bands(fum_pipeline *pipe, struct encoding *job, size_t count,
                                    bool *finite, struct fum_error *err) {
    struct fum_image_encoder *e = &pipe->image_encoder;
    struct fum_bands bands = {
        .height = e->height, .width = e->width, .room = e->room, .encodes = true};
    job->mean = fum_calloc(count, sizeof *job->mean);
    job->logvar = fum_calloc(count, sizeof *job->logvar);
    if (!job->mean || !job->logvar)
        return fum_error_set(err, FUM_ERR_NOMEM, "no memory to encode a picture");
    const struct fum_bands_posterior out = {job->mean, job->logvar};
    enum fum_result result = fum_bands_encode(pipe, &bands, job->picture->values, &out, err);
    while (result == FUM_ERR_NOMEM && !pipe->budget && bands.room >= (4 << 20)) {
        e->room = bands.room /= 2;
        result = fum_bands_encode(pipe, &bands, job->picture->values, &out, err);
    }
    *finite = !result && !bands.bad[0] && is_finite(job, count);
    return result;
}

// Encodes a picture with what is compiled. *finite: no value overflowed.
static enum fum_result encode(fum_pipeline *pipe, struct encoding *job, size_t count, bool *finite,
                              struct fum_error *err) {
    if (!alloc_encoding(&pipe->image_encoder, job, count))
        return fum_error_set(err, FUM_ERR_NOMEM, "no memory to encode a picture");
    enum fum_result result = encode_tiles(pipe, job, err);
    *finite = !result && is_finite(job, count);
    return result;
}

// Hands the distribution over, its deviation scaled as the mean is.
static void hand_over(const struct fum_vae_config *vae, const struct encoding *job, float *mean,
                      float *deviation, size_t count) {
    memcpy(mean, job->mean, count * sizeof *mean);
    for (size_t i = 0; i < count && deviation; i++) {
        double scale =
            vae->scale / (vae->has_stats ? (double)vae->std[i % (size_t)job->channels] : 1);
        deviation[i] = (float)(exp(0.5 * (double)job->logvar[i]) * scale);
    }
}

enum fum_result fum_encode_posterior(fum_pipeline *pipe, const struct fum_pixels *pixels,
                                     float *mean, float *deviation, struct fum_error *err) {
    const struct fum_image_encoder *e = &pipe->image_encoder;
    const struct fum_vae_config *vae = &pipe->view->vae;
    for (;;) {
        struct encoding job = {.picture = pixels, .channels = vae->latent_channels};
        bool finite = true;
        enum fum_result result = fum_encode_image_prepare(pipe, pixels->height, pixels->width, err);
        size_t count = (size_t)e->height * (size_t)e->width * (size_t)job.channels;
        if (!result)
            result = e->bands ? encode_bands(pipe, &job, count, &finite, err)
                              : encode(pipe, &job, count, &finite, err);
        if (!result && finite) hand_over(vae, &job, mean, deviation, count);
        free_encoding(&job);
        if (!result && !finite)
            result = fum_component_widen(pipe->vae_encoder, "the encoder", "encoding again", err);
        if (result || finite) return result;
    }
}

enum fum_result fum_encode_image(fum_pipeline *pipe, const struct fum_pixels *pixels,
                                 float *latents, struct fum_error *err) {
    return fum_encode_posterior(pipe, pixels, latents, NULL, err);
}
