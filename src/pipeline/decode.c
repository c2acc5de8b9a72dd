// SPDX-License-Identifier: MIT
// Latents to a picture: whole where the device and the budget can hold that, else in bands, else in
// overlapping tiles through one compiled graph.
#include "pipeline/pipeline.h"

#include "base/error.h"
#include "base/log.h"
#include "pipeline/bands.h"
#include "pipeline/budget.h"
#include "pipeline/tiles.h"

#include <limits.h>
#include <math.h>
#include <string.h>

// ---- the graph ----

// The graph of the picture, or of a tile of it.
static enum fum_result build(const fum_pipeline *pipe, struct fum_decoder *d,
                             struct fum_error *err) {
    const struct fum_vae_config *config = &pipe->view->vae;
    enum fum_result result = fum_graph_create(&d->g.graph, pipe->vae_storage, err);
    if (result) return result;
    fum_graph *graph = d->g.graph;
    struct fum_shape shape = {4, {1, d->tile_height, d->tile_width, config->latent_channels}};
    d->latents = fum_graph_input(graph, "latents", shape, pipe->vae_storage, FUM_STAGE_STEP);
    d->flag = fum_graph_state(graph, "flag", (struct fum_shape){1, {1}}, FUM_I32, FUM_STAGE_STEP);
    d->pixels = fum_vae_decode(graph, config, NULL, fum_vae_unscale(graph, config, d->latents));
    fum_graph_output(graph, d->pixels, "pixels");
    fum_graph_add(graph, "check_finite", "check_finite", FUM_INPUTS(d->flag, d->pixels), NULL);
    return fum_pipeline_check_graph(graph, "vae", err);
}

static enum fum_result compile(fum_pipeline *pipe, struct fum_decoder *d, struct fum_error *err) {
    enum fum_result result = build(pipe, d, err);
    if (!result)
        result = fum_pipeline_compile(pipe, &d->g, "vae", &pipe->view->vae_weights,
                                      &pipe->vae_weights, err);
    if (!result)
        fum_executable_get_stats(d->g.exe, &pipe->vae_stats);
    else
        fum_stage_graph_clear(&d->g);
    return result;
}

// What decoding the whole picture takes.
static enum fum_result measure(fum_pipeline *pipe, int height, int width,
                               struct fum_executable_size *size, struct fum_error *err) {
    struct fum_decoder d = {.tile_height = height, .tile_width = width};
    enum fum_result result = build(pipe, &d, err);
    if (!result) result = fum_executable_measure(d.g.graph, pipe->device, size, err);
    fum_stage_graph_clear(&d.g);
    return result;
}

// ---- which way ----

enum fum_result fum_decode_probe(fum_pipeline *pipe, int height, int width, struct fum_error *err) {
    // The smaller of the two ways is what must fit.
    struct fum_executable_size whole;
    uint64_t before = pipe->least;
    enum fum_result wide = measure(pipe, height, width, &whole, NULL), result = FUM_OK;
    pipe->least = 0;
    if (fum_bands_possible(pipe, height, width, NULL))
        result = fum_bands_probe(pipe, height, width, err);
    if (!wide && (whole.least < pipe->least || !pipe->least)) pipe->least = whole.least;
    if (before > pipe->least) pipe->least = before;
    return result;
}

static bool too_large(enum fum_result result) {
    return result == FUM_ERR_UNSUPPORTED || result == FUM_ERR_NOMEM;
}

// The whole picture, unless the user, the budget or the device does not want that: the error says
// why. Leaves in d->room what bands may take.
static enum fum_result prepare_whole(fum_pipeline *pipe, int height, int width,
                                     struct fum_error *err) {
    struct fum_decoder *d = &pipe->decoder;
    struct fum_executable_size size;
    enum fum_result result = measure(pipe, height, width, &size, err);
    uint64_t room = FUM_BAND_BYTES;
    bool tiling = pipe->params.vae_tiling;
    *d = (struct fum_decoder){
        .height = height, .width = width, .tile_height = height, .tile_width = width};
    if (pipe->budget && tiling)
        room = fum_budget_decode(pipe, FUM_BAND_BYTES, FUM_BAND_BYTES);
    else if (pipe->budget)
        room = fum_budget_decode(pipe, size.activations + size.weights, size.least);
    d->room = tiling && room > FUM_BAND_BYTES ? FUM_BAND_BYTES : room;
    if (tiling) return fum_error_set(err, FUM_ERR_NOMEM, "as was asked for");
    if (result) return result;
    if (pipe->budget && room < size.least)
        return fum_error_set(err, FUM_ERR_NOMEM,
                             "the whole needs %.1f MiB, the budget leaves %.1f MiB",
                             (double)size.least / (1 << 20), (double)room / (1 << 20));
    return compile(pipe, d, err);
}

