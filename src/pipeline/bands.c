// SPDX-License-Identifier: MIT
#include "pipeline/bands.h"

#include "base/dtype.h"
#include "base/error.h"
#include "base/log.h"
#include "base/macros.h"
#include "pipeline/band_norm.h"
#include "pipeline/compile.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

// A whole value in host memory: rows of pixels as the device holds them.
struct sheet {
    uint8_t *data;
    int height, width, channels;
    size_t row_bytes; // of one row of pixels
};

// One pass, compiled for bands of `rows`.
struct band {
    struct fum_compiled g;
    int rows;
    bool cyclic; // the first row follows the last: the caller gives the rows around the picture
    fum_tensor *x, *input, *factors, *range, *y, *stats;
    fum_tensor *logvar; // of the tail, whose mean is y
};

struct job {
    fum_pipeline *pipe;
    struct fum_component *component;
    struct fum_bands *bands;
    const float *pixels;   // that the first pass of the encoder reads in place of x; NULL: none
    struct sheet x, input; // the value before the pass; the residual block's input
    struct fum_channel_moments moments; // of x
    float *stats;                       // as read back
    uint8_t *gathered;                  // rows of a band that go around the picture
    struct fum_error *err;
};

static enum fum_result no_memory(struct job *job, const char *what) {
    return fum_error_set(job->err, FUM_ERR_NOMEM, "no memory for %s", what);
}

// ---- values in host memory ----

static void sheet_free(struct sheet *s) {
    fum_free(s->data);
    *s = (struct sheet){0};
}

static bool sheet_make(struct sheet *s, int height, int width, const fum_tensor *like) {
    *s = (struct sheet){
        .height = height, .width = width, .channels = (int)fum_shape_channels(&like->desc.shape)};
    s->row_bytes = (size_t)fum_desc_row_bytes(&like->desc) * (size_t)width;
    s->data = fum_alloc((size_t)height, s->row_bytes);
    return s->data != NULL;
}

// ---- graphs ----

// Returns the chunks of rows that channel_stats sums up one by one.
static int chunks_of(int64_t rows) {
    enum { CHUNK_ROWS = 64, MAX_CHUNKS = 256 };
    return (int)fum_clamp_i64(rows / CHUNK_ROWS, 1, MAX_CHUNKS);
}

// Adds the statistics of `y` over the rows of `range`.
static void add_stats(struct band *b) {
    fum_graph *graph = b->g.graph;
    struct fum_attr attrs[] = {{"chunks", 1}, {0}};
    if (b->y) attrs[0].value = chunks_of(fum_shape_rows(&b->y->desc.shape));
    b->range = fum_graph_input(graph, "range", (struct fum_shape){1, {2}}, FUM_I32, FUM_STAGE_STEP);
    b->stats = fum_graph_add(graph, "channel_stats", "stats", FUM_INPUTS(b->y, b->range), attrs);
    fum_graph_output(graph, b->y, "y");
    fum_graph_output(graph, b->stats, "stats");
}

// What a band is built for: rows and width of its input, and the last block of the head, or a pass.
struct band_shape {
    int rows, height, width, block;  // height: of the whole
    const struct fum_vae_pass *pass; // NULL: the head, or the tail
    bool encodes;
};

static struct fum_component *component_of(const fum_pipeline *pipe, bool encodes) {
    return encodes ? pipe->vae_encoder : pipe->vae;
}

// Builds the head: the first blocks, up to `block`, of the whole picture.
static void build_head(const fum_pipeline *pipe, struct band *b, const struct band_shape *s) {
    const struct fum_vae_config *config = &pipe->view->vae;
    fum_graph *graph = b->g.graph;
    b->x = fum_graph_input(graph, "latents",
                           (struct fum_shape){4, {1, s->rows, s->width, config->latent_channels}},
                           pipe->vae->storage, FUM_STAGE_STEP);
    b->y = fum_vae_decode_head(graph, config, NULL, fum_vae_unscale(graph, config, b->x), s->block);
}

