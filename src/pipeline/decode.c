// SPDX-License-Identifier: MIT
// Decodes latents to a picture. It decodes the whole where the device and the budget can hold that,
// else bands, else overlapping tiles through one compiled graph.
#include "base/error.h"
#include "base/log.h"
#include "pipeline/bands.h"
#include "pipeline/budget.h"
#include "pipeline/compile.h"
#include "pipeline/finite.h"
#include "pipeline/pipeline.h"
#include "pipeline/tiles.h"

#include <stdio.h>
#include <string.h>

// ---- the graph ----

// Builds the graph of the picture, or of a tile of it.
static enum fum_result build_decoder(const fum_pipeline *pipe, struct fum_decoder *d,
                                     fum_graph **out, struct fum_error *err) {
    const struct fum_vae_config *config = &pipe->view->vae;
    enum fum_dtype storage = pipe->vae->storage;
    enum fum_result result = fum_graph_create(out, storage, err);
    if (result) return result;
    fum_graph *graph = *out;
    fum_graph_wrap(graph, fum_seamless_axes(pipe->seamless));
    struct fum_shape shape = {4, {1, d->tile_height, d->tile_width, config->latent_channels}};
    d->latents = fum_graph_input(graph, "latents", shape, storage, FUM_STAGE_STEP);
    d->flag = fum_finite_flag(graph);
    d->pixels = fum_vae_decode(graph, config, NULL, fum_vae_unscale(graph, config, d->latents));
    fum_graph_output(graph, d->pixels, "pixels");
    fum_finite_check(graph, d->flag, d->pixels);
    return fum_component_check_graph(pipe->vae, graph, err);
}

static enum fum_result compile_decoder(fum_pipeline *pipe, struct fum_error *err) {
    struct fum_compiled *compiled = &pipe->vae->compiled;
    enum fum_result result = build_decoder(pipe, &pipe->decoder, &compiled->graph, err);
    if (!result) result = fum_component_compile(pipe->vae, compiled, err);
    if (result) fum_compiled_clear(compiled);
    return result;
}

// Measures what decoding the whole picture takes.
static enum fum_result measure_whole(fum_pipeline *pipe, int height, int width,
                                     struct fum_executable_size *size, struct fum_error *err) {
    struct fum_decoder d = {.tile_height = height, .tile_width = width};
    fum_graph *graph = NULL;
    *size = (struct fum_executable_size){0};
    enum fum_result result = build_decoder(pipe, &d, &graph, err);
    if (!result) result = fum_executable_measure(graph, pipe->device, size, err);
    fum_graph_destroy(&graph);
    return result;
}

enum fum_result fum_decoder_build(struct fum_component *component, const struct fum_run *run,
                                  fum_graph **graph, struct fum_error *err) {
    struct fum_decoder d = {.tile_height = run->latent_height, .tile_width = run->latent_width};
    return build_decoder(component->pipe, &d, graph, err);
}

// ---- which way ----

// Measures the whole and the bands; the smaller of the two must fit.
enum fum_result fum_decoder_measure(struct fum_component *component, const struct fum_run *run,
                                    struct fum_executable_size *size, struct fum_error *err) {
    fum_pipeline *pipe = component->pipe;
    int height = run->latent_height, width = run->latent_width;
    uint64_t bands = 0;
    enum fum_result whole = measure_whole(pipe, height, width, size, NULL), result = FUM_OK;
    const struct fum_bands in = {.height = height, .width = width};
    if (fum_bands_possible(pipe, &in, NULL)) result = fum_bands_least(pipe, &in, &bands, err);
    if (bands && (whole || bands < size->least)) size->least = bands;
    return result;
}

static bool too_large(enum fum_result result) {
    return result == FUM_ERR_UNSUPPORTED || result == FUM_ERR_NOMEM;
}

