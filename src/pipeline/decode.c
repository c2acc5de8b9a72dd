// Latents to a picture: whole where the device can hold that, else in overlapping tiles through one compiled graph.
#include "pipeline/pipeline.h"

#include "base/error.h"
#include "base/log.h"
#include "pipeline/tiles.h"

#include <limits.h>
#include <math.h>
#include <string.h>

// ---- the graph ----

static enum fum_result build(fum_pipeline *pipe, struct fum_decoder *d, struct fum_error *err) {
    const struct fum_vae_config *config = &pipe->view->vae;
    enum fum_result result = fum_graph_create(&d->g.graph, pipe->vae_storage, err);
    if (result) return result;
    fum_graph *graph = d->g.graph;
    struct fum_shape shape = {4, {1, d->tile_height, d->tile_width, config->latent_channels}};
    d->latents = fum_graph_input(graph, "latents", shape, pipe->vae_storage, FUM_STAGE_LATENTS);
    d->flag = fum_graph_state(graph, "flag", (struct fum_shape){1, {1}}, FUM_I32);
    d->pixels = fum_vae_decode(graph, config, NULL, fum_vae_unscale(graph, config, d->latents));
    fum_graph_output(graph, d->pixels, "pixels");
    fum_graph_add(graph, "check_finite", "check_finite", (fum_tensor *[]){d->flag, d->pixels}, 2, NULL);
    if ((result = fum_graph_check(graph, err))) return result;
    if (pipe->probing) return fum_pipeline_probe(pipe, &d->g, "vae", &pipe->view->vae_weights, err);
    return fum_pipeline_compile(pipe, &d->g, "vae", &pipe->view->vae_weights, &pipe->vae_weights, err);
}

enum fum_result fum_decode_probe(fum_pipeline *pipe, int height, int width, struct fum_error *err) {
    struct fum_decoder d = {.height = height, .width = width, .tile_height = height, .tile_width = width};
    enum fum_result result = build(pipe, &d, err);
    fum_stage_graph_clear(&d.g);
    return result;
}

static void say_tiles(const fum_pipeline *pipe, const char *why) {
    const struct fum_decoder *d = &pipe->decoder;
    int factor = fum_vae_factor(&pipe->view->vae);
    fum_log(pipe->params.log, FUM_LOG_WARN,
            "vae: decoding %dx%d pixels in %d tiles of %dx%d, as the whole does not fit: %s", d->width * factor,
            d->height * factor, fum_tile_count(d->height, d->tile_height) * fum_tile_count(d->width, d->tile_width),
            d->tile_width * factor, d->tile_height * factor, why);
}

// Compiles for the whole picture, or for the largest tile that fits.
static enum fum_result prepare(fum_pipeline *pipe, int height, int width, struct fum_error *err) {
    struct fum_decoder *d = &pipe->decoder;
    struct fum_error first = {0}, again = {0};
    int tile_height = height, tile_width = width;
    if (d->g.exe && d->height == height && d->width == width) return FUM_OK;
    for (;;) {
        fum_stage_graph_clear(&d->g);
        *d = (struct fum_decoder){.height = height, .width = width, .tile_height = tile_height, .tile_width = tile_width};
        bool whole = tile_height == height && tile_width == width;
        enum fum_result result = build(pipe, d, whole ? &first : &again);
        if (!result) {
            if (!whole) say_tiles(pipe, first.text);
            return FUM_OK;
        }
        fum_stage_graph_clear(&d->g);
        bool too_large = result == FUM_ERR_UNSUPPORTED || result == FUM_ERR_NOMEM;
        if (!too_large || !fum_tile_shrink(&tile_height, &tile_width))
            return fum_error_set(err, result, "%s", whole ? first.text : again.text);
    }
}

// ---- running ----

// One tile, or the whole: values gets its pixels.
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

// What the tiles of one picture share.
struct tiling {
    int rows, columns; // of tiles
    int factor;        // pixels per latent pixel
    float *row_weights, *column_weights;
    float *latents, *pixels; // of one tile
};