// Builds the tail: the blocks of the encoder from `block` on, of the whole picture.
static void build_tail(const fum_pipeline *pipe, struct band *b, const struct band_shape *s) {
    const struct fum_vae_config *config = &pipe->view->vae;
    fum_graph *graph = b->g.graph;
    struct fum_vae_moments moments = {0};
    b->x = fum_graph_input(
        graph, "x",
        (struct fum_shape){4, {1, s->rows, s->width, fum_vae_tail_channels(config, s->block)}},
        pipe->vae_encoder->storage, FUM_STAGE_STEP);
    fum_vae_encode_tail(graph, config, b->x, s->block, &moments);
    b->y = fum_vae_scale(graph, config, moments.mean);
    b->logvar = moments.logvar;
    fum_graph_output(graph, b->y, "mean");
    fum_graph_output(graph, b->logvar, "logvar");
}

static void build_pass(const fum_pipeline *pipe, struct band *b, const struct band_shape *s) {
    const struct fum_vae_pass *pass = s->pass;
    enum fum_dtype storage = component_of(pipe, s->encodes)->storage;
    fum_graph *graph = b->g.graph;
    b->x = fum_graph_input(graph, "x", (struct fum_shape){4, {1, s->rows, s->width, pass->in}},
                           storage, FUM_STAGE_STEP);
    if (pass->kind == FUM_VAE_CONV2)
        b->input = fum_graph_input(graph, "input",
                                   (struct fum_shape){4, {1, s->rows, s->width, pass->input}},
                                   storage, FUM_STAGE_STEP);
    if (fum_vae_pass_has_norm(pass))
        b->factors = fum_graph_input(graph, "factors", (struct fum_shape){2, {2, pass->in}},
                                     FUM_F32, FUM_STAGE_STEP);
    b->y = fum_vae_pass_build(graph, pass, b->x, b->input, b->factors);
}

static enum fum_result build_band(const fum_pipeline *pipe, struct band *b,
                                  const struct band_shape *shape, struct fum_error *err) {
    const struct fum_component *component = component_of(pipe, shape->encodes);
    // Pictures are encoded as they are, with zeros around them.
    enum fum_seamless seamless = shape->encodes ? FUM_SEAMLESS_NONE : pipe->seamless;
    bool around = seamless & FUM_SEAMLESS_Y;
    *b = (struct band){.rows = shape->rows, .cyclic = around && shape->rows < shape->height};
    enum fum_result result = fum_graph_create(&b->g.graph, component->storage, err);
    if (result) return result;
    unsigned axes = fum_seamless_axes(seamless);
    fum_graph_wrap(b->g.graph, b->cyclic ? axes & ~(unsigned)FUM_GRAPH_HEIGHT : axes);
    if (shape->pass)
        build_pass(pipe, b, shape);
    else if (shape->encodes)
        build_tail(pipe, b, shape);
    else
        build_head(pipe, b, shape);
    if (!b->logvar) add_stats(b);
    return fum_component_check_graph(component, b->g.graph, err);
}

static enum fum_result measure_band(fum_pipeline *pipe, const struct band_shape *shape,
                                    struct fum_executable_size *size, struct fum_error *err) {
    struct band b;
    *size = (struct fum_executable_size){0};
    enum fum_result result = build_band(pipe, &b, shape, err);
    if (!result) result = fum_executable_measure(b.g.graph, pipe->device, size, err);
    fum_compiled_clear(&b.g);
    return result;
}

// Returns the bytes that count against the room: with a budget the weights, too.
static uint64_t bytes_needed(const fum_pipeline *pipe, const struct fum_executable_size *size) {
    return pipe->budget ? size->least : size->activations;
}

// Returns the head up to `block`, or the tail from there on.
static struct band_shape whole_end(const fum_pipeline *pipe, const struct fum_bands *bands,
                                   int block) {
    int level = bands->encodes ? fum_vae_tail_level(&pipe->view->vae, block) : 0;
    return (struct band_shape){.rows = bands->height << level,
                               .height = bands->height << level,
                               .width = bands->width << level,
                               .block = block,
                               .encodes = bands->encodes};
}