// Makes the decoder of the whole picture, unless the user, the budget or the device refuses it: the
// error says why. Leaves in d->room what bands may take.
static enum fum_result prepare_whole(fum_pipeline *pipe, int height, int width,
                                     struct fum_error *err) {
    struct fum_decoder *d = &pipe->decoder;
    struct fum_executable_size size;
    enum fum_result result = measure_whole(pipe, height, width, &size, err);
    uint64_t room = FUM_BAND_BYTES;
    bool tiling = pipe->params.vae_tiling;
    *d = (struct fum_decoder){.height = height,
                              .width = width,
                              .tile_height = height,
                              .tile_width = width,
                              .seamless = pipe->seamless};
    if (pipe->budget && tiling)
        room = fum_budget_decode(pipe, FUM_BAND_BYTES, FUM_BAND_BYTES);
    else if (pipe->budget)
        room = fum_budget_decode(pipe, size.activations + size.weights, size.least);
    d->room = tiling && room > FUM_BAND_BYTES ? FUM_BAND_BYTES : room;
    if (tiling) return fum_error_set(err, FUM_ERR_NOMEM, "as requested");
    if (result) return result;
    if (pipe->budget && room < size.least)
        return fum_error_set(err, FUM_ERR_NOMEM,
                             "the whole needs %.1f MiB, the budget leaves %.1f MiB",
                             (double)size.least / (1 << 20), (double)room / (1 << 20));
    return compile_decoder(pipe, err);
}

static void log_tiles(const fum_pipeline *pipe, const char *why) {
    const struct fum_decoder *d = &pipe->decoder;
    int factor = fum_vae_factor(&pipe->view->vae);
    fum_log(pipe->params.log, FUM_LOG_WARN,
            "vae: decoding %dx%d pixels in %d tiles of %dx%d, as the whole does not fit: %s",
            d->width * factor, d->height * factor,
            fum_vae_tile_count(d->height, d->tile_height) *
                fum_vae_tile_count(d->width, d->tile_width),
            d->tile_width * factor, d->tile_height * factor, why);
}

// Makes the decoder of the largest tile that fits. Only where not even the decoder's low-resolution
// blocks run whole: each tile has norms of its own, which shows.
static enum fum_result prepare_tiles(fum_pipeline *pipe, int height, int width,
                                     const struct fum_error *why, struct fum_error *err) {
    struct fum_decoder *d = &pipe->decoder;
    int tile_height = height, tile_width = width;
    enum fum_result result = why->code;
    struct fum_error again = *why;
    if (pipe->seamless)
        return fum_error_set(err, result,
                             "vae: tiles would leave seams in a seamless picture, and neither the "
                             "whole nor bands fit: %s",
                             why->text);
    while (too_large(result) && fum_vae_tile_shrink(&tile_height, &tile_width)) {
        *d = (struct fum_decoder){.way = FUM_DECODE_TILES,
                                  .height = height,
                                  .width = width,
                                  .tile_height = tile_height,
                                  .tile_width = tile_width};
        result = compile_decoder(pipe, &again);
    }
    if (result) return fum_error_set(err, result, "%s", again.text);
    log_tiles(pipe, why->text);
    return FUM_OK;
}

enum fum_result fum_decode_prepare(fum_pipeline *pipe, int height, int width,
                                   struct fum_error *err) {
    struct fum_decoder *d = &pipe->decoder;
    struct fum_error why = {0};
    bool same = d->height == height && d->width == width && d->seamless == pipe->seamless;
    bool logged = same && d->way == FUM_DECODE_BANDS;
    if (pipe->vae->compiled.exe && same) return FUM_OK;
    int factor = fum_vae_factor(&pipe->view->vae);
    fum_compiled_clear(&pipe->vae->compiled);
    enum fum_result result = prepare_whole(pipe, height, width, &why);
    why.code = result;
    if (!result || !too_large(result))
        return result ? fum_error_set(err, result, "%s", why.text) : FUM_OK;
    if (!fum_bands_possible(pipe, &(struct fum_bands){.height = height, .width = width}, NULL))
        return prepare_tiles(pipe, height, width, &why, err);
    d->way = FUM_DECODE_BANDS;
    bool expected = pipe->params.vae_tiling || pipe->budget;
    if (!logged)
        fum_log(pipe->params.log, expected ? FUM_LOG_INFO : FUM_LOG_WARN,
                "vae: decoding %dx%d pixels in bands of rows: %s", width * factor, height * factor,
                why.text);
    return FUM_OK;
}

// ---- running ----

static bool on_piece(void *user, int done, int total) {
    return fum_pipeline_report_decode(user, done, total);
}

// Decoded values of one picture, [3 · height · width · factor²], and what was found about them.
struct decoded {
    float *values;
    size_t count;
    bool finite;
    char bad[64]; // module with the first non-finite value; "": unknown
};