static void say_tiles(const fum_pipeline *pipe, const char *why) {
    const struct fum_decoder *d = &pipe->decoder;
    int factor = fum_vae_factor(&pipe->view->vae);
    fum_log(pipe->params.log, FUM_LOG_WARN,
            "vae: decoding %dx%d pixels in %d tiles of %dx%d, as the whole does not fit: %s",
            d->width * factor, d->height * factor,
            fum_tile_count(d->height, d->tile_height) * fum_tile_count(d->width, d->tile_width),
            d->tile_width * factor, d->tile_height * factor, why);
}

// The largest tile that fits. Only where not even the decoder's low-resolution blocks run whole:
// each tile has norms of its own, which shows.
static enum fum_result prepare_tiles(fum_pipeline *pipe, int height, int width,
                                     const struct fum_error *why, struct fum_error *err) {
    struct fum_decoder *d = &pipe->decoder;
    int tile_height = height, tile_width = width;
    enum fum_result result = why->code;
    struct fum_error again = *why;
    while (too_large(result) && fum_tile_shrink(&tile_height, &tile_width)) {
        *d = (struct fum_decoder){.way = FUM_DECODE_TILES,
                                  .height = height,
                                  .width = width,
                                  .tile_height = tile_height,
                                  .tile_width = tile_width};
        result = compile(pipe, d, &again);
    }
    if (result) return fum_error_set(err, result, "%s", again.text);
    say_tiles(pipe, why->text);
    return FUM_OK;
}

enum fum_result fum_decode_prepare(fum_pipeline *pipe, int height, int width,
                                   struct fum_error *err) {
    struct fum_decoder *d = &pipe->decoder;
    struct fum_error why = {0};
    if (d->g.exe && d->height == height && d->width == width) return FUM_OK;
    bool said = d->way == FUM_DECODE_BANDS && d->height == height && d->width == width;
    int factor = fum_vae_factor(&pipe->view->vae);
    fum_stage_graph_clear(&d->g);
    enum fum_result result = prepare_whole(pipe, height, width, &why);
    why.code = result;
    if (!result || !too_large(result))
        return result ? fum_error_set(err, result, "%s", why.text) : FUM_OK;
    if (!fum_bands_possible(pipe, height, width, NULL))
        return prepare_tiles(pipe, height, width, &why, err);
    d->way = FUM_DECODE_BANDS;
    bool wanted = pipe->params.vae_tiling || pipe->budget;
    if (!said)
        fum_log(pipe->params.log, wanted ? FUM_LOG_INFO : FUM_LOG_WARN,
                "vae: decoding %dx%d pixels in bands of rows: %s", width * factor, height * factor,
                why.text);
    return FUM_OK;
}

// ---- running ----

static bool on_piece(void *user, int done, int total) {
    return fum_pipeline_report_decode(user, done, total);
}

// One tile, or the whole: values gets its pixels.
static enum fum_result run(fum_pipeline *pipe, const float *latents, float *values, size_t count,
                           bool *finite, struct fum_error *err) {
    struct fum_decoder *d = &pipe->decoder;
    float flag = 0;
    size_t n = (size_t)fum_shape_count(&d->latents->desc.shape);
    enum fum_result result = fum_executable_write(d->g.exe, d->latents, latents, n, err);
    if (!result)
        result = fum_executable_write_i32(d->g.exe, d->flag, &(int32_t){INT32_MAX}, 1, err);
    const struct fum_progress progress = {on_piece, pipe};
    if (!result && d->way == FUM_DECODE_WHOLE)
        result = fum_executable_run_reported(d->g.exe, FUM_STAGE_STEP, &progress, err);
    else if (!result)
        result = fum_executable_run(d->g.exe, FUM_STAGE_STEP, err);
    if (!result) result = fum_executable_read(d->g.exe, d->pixels, values, count, err);
    if (!result) result = fum_executable_read(d->g.exe, d->flag, &flag, 1, err);
    *finite = flag >= (float)INT32_MAX;
    return result;
}