// Returns the block of the smallest head or tail: the middle alone.
static int smallest_end(const fum_pipeline *pipe, const struct fum_bands *bands) {
    return bands->encodes ? pipe->view->vae.num_blocks : -1;
}

// Returns the block of the largest head or tail within the room; the smallest one's when only that
// can be tried. *activations: what it takes.
static int choose_end(fum_pipeline *pipe, const struct fum_bands *bands, uint64_t *activations) {
    int last = smallest_end(pipe, bands), step = bands->encodes ? 1 : -1;
    for (int block = bands->encodes ? 0 : pipe->view->vae.num_blocks - 1;; block += step) {
        const struct band_shape shape = whole_end(pipe, bands, block);
        struct fum_executable_size size;
        enum fum_result result = measure_band(pipe, &shape, &size, NULL);
        *activations = size.activations;
        if (!result && bytes_needed(pipe, &size) <= bands->room) return block;
        if (block == last) return last;
    }
}

// Lists the passes beside that head or tail.
static int list_passes(const fum_pipeline *pipe, const struct fum_bands *bands, int block,
                       struct fum_vae_pass *passes) {
    return bands->encodes ? fum_vae_encode_passes(&pipe->view->vae, block, passes)
                          : fum_vae_passes(&pipe->view->vae, block, passes);
}

static int fewest_rows(int height) {
    return FUM_MIN(height, FUM_BAND_ROWS);
}

// Lowers shape->rows to as many as fit the room, FUM_BAND_ROWS or more; all of them if they fit.
static enum fum_result choose_rows(fum_pipeline *pipe, struct band_shape *shape, uint64_t room,
                                   uint64_t *activations, struct fum_error *err) {
    int fewest = fewest_rows(shape->rows);
    for (;;) {
        struct fum_executable_size size;
        struct fum_error refused = {0};
        enum fum_result result = measure_band(pipe, shape, &size, &refused);
        uint64_t bytes = bytes_needed(pipe, &size);
        *activations = size.activations;
        if (!result && bytes <= room) return FUM_OK;
        if (shape->rows == fewest)
            return result ? fum_error_set(err, result, "%s", refused.text) : FUM_OK;
        // In proportion, and surely fewer.
        int fewer =
            result ? shape->rows / 2 : (int)((double)shape->rows * (double)room / (double)bytes);
        if (fewer >= shape->rows) fewer = shape->rows - 1;
        if (shape->pass->kind == FUM_VAE_DOWNSAMPLE) fewer -= fewer % 2; // rows are halved
        shape->rows = fewer < fewest ? fewest : fewer;
    }
}

// Returns a pass over all rows of a picture of these latents.
static struct band_shape whole_pass(const struct fum_vae_pass *pass,
                                    const struct fum_bands *bands) {
    return (struct band_shape){.rows = bands->height << pass->level,
                               .height = bands->height << pass->level,
                               .width = bands->width << pass->level,
                               .pass = pass,
                               .encodes = bands->encodes};
}

enum fum_result fum_bands_measure(fum_pipeline *pipe, const struct fum_bands *bands,
                                  uint64_t *activations, struct fum_error *err) {
    struct fum_vae_pass passes[FUM_VAE_MAX_PASSES];
    uint64_t one = 0;
    int block = choose_end(pipe, bands, activations);
    int count = list_passes(pipe, bands, block, passes);
    enum fum_result result = FUM_OK;
    for (int i = 0; i < count && !result; i++) {
        struct band_shape shape = whole_pass(&passes[i], bands);
        result = choose_rows(pipe, &shape, bands->room, &one, err);
        if (one > *activations) *activations = one;
    }
    return result;
}