// Runs the compiled graph: one tile, or the whole.
static enum fum_result run_graph(fum_pipeline *pipe, const float *latents, struct decoded *out,
                                 struct fum_error *err) {
    const struct fum_decoder *d = &pipe->decoder;
    const struct fum_progress progress = {on_piece, pipe};
    fum_executable *exe = pipe->vae->compiled.exe;
    size_t n = (size_t)fum_shape_count(&d->latents->desc.shape);
    enum fum_result result = fum_executable_write(exe, d->latents, latents, n, err);
    if (!result) result = fum_finite_reset(exe, d->flag, err);
    if (!result && d->way == FUM_DECODE_WHOLE)
        result = fum_executable_run_reported(exe, FUM_STAGE_STEP, &progress, err);
    else if (!result)
        result = fum_executable_run(exe, FUM_STAGE_STEP, err);
    if (!result) result = fum_executable_read(exe, d->pixels, out->values, out->count, err);
    return result ? result : fum_finite_read(exe, d->flag, &out->finite, err);
}

// What the tiles of one picture share.
struct tiling {
    int rows, columns; // of tiles
    int factor;        // pixels per latent pixel
    float *row_weights, *column_weights;
    const float *whole;  // latents of the picture
    float *latents;      // of one tile
    struct decoded tile; // the same, decoded
};

// Decodes tile `index` and adds it to the picture.
static enum fum_result run_tile(fum_pipeline *pipe, struct tiling *t, int index,
                                struct decoded *out, struct fum_error *err) {
    const struct fum_decoder *d = &pipe->decoder;
    int row = index / t->columns, column = index % t->columns;
    int top = fum_vae_tile_start(d->height, d->tile_height, row),
        left = fum_vae_tile_start(d->width, d->tile_width, column);
    size_t channels = (size_t)pipe->view->vae.latent_channels,
           across = (size_t)d->tile_width * channels;
    for (int y = 0; y < d->tile_height; y++)
        memcpy(t->latents + (size_t)y * across,
               t->whole + ((size_t)(top + y) * (size_t)d->width + (size_t)left) * channels,
               across * sizeof *t->latents);
    struct fum_vae_tile tile = {.top = top * t->factor,
                                .left = left * t->factor,
                                .height = d->tile_height * t->factor,
                                .width = d->tile_width * t->factor};
    tile.rows = t->row_weights + (size_t)row * (size_t)tile.height;
    tile.columns = t->column_weights + (size_t)column * (size_t)tile.width;
    enum fum_result result = run_graph(pipe, t->latents, &t->tile, err);
    out->finite = t->tile.finite;
    if (!result && out->finite)
        fum_vae_tile_add(out->values, d->width * t->factor, &tile, t->tile.values);
    return result;
}

static bool tiling_make(const fum_pipeline *pipe, struct tiling *t) {
    const struct fum_decoder *d = &pipe->decoder;
    *t = (struct tiling){.rows = fum_vae_tile_count(d->height, d->tile_height),
                         .columns = fum_vae_tile_count(d->width, d->tile_width),
                         .factor = fum_vae_factor(&pipe->view->vae)};
    size_t factor = (size_t)t->factor, area = (size_t)d->tile_height * (size_t)d->tile_width;
    t->row_weights = fum_alloc((size_t)t->rows * (size_t)d->tile_height * factor, sizeof(float));
    t->column_weights =
        fum_alloc((size_t)t->columns * (size_t)d->tile_width * factor, sizeof(float));
    t->latents = fum_alloc(area * (size_t)pipe->view->vae.latent_channels, sizeof(float));
    t->tile.count = 3 * area * factor * factor;
    t->tile.values = fum_alloc(t->tile.count, sizeof(float));
    if (!t->row_weights || !t->column_weights || !t->latents || !t->tile.values) return false;
    fum_vae_tile_weights(d->height, d->tile_height, t->factor, t->row_weights);
    fum_vae_tile_weights(d->width, d->tile_width, t->factor, t->column_weights);
    return true;
}

static void tiling_free(struct tiling *t) {
    fum_free(t->row_weights);
    fum_free(t->column_weights);
    fum_free(t->latents);
    fum_free(t->tile.values);
}