static enum fum_result run_tile(fum_pipeline *pipe, const struct tiling *t, int row, int column, const float *latents,
                                float *picture, bool *finite, struct fum_error *err) {
    const struct fum_decoder *d = &pipe->decoder;
    int top = fum_tile_start(d->height, d->tile_height, row), left = fum_tile_start(d->width, d->tile_width, column);
    size_t channels = (size_t)pipe->view->vae.latent_channels, across = (size_t)d->tile_width * channels;
    for (int y = 0; y < d->tile_height; y++)
        memcpy(t->latents + (size_t)y * across,
               latents + ((size_t)(top + y) * (size_t)d->width + (size_t)left) * channels, across * sizeof *latents);
    struct fum_tile tile = {top * t->factor, left * t->factor, d->tile_height * t->factor, d->tile_width * t->factor,
                            NULL, NULL};
    tile.rows = t->row_weights + (size_t)row * (size_t)tile.height;
    tile.columns = t->column_weights + (size_t)column * (size_t)tile.width;
    enum fum_result result =
        run(pipe, t->latents, t->pixels, 3 * (size_t)tile.height * (size_t)tile.width, finite, err);
    if (!result && *finite) fum_tile_add(picture, d->width * t->factor, &tile, t->pixels);
    return result;
}

// Stops at the first tile that is not finite, which stays in the decoder's memory for the diagnosis.
static enum fum_result run_tiles(fum_pipeline *pipe, const float *latents, float *picture, size_t count, bool *finite,
                                 struct fum_error *err) {
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
        result = fum_error_set(err, FUM_ERR_NOMEM, "no memory for a tile of %dx%d latent pixels", d->tile_width,
                               d->tile_height);
        goto done;
    }
    fum_tile_weights(d->height, d->tile_height, t.factor, t.row_weights);
    fum_tile_weights(d->width, d->tile_width, t.factor, t.column_weights);
    memset(picture, 0, count * sizeof *picture);
    *finite = true;
    for (int i = 0; i < t.rows * t.columns && !result && *finite; i++) {
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

// After values that are not finite: makes the decoder f32, or fails when it is.
static enum fum_result widen(fum_pipeline *pipe, struct fum_error *err) {
    struct fum_decoder *d = &pipe->decoder;
    const char *node = NULL;
    enum fum_result result = fum_executable_first_nonfinite(d->g.exe, FUM_STAGE_LATENTS, &node, err);
    if (result) return result;
    if (!node) node = "the decoder";
    if (pipe->vae_storage == FUM_F32)
        return fum_error_set(err, FUM_ERR_FORMAT,
                             "vae: %s gives values that are not finite, in f32 too: the weights may be damaged", node);
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

enum fum_result fum_decode_values(fum_pipeline *pipe, const float *latents, int height, int width, float *values,
                                  struct fum_error *err) {
    struct fum_decoder *d = &pipe->decoder;
    enum fum_result result = FUM_OK;
    size_t factor = (size_t)fum_vae_factor(&pipe->view->vae);
    size_t count = 3 * factor * (size_t)height * factor * (size_t)width;
    for (bool finite = false; !result && !finite;) {
        if ((result = prepare(pipe, height, width, err))) break;
        bool whole = d->tile_height == height && d->tile_width == width;
        result = whole ? run(pipe, latents, values, count, &finite, err)
                       : run_tiles(pipe, latents, values, count, &finite, err);
        if (!result && !finite) result = widen(pipe, err);
    }
    if (result) fum_stage_graph_clear(&d->g);
    return result;
}

enum fum_result fum_decode(fum_pipeline *pipe, const float *latents, int height, int width, uint8_t *pixels,
                           struct fum_error *err) {
    size_t factor = (size_t)fum_vae_factor(&pipe->view->vae);
    size_t count = 3 * factor * (size_t)height * factor * (size_t)width;
    float *values = fum_alloc(count, sizeof *values);
    if (!values) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a picture of %zu values", count);
    enum fum_result result = fum_decode_values(pipe, latents, height, width, values, err);
    if (!result) to_bytes(values, pixels, count);
    fum_free(values);
    return result;
}