enum fum_result fum_bands_least(fum_pipeline *pipe, const struct fum_bands *bands, uint64_t *bytes,
                                struct fum_error *err) {
    struct fum_vae_pass passes[FUM_VAE_MAX_PASSES];
    int block = smallest_end(pipe, bands);
    const struct band_shape end = whole_end(pipe, bands, block);
    struct fum_executable_size size;
    enum fum_result result = measure_band(pipe, &end, &size, err);
    *bytes = size.least;
    int count = list_passes(pipe, bands, block, passes);
    for (int i = 0; i < count && !result; i++) {
        struct band_shape shape = whole_pass(&passes[i], bands);
        shape.rows = fewest_rows(shape.rows);
        result = measure_band(pipe, &shape, &size, err);
        if (size.least > *bytes) *bytes = size.least;
    }
    return result;
}

bool fum_bands_possible(fum_pipeline *pipe, const struct fum_bands *bands, struct fum_error *err) {
    const struct band_shape end = whole_end(pipe, bands, smallest_end(pipe, bands));
    struct fum_executable_size size;
    if (!pipe->view->vae.kind->banded) {
        fum_error_set(err, FUM_ERR_UNSUPPORTED, "this autoencoder does not work in bands");
        return false;
    }
    return !measure_band(pipe, &end, &size, err);
}

// ---- running ----

static enum fum_result compile_band(struct job *job, struct band *b) {
    struct fum_component *component = job->component;
    enum fum_result result = fum_component_compile(component, &b->g, job->err);
    if (result) return result;
    struct fum_executable_stats s, *sum = &component->stats;
    fum_executable_get_stats(b->g.exe, &s);
    if (s.activation_bytes > sum->activation_bytes) sum->activation_bytes = s.activation_bytes;
    if (s.weight_bytes > sum->weight_bytes) sum->weight_bytes = s.weight_bytes;
    if (!b->stats) return FUM_OK;
    fum_free(job->stats);
    job->stats = fum_alloc((size_t)fum_shape_count(&b->stats->desc.shape), sizeof *job->stats);
    return job->stats ? FUM_OK : no_memory(job, "the statistics of a band");
}

// What the bands of a pass are put together to.
struct result {
    struct sheet y;
    struct fum_channel_moments moments; // of y
};

// Rows [first, first + count) of a band's result, which go to row `to` of the whole.
struct rows {
    int first, count, to;
};

// Runs a band whose inputs are written, and adds rows of its result and their statistics.
static enum fum_result run_band(struct job *job, struct band *b, const struct rows *rows,
                                struct result *out) {
    struct sheet *y = &out->y;
    fum_executable *exe = b->g.exe;
    size_t stats_count = (size_t)fum_shape_count(&b->stats->desc.shape);
    int32_t range[2] = {(int32_t)(rows->first * y->width), (int32_t)(rows->count * y->width)};
    struct fum_executable_stats s, *sum = &job->component->stats;
    enum fum_result result = fum_executable_write_i32(exe, b->range, range, 2, job->err);
    if (!result) result = fum_executable_run(exe, FUM_STAGE_STEP, job->err);
    const struct fum_tensor_part part = {b->y, (uint64_t)rows->first * y->row_bytes,
                                         (uint64_t)rows->count * y->row_bytes};
    if (!result)
        result =
            fum_executable_read_raw(exe, part, y->data + (size_t)rows->to * y->row_bytes, job->err);
    if (!result) result = fum_executable_read(exe, b->stats, job->stats, stats_count, job->err);
    if (!result)
        fum_channel_moments_add(&out->moments, job->stats, b->stats->desc.shape.dim[0], range[1]);
    fum_executable_get_stats(exe, &s);
    for (int i = 0; i < FUM_STAGE_COUNT; i++) {
        sum->dispatches[i] += s.dispatches[i];
        sum->barriers[i] += s.barriers[i];
        sum->flops[i] += s.flops[i];
    }
    return result;
}