// What the tiles of one picture share.
struct tiling {
    int rows, columns; // of tiles
    int factor;        // pixels per latent pixel
    float *row_weights, *column_weights;
    float *latents, *pixels; // of one tile
};

static enum fum_result run_tile(fum_pipeline *pipe, const struct tiling *t, int row, int column,
                                const float *latents, float *picture, bool *finite,
                                struct fum_error *err) {
    const struct fum_decoder *d = &pipe->decoder;
    int top = fum_tile_start(d->height, d->tile_height, row),
        left = fum_tile_start(d->width, d->tile_width, column);
    size_t channels = (size_t)pipe->view->vae.latent_channels,
           across = (size_t)d->tile_width * channels;
    for (int y = 0; y < d->tile_height; y++)
        memcpy(t->latents + (size_t)y * across,
               latents + ((size_t)(top + y) * (size_t)d->width + (size_t)left) * channels,
               across * sizeof *latents);
    struct fum_tile tile = {top * t->factor,
                            left * t->factor,
                            d->tile_height * t->factor,
                            d->tile_width * t->factor,
                            NULL,
                            NULL};
    tile.rows = t->row_weights + (size_t)row * (size_t)tile.height;
    tile.columns = t->column_weights + (size_t)column * (size_t)tile.width;
    enum fum_result result =
        run(pipe, t->latents, t->pixels, 3 * (size_t)tile.height * (size_t)tile.width, finite, err);
    if (!result && *finite) fum_tile_add(picture, d->width * t->factor, &tile, t->pixels);
    return result;
}

// Stops at the first tile that is not finite, which stays in the decoder's memory for the
// diagnosis.
static enum fum_result run_tiles(fum_pipeline *pipe, const float *latents, float *picture,
                                 size_t count, bool *finite, struct fum_error *err) {
    const struct fum_decoder *d = &pipe->decoder;
    struct tiling t = {.rows = fum_tile_count(d->height, d->tile_height),
                       .columns = fum_tile_count(d->width, d->tile_width),
                       .factor = fum_vae_factor(&pipe->view->vae)};
    size_t factor = (size_t)t.factor, area = (size_t)d->tile_height * (size_t)d->tile_width;
    t.row_weights = fum_alloc((size_t)t.rows * (size_t)d->tile_height * factor, sizeof(float));
    t.column_weights = fum_alloc((size_t)t.columns * (size_t)d->tile_width * factor, sizeof(float));
    t.latents = fum_alloc(area * (size_t)pipe->view->vae.latent_channels, sizeof(float));
    t.pixels = fum_alloc(3 * area * factor * factor, sizeof(float));
    enum fum_result result = FUM_OK;
    if (!t.row_weights || !t.column_weights || !t.latents || !t.pixels) {
        result = fum_error_set(err, FUM_ERR_NOMEM, "no memory for a tile of %dx%d latent pixels",
                               d->tile_width, d->tile_height);
        goto done;
    }
    fum_tile_weights(d->height, d->tile_height, t.factor, t.row_weights);
    fum_tile_weights(d->width, d->tile_width, t.factor, t.column_weights);
    memset(picture, 0, count * sizeof *picture);
    *finite = true;
    for (int i = 0; i < t.rows * t.columns && !result && *finite; i++) {
        if (!fum_pipeline_report_decode(pipe, i, t.rows * t.columns)) {
            result = fum_error_set(err, FUM_ERR_CANCELLED, "vae was cancelled");
            break;
        }
        result = run_tile(pipe, &t, i / t.columns, i % t.columns, latents, picture, finite, err);
        fum_log(pipe->params.log, FUM_LOG_INFO, "vae: tile %d of %d", i + 1, t.rows * t.columns);
    }
done:
    fum_free(t.row_weights);
    fum_free(t.column_weights);
    fum_free(t.latents);
    fum_free(t.pixels);
    return result;
}