// Stops at the first non-finite tile, which stays in the decoder's memory for the diagnosis.
static enum fum_result run_tiles(fum_pipeline *pipe, const float *latents, struct decoded *out,
                                 struct fum_error *err) {
    const struct fum_decoder *d = &pipe->decoder;
    struct tiling t;
    enum fum_result result = FUM_OK;
    if (!tiling_make(pipe, &t))
        result = fum_error_set(err, FUM_ERR_NOMEM, "no memory for a tile of %dx%d latent pixels",
                               d->tile_width, d->tile_height);
    int count = t.rows * t.columns;
    t.whole = latents;
    memset(out->values, 0, out->count * sizeof *out->values);
    out->finite = true;
    for (int i = 0; i < count && !result && out->finite; i++) {
        if (!fum_pipeline_report_decode(pipe, i, count)) {
            result = fum_error_set(err, FUM_ERR_CANCELLED, "vae was cancelled");
            break;
        }
        result = run_tile(pipe, &t, i, out, err);
        fum_log(pipe->params.log, FUM_LOG_INFO, "vae: tile %d of %d", i + 1, count);
    }
    tiling_free(&t);
    return result;
}

// Decodes in bands; in thinner ones where the device has less memory than was thought.
static enum fum_result run_bands(fum_pipeline *pipe, const float *latents, struct decoded *out,
                                 struct fum_error *err) {
    struct fum_decoder *d = &pipe->decoder;
    struct fum_bands bands = {.height = d->height, .width = d->width, .room = d->room};
    enum fum_result result = fum_bands_decode(pipe, &bands, latents, out->values, err);
    while (result == FUM_ERR_NOMEM && !pipe->budget && bands.room >= (4 << 20)) {
        d->room = bands.room /= 2;
        result = fum_bands_decode(pipe, &bands, latents, out->values, err);
    }
    snprintf(out->bad, sizeof out->bad, "%s", bands.bad);
    out->finite = !bands.bad[0];
    return result;
}

// Makes the decoder f32 after non-finite values, or fails when it is. `node`: the first one with
// such a value; "": finds it by running the graph again.
static enum fum_result widen_decoder(fum_pipeline *pipe, const char *node, struct fum_error *err) {
    if (!*node) {
        enum fum_result result =
            fum_executable_first_nonfinite(pipe->vae->compiled.exe, FUM_STAGE_STEP, &node, err);
        if (result) return result;
    }
    return fum_component_widen(pipe->vae, node ? node : "the decoder", "decoding", err);
}

static size_t count_values(const fum_pipeline *pipe, const struct fum_latents *latents) {
    size_t factor = (size_t)fum_vae_factor(&pipe->view->vae);
    return 3 * factor * (size_t)latents->height * factor * (size_t)latents->width;
}

static enum fum_result run_any(fum_pipeline *pipe, const float *latents, struct decoded *out,
                               struct fum_error *err) {
    static enum fum_result (*const ways[])(fum_pipeline *, const float *, struct decoded *,
                                           struct fum_error *) = {[FUM_DECODE_WHOLE] = run_graph,
                                                                  [FUM_DECODE_BANDS] = run_bands,
                                                                  [FUM_DECODE_TILES] = run_tiles};
    double start = fum_time_now();
    enum fum_result result = ways[pipe->decoder.way](pipe, latents, out, err);
    if (!result) pipe->times.decode = fum_time_now() - start;
    return result;
}

enum fum_result fum_decode_values(fum_pipeline *pipe, const struct fum_latents *latents,
                                  float *values, struct fum_error *err) {
    struct decoded out = {.values = values, .count = count_values(pipe, latents)};
    enum fum_result result = FUM_OK;
    while (!result && !out.finite) {
        out.bad[0] = 0;
        result = fum_decode_prepare(pipe, latents->height, latents->width, err);
        if (!result) result = run_any(pipe, latents->values, &out, err);
        if (!result && !out.finite) result = widen_decoder(pipe, out.bad, err);
    }
    if (result) {
        fum_compiled_clear(&pipe->vae->compiled);
        pipe->decoder.way = FUM_DECODE_WHOLE;
    }
    return result;
}

enum fum_result fum_decode(fum_pipeline *pipe, const struct fum_latents *latents, uint8_t *pixels,
                           struct fum_error *err) {
    size_t count = count_values(pipe, latents);
    float *values = fum_alloc(count, sizeof *values);
    if (!values)
        return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a picture of %zu values", count);
    enum fum_result result = fum_decode_values(pipe, latents, values, err);
    if (!result) fum_pixels_to_bytes(values, pixels, count);
    fum_free(values);
    return result;
}