// Writes the rows of a band from `row` on, around the picture where it is outside.
static enum fum_result write_rows(struct job *job, struct band *b, const fum_tensor *to,
                                  const struct sheet *from, int row) {
    if (job->pixels && from == &job->x)
        return fum_executable_write(
            b->g.exe, to, job->pixels + (size_t)row * (size_t)from->width * (size_t)from->channels,
            (size_t)b->rows * (size_t)from->width * (size_t)from->channels, job->err);
    if (row < 0 || row + b->rows > from->height) {
        fum_free(job->gathered);
        job->gathered = fum_alloc((size_t)b->rows, from->row_bytes);
        if (!job->gathered) return no_memory(job, "the rows of a band");
        for (int i = 0; i < b->rows; i++) {
            size_t source = (size_t)((row + i + from->height) % from->height);
            memcpy(job->gathered + (size_t)i * from->row_bytes,
                   from->data + source * from->row_bytes, from->row_bytes);
        }
        return fum_executable_write_raw(b->g.exe, to, job->gathered,
                                        (uint64_t)b->rows * from->row_bytes, job->err);
    }
    return fum_executable_write_raw(b->g.exe, to, from->data + (size_t)row * from->row_bytes,
                                    (uint64_t)b->rows * from->row_bytes, job->err);
}

// Returns how many rows of a pass's result come from so many rows of its input.
static int rows_made(const struct fum_vae_pass *pass, int rows) {
    if (pass->kind == FUM_VAE_DOWNSAMPLE) return rows / 2;
    return pass->kind == FUM_VAE_UPSAMPLE ? 2 * rows : rows;
}

// Returns the first row of the band that follows `done` rows of result.
static int find_top(const struct band *b, const struct fum_vae_pass *pass, int done, int height) {
    int scale = rows_made(pass, 1);
    // Halving reads no row above its own.
    if (pass->kind == FUM_VAE_DOWNSAMPLE) return FUM_MIN(2 * done, height - b->rows);
    if (b->cyclic) return (done - FUM_VAE_PASS_EDGE + scale) / scale - 1;
    int top = done ? (done - FUM_VAE_PASS_EDGE) / scale : 0;
    return FUM_MIN(top, height - b->rows);
}

// Runs all bands of a pass, from the top. A band's first and last rows of result are kept only at
// the picture's own edges, and not there either if the picture goes around.
static enum fum_result run_pass(struct job *job, const struct fum_vae_pass *pass, struct band *b,
                                struct result *out) {
    int height = job->x.height, done = 0;
    enum fum_result result = FUM_OK;
    while (done < out->y.height && !result) {
        int top = find_top(b, pass, done, height);
        bool inside = b->cyclic || top + b->rows < height;
        int end = FUM_MIN(rows_made(pass, top + b->rows) - (inside ? FUM_VAE_PASS_EDGE : 0),
                          out->y.height);
        const struct rows rows = {done - rows_made(pass, top), end - done, done};
        result = write_rows(job, b, b->x, &job->x, top);
        if (!result && b->input) result = write_rows(job, b, b->input, &job->input, top);
        if (!result) result = run_band(job, b, &rows, out);
        done = end;
    }
    return result;
}

static void result_free(struct result *out) {
    sheet_free(&out->y);
    fum_channel_moments_free(&out->moments);
}

static enum fum_result do_head(struct job *job, const float *latents, int block) {
    const struct band_shape shape = whole_end(job->pipe, job->bands, block);
    struct band b;
    struct result out = {0};
    enum fum_result result = build_band(job->pipe, &b, &shape, job->err);
    if (!result) result = compile_band(job, &b);
    if (!result)
        result = fum_executable_write(b.g.exe, b.x, latents,
                                      (size_t)fum_shape_count(&b.x->desc.shape), job->err);
    if (!result) {
        const int64_t *dim = b.y->desc.shape.dim;
        if (!sheet_make(&out.y, (int)dim[1], (int)dim[2], b.y) ||
            !fum_channel_moments_make(&out.moments, (int)dim[3]))
            result = no_memory(job, "the decoder's values");
    }
    if (!result) result = run_band(job, &b, &(struct rows){0, out.y.height, 0}, &out);
    fum_compiled_clear(&b.g);
    job->x = out.y;
    job->moments = out.moments;
    return result;
}