// In thinner bands where the device has less memory than was thought.
static enum fum_result run_bands(fum_pipeline *pipe, const float *latents, float *values,
                                 char bad[64], struct fum_error *err) {
    struct fum_decoder *d = &pipe->decoder;
    for (;;) {
        enum fum_result result =
            fum_bands_decode(pipe, latents, d->height, d->width, d->room, values, bad, err);
        if (result != FUM_ERR_NOMEM || pipe->budget || d->room < (4 << 20)) return result;
        d->room /= 2;
    }
}

// After values that are not finite: makes the decoder f32, or fails when it is. `node`: who gave
// the first of them; NULL: to be found by running the graph again.
static enum fum_result widen(fum_pipeline *pipe, const char *node, struct fum_error *err) {
    struct fum_decoder *d = &pipe->decoder;
    enum fum_result result = FUM_OK;
    if (!node) result = fum_executable_first_nonfinite(d->g.exe, FUM_STAGE_STEP, &node, err);
    if (result) return result;
    if (!node) node = "the decoder";
    if (pipe->vae_storage == FUM_F32)
        return fum_error_set(
            err, FUM_ERR_FORMAT,
            "vae: %s gives values that are not finite, in f32 too: the weights may be damaged",
            node);
    fum_log(pipe->params.log, FUM_LOG_WARN, "vae: %s overflows %s; decoding in f32", node,
            fum_dtype_name(pipe->vae_storage));
    fum_stage_graph_clear(&d->g);
    fum_weights_destroy(&pipe->vae_weights);
    pipe->vae_storage = FUM_F32;
    return FUM_OK;
}

// [-1, 1] to 0…255, rounded to nearest, half to even, as NumPy rounds.
static void to_bytes(const float *values, uint8_t *pixels, size_t count) {
    for (size_t i = 0; i < count; i++) {
        float v = values[i] / 2 + 0.5f;
        v = v < 0 ? 0 : v > 1 ? 1 : v;
        pixels[i] = (uint8_t)nearbyintf(v * 255);
    }
}

enum fum_result fum_decode_values(fum_pipeline *pipe, const float *latents, int height, int width,
                                  float *values, struct fum_error *err) {
    struct fum_decoder *d = &pipe->decoder;
    enum fum_result result = FUM_OK;
    size_t factor = (size_t)fum_vae_factor(&pipe->view->vae);
    size_t count = 3 * factor * (size_t)height * factor * (size_t)width;
    for (bool finite = false; !result && !finite;) {
        if ((result = fum_decode_prepare(pipe, height, width, err))) break;
        char bad[64] = "";
        double start = fum_time_now();
        switch (d->way) {
        case FUM_DECODE_WHOLE: result = run(pipe, latents, values, count, &finite, err); break;
        case FUM_DECODE_BANDS:
            result = run_bands(pipe, latents, values, bad, err);
            finite = !bad[0];
            break;
        case FUM_DECODE_TILES:
            result = run_tiles(pipe, latents, values, count, &finite, err);
            break;
        }
        if (!result) pipe->times.decode = fum_time_now() - start;
        if (!result && !finite) result = widen(pipe, bad[0] ? bad : NULL, err);
    }
    if (result) {
        fum_stage_graph_clear(&d->g);
        d->way = FUM_DECODE_WHOLE;
    }
    return result;
}

enum fum_result fum_decode(fum_pipeline *pipe, const float *latents, int height, int width,
                           uint8_t *pixels, struct fum_error *err) {
    size_t factor = (size_t)fum_vae_factor(&pipe->view->vae);
    size_t count = 3 * factor * (size_t)height * factor * (size_t)width;
    float *values = fum_alloc(count, sizeof *values);
    if (!values)
        return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a picture of %zu values", count);
    enum fum_result result = fum_decode_values(pipe, latents, height, width, values, err);
    if (!result) to_bytes(values, pixels, count);
    fum_free(values);
    return result;
}