// Makes a pass's bands ready: their rows chosen, compiled, the norm before them written.
static enum fum_result begin_pass(struct job *job, const struct fum_vae_pass *pass,
                                  struct band *b) {
    struct band_shape shape = {.rows = job->x.height,
                               .height = job->x.height,
                               .width = job->x.width,
                               .pass = pass,
                               .encodes = job->bands->encodes};
    char norm[80];
    uint64_t activations = 0;
    float *factors = fum_alloc((size_t)pass->in, 2 * sizeof *factors);
    enum fum_result result = factors ? FUM_OK : no_memory(job, "a norm");
    if (!result && fum_vae_pass_norm(pass, norm, sizeof norm))
        result = fum_band_norm_factors(job->component, &job->moments, norm, factors, job->err);
    if (!result) result = choose_rows(job->pipe, &shape, job->bands->room, &activations, job->err);
    if (!result) result = build_band(job->pipe, b, &shape, job->err);
    if (!result) result = compile_band(job, b);
    if (!result && b->factors)
        result =
            fum_executable_write(b->g.exe, b->factors, factors, 2 * (size_t)pass->in, job->err);
    fum_free(factors);
    return result;
}

// Moves x and the block's input on to what the pass made of them.
static void take_result(struct job *job, const struct fum_vae_pass *pass, struct result *out) {
    sheet_free(&job->input);
    if (pass->kind == FUM_VAE_CONV1)
        job->input = job->x;
    else
        sheet_free(&job->x);
    fum_channel_moments_free(&job->moments);
    job->x = out->y;
    job->moments = out->moments;
    job->pixels = NULL;
}

static enum fum_result do_pass(struct job *job, const struct fum_vae_pass *pass) {
    struct band b = {0};
    struct result out = {0};
    enum fum_result result = begin_pass(job, pass, &b);
    if (!result &&
        (!sheet_make(&out.y, rows_made(pass, job->x.height), rows_made(pass, job->x.width), b.y) ||
         !fum_channel_moments_make(&out.moments, pass->out)))
        result = no_memory(job, "the values of a pass");
    if (!result) result = run_pass(job, pass, &b, &out);
    fum_compiled_clear(&b.g);
    if (result)
        result_free(&out);
    else
        take_result(job, pass, &out);
    return result;
}

// Writes the last pass's pixels, `room` values.
static enum fum_result to_values(const struct job *job, float *values, size_t room) {
    const struct sheet *x = &job->x;
    if ((size_t)x->height * (size_t)x->width * (size_t)x->channels != room)
        return fum_error_set(job->err, FUM_ERR_FORMAT,
                             "vae: a picture of %d x %d pixels and %d channels, not of %zu values",
                             x->width, x->height, x->channels, room);
    size_t pixel = x->row_bytes / (size_t)x->width, count = (size_t)x->height * (size_t)x->width;
    for (size_t i = 0; i < count; i++)
        fum_convert_to_f32(values + i * (size_t)x->channels, x->data + i * pixel,
                           job->pipe->vae->storage, (size_t)x->channels);
    return FUM_OK;
}

// Keeps the name of the module if its result is non-finite.
static void check_moments(const struct job *job, const char *module) {
    if (!fum_channel_moments_finite(&job->moments))
        snprintf(job->bands->bad, sizeof job->bands->bad, "%s", module);
}

static enum fum_result do_passes(struct job *job, const struct fum_vae_pass *passes, int count) {
    const fum_pipeline *pipe = job->pipe;
    for (int i = 0; i < count && !job->bands->bad[0]; i++) {
        if (!job->bands->encodes && !fum_pipeline_report_decode(pipe, i, count))
            return fum_error_set(job->err, FUM_ERR_CANCELLED, "vae was cancelled");
        enum fum_result result = do_pass(job, &passes[i]);
        if (result) return result;
        check_moments(job, passes[i].module);
        fum_log(pipe->params.log, FUM_LOG_DEBUG, "vae: pass %d of %d, %s", i + 1, count,
                passes[i].module);
    }
    return FUM_OK;
}

static struct job begin_job(fum_pipeline *pipe, struct fum_bands *bands, struct fum_error *err) {
    struct fum_component *component = component_of(pipe, bands->encodes);
    component->stats = (struct fum_executable_stats){0};
    bands->bad[0] = 0;
    return (struct job){.pipe = pipe, .component = component, .bands = bands, .err = err};
}

static void end_job(struct job *job) {
    sheet_free(&job->x);
    sheet_free(&job->input);
    fum_channel_moments_free(&job->moments);
    fum_free(job->stats);
    fum_free(job->gathered);
}

static void log_passes(const struct job *job, int count) {
    fum_log(job->pipe->params.log, FUM_LOG_INFO,
            "vae: %d passes over bands, activations at most %.1f MiB", count + 1,
            (double)job->component->stats.activation_bytes / (1 << 20));
}

enum fum_result fum_bands_decode(fum_pipeline *pipe, struct fum_bands *bands, const float *latents,
                                 float *values, struct fum_error *err) {
    struct job job = begin_job(pipe, bands, err);
    struct fum_vae_pass passes[FUM_VAE_MAX_PASSES];
    uint64_t activations = 0;
    int block = choose_end(pipe, bands, &activations);
    int count = list_passes(pipe, bands, block, passes);
    enum fum_result result = do_head(&job, latents, block);
    if (!result) check_moments(&job, "the decoder's first blocks");
    if (!result) result = do_passes(&job, passes, count);
    size_t factor = (size_t)fum_vae_factor(&pipe->view->vae),
           pixels = factor * (size_t)bands->height * factor * (size_t)bands->width;
    if (!result && !bands->bad[0]) result = to_values(&job, values, 3 * pixels);
    if (!result) log_passes(&job, count);
    end_job(&job);
    return result;
}

// Runs the tail on what the passes made.
static enum fum_result do_tail(struct job *job, int block, const struct fum_bands_posterior *out) {
    const struct band_shape shape = whole_end(job->pipe, job->bands, block);
    struct band b = {0};
    enum fum_result result = build_band(job->pipe, &b, &shape, job->err);
    if (!result) result = compile_band(job, &b);
    if (!result) result = write_rows(job, &b, b.x, &job->x, 0);
    if (!result) result = fum_executable_run(b.g.exe, FUM_STAGE_STEP, job->err);
    size_t count = !result ? (size_t)fum_shape_count(&b.y->desc.shape) : 0;
    if (!result) result = fum_executable_read(b.g.exe, b.y, out->mean, count, job->err);
    if (!result) result = fum_executable_read(b.g.exe, b.logvar, out->logvar, count, job->err);
    fum_compiled_clear(&b.g);
    return result;
}

enum fum_result fum_bands_encode(fum_pipeline *pipe, struct fum_bands *bands, const float *pixels,
                                 const struct fum_bands_posterior *out, struct fum_error *err) {
    struct job job = begin_job(pipe, bands, err);
    struct fum_vae_pass passes[FUM_VAE_MAX_PASSES];
    uint64_t activations = 0;
    int factor = fum_vae_factor(&pipe->view->vae), block = choose_end(pipe, bands, &activations),
        count = list_passes(pipe, bands, block, passes);
    job.pixels = pixels;
    job.x = (struct sheet){.height = factor * bands->height,
                           .width = factor * bands->width,
                           .channels = pipe->view->vae.in_channels};
    enum fum_result result = do_passes(&job, passes, count);
    if (!result && !bands->bad[0]) result = do_tail(&job, block, out);
    if (!result) log_passes(&job, count);
    end_job(&job);
    return result;
}
