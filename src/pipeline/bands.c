// SPDX-License-Identifier: MIT
#include "pipeline/bands.h"

#include "base/dtype.h"
#include "base/error.h"
#include "base/log.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

// A whole value in host memory: rows of pixels as the device holds them.
struct sheet {
    uint8_t *data;
    int height, width, channels;
    size_t row_bytes; // of one row of pixels
};

// Of every channel, over all rows seen so far.
struct moments {
    double *mean, *m2, count;
    int channels;
};

// One pass, compiled for bands of `rows`.
struct band {
    struct fum_stage_graph g;
    int rows;
    fum_tensor *x, *input, *factors, *range, *y, *stats;
};

struct job {
    fum_pipeline *pipe;
    uint64_t room;
    struct sheet x, input;  // the value before the pass; the residual block's input
    struct moments moments; // of x
    uint64_t activations;   // the most of any pass
    float *stats;           // as read back
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

// ---- statistics ----

static void moments_free(struct moments *m) {
    fum_free(m->mean);
    fum_free(m->m2);
    *m = (struct moments){0};
}

static bool moments_make(struct moments *m, int channels) {
    moments_free(m);
    m->mean = fum_calloc((size_t)channels, sizeof *m->mean);
    m->m2 = fum_calloc((size_t)channels, sizeof *m->m2);
    m->channels = channels;
    return m->mean && m->m2;
}

// Chan, Golub and LeVeque, "Updating formulae" (1979).
static void merge(double *mean, double *m2, double count, double other_mean, double other_m2,
                  double other_count) {
    double delta = other_mean - *mean, all = count + other_count;
    *mean += delta * other_count / all;
    *m2 += other_m2 + delta * delta * count * other_count / all;
}

// Adds chunks [chunks, 2, channels] of `rows` rows as channel_stats cut them.
static void moments_add(struct moments *m, const float *stats, int64_t chunks, int64_t rows) {
    int64_t each = (rows + chunks - 1) / chunks;
    for (int64_t k = 0; k < chunks; k++) {
        int64_t first = k * each < rows ? k * each : rows,
                count = each < rows - first ? each : rows - first;
        const float *s = stats + 2 * k * m->channels;
        if (!count) break;
        for (int c = 0; c < m->channels; c++)
            merge(&m->mean[c], &m->m2[c], m->count, (double)s[c], (double)s[m->channels + c],
                  (double)count);
        m->count += (double)count;
    }
}

static bool moments_finite(const struct moments *m) {
    for (int c = 0; c < m->channels; c++)
        if (!isfinite(m->mean[c]) || !isfinite(m->m2[c])) return false;
    return true;
}

static enum fum_result read_weight(struct job *job, const char *norm, const char *part,
                                   float *values, int channels) {
    char name[96];
    struct fum_view view;
    const struct fum_weight_source *source = &job->pipe->view->vae_weights;
    snprintf(name, sizeof name, "%s.%s", norm, part);
    int64_t count = 1;
    bool found = source->find(source->user, name, &view);
    for (int i = 0; found && i < view.rank; i++) count *= view.dim[i];
    if (!found || count != channels)
        return fum_error_set(job->err, FUM_ERR_FORMAT, "vae: tensor %s %s", name,
                             found ? "has another size than the model needs"
                                   : "is missing from the model's files");
    void *copy = NULL;
    enum fum_result result =
        fum_view_load(&view, (uint64_t)channels * fum_dtype_size(view.dtype), &copy, job->err);
    if (!result) fum_convert_to_f32(values, view.data, view.dtype, (size_t)channels);
    if (!result) fum_view_scale(&view, 0, values, (size_t)channels);
    fum_free(copy);
    return result;
}

// The norm as a factor and an addend for every channel of x: factors [2, channels].
static enum fum_result make_factors(struct job *job, const char *norm, float *factors) {
    const struct moments *m = &job->moments;
    int channels = m->channels, each = channels / job->pipe->view->vae.groups;
    enum fum_result result = read_weight(job, norm, "weight", factors, channels);
    if (!result) result = read_weight(job, norm, "bias", factors + channels, channels);
    for (int g = 0; g < job->pipe->view->vae.groups && !result; g++) {
        double mean = m->mean[g * each], m2 = m->m2[g * each];
        for (int i = 1; i < each; i++)
            merge(&mean, &m2, m->count * i, m->mean[g * each + i], m->m2[g * each + i], m->count);
        double inverse = 1 / sqrt(m2 / (m->count * each) + fum_vae_norm_eps);
        for (int c = g * each; c < (g + 1) * each; c++) {
            double a = (double)factors[c] * inverse;
            factors[channels + c] = (float)((double)factors[channels + c] - mean * a);
            factors[c] = (float)a;
        }
    }
    return result;
}

// ---- graphs ----

static int chunks_of(int64_t rows) {
    return rows < 64 ? 1 : rows / 64 < 256 ? (int)(rows / 64) : 256;
}

// Adds the statistics of `y` over the rows that `range` says.
static void add_stats(struct band *b) {
    fum_graph *graph = b->g.graph;
    struct fum_attr attrs[] = {{"chunks", 1}, {0}};
    if (b->y) attrs[0].value = chunks_of(fum_shape_rows(&b->y->desc.shape));
    b->range = fum_graph_input(graph, "range", (struct fum_shape){1, {2}}, FUM_I32, FUM_STAGE_STEP);
    b->stats = fum_graph_add(graph, "channel_stats", "stats", FUM_INPUTS(b->y, b->range), attrs);
    fum_graph_output(graph, b->y, "y");
    fum_graph_output(graph, b->stats, "stats");
}

static enum fum_result build_head(const fum_pipeline *pipe, struct band *b, int height, int width,
                                  int block, struct fum_error *err) {
    const struct fum_vae_config *config = &pipe->view->vae;
    *b = (struct band){.rows = height};
    enum fum_result result = fum_graph_create(&b->g.graph, pipe->vae_storage, err);
    if (result) return result;
    fum_graph *graph = b->g.graph;
    b->x = fum_graph_input(graph, "latents",
                           (struct fum_shape){4, {1, height, width, config->latent_channels}},
                           pipe->vae_storage, FUM_STAGE_STEP);
    b->y = fum_vae_decode_head(graph, config, NULL, fum_vae_unscale(graph, config, b->x), block);
    add_stats(b);
    return fum_pipeline_check_graph(graph, "vae", err);
}

static enum fum_result build_pass(const fum_pipeline *pipe, struct band *b,
                                  const struct fum_vae_pass *pass, int rows, int width,
                                  struct fum_error *err) {
    *b = (struct band){.rows = rows};
    enum fum_result result = fum_graph_create(&b->g.graph, pipe->vae_storage, err);
    if (result) return result;
    fum_graph *graph = b->g.graph;
    b->x = fum_graph_input(graph, "x", (struct fum_shape){4, {1, rows, width, pass->in}},
                           pipe->vae_storage, FUM_STAGE_STEP);
    if (pass->kind == FUM_VAE_CONV2)
        b->input =
            fum_graph_input(graph, "input", (struct fum_shape){4, {1, rows, width, pass->input}},
                            pipe->vae_storage, FUM_STAGE_STEP);
    if (pass->kind != FUM_VAE_UPSAMPLE)
        b->factors = fum_graph_input(graph, "factors", (struct fum_shape){2, {2, pass->in}},
                                     FUM_F32, FUM_STAGE_STEP);
    b->y = fum_vae_pass_build(graph, pass, b->x, b->input, b->factors);
    add_stats(b);
    return fum_pipeline_check_graph(graph, "vae", err);
}

static enum fum_result measure(fum_pipeline *pipe, struct band *b, enum fum_result built,
                               uint64_t *bytes, uint64_t *activations, struct fum_error *err) {
    struct fum_executable_size size = {0};
    enum fum_result result = built;
    if (!result) result = fum_executable_measure(b->g.graph, pipe->device, &size, err);
    *activations = size.activations;
    *bytes = pipe->budget ? size.least : size.activations;
    fum_stage_graph_clear(&b->g);
    return result;
}

// The latest block that the head can go up to within `room`; -1 when only the smallest can be
// tried.
static int choose_head(fum_pipeline *pipe, int height, int width, uint64_t room,
                       uint64_t *activations) {
    struct band b;
    uint64_t bytes = 0;
    for (int block = pipe->view->vae.num_blocks - 1; block >= -1; block--) {
        enum fum_result built = build_head(pipe, &b, height, width, block, NULL);
        if (!measure(pipe, &b, built, &bytes, activations, NULL) && bytes <= room) return block;
    }
    return -1;
}

// As many rows as fit `room`, FUM_BAND_ROWS or more; all of them when they do.
static enum fum_result choose_rows(fum_pipeline *pipe, const struct fum_vae_pass *pass, int height,
                                   int width, uint64_t room, int *rows, uint64_t *activations,
                                   struct fum_error *err) {
    int least = height < FUM_BAND_ROWS ? height : FUM_BAND_ROWS;
    for (*rows = height;;) {
        struct band b;
        uint64_t bytes = 0;
        struct fum_error refused = {0};
        enum fum_result built = build_pass(pipe, &b, pass, *rows, width, &refused);
        enum fum_result result = measure(pipe, &b, built, &bytes, activations, &refused);
        if (!result && bytes <= room) return FUM_OK;
        if (*rows == least) return result ? fum_error_set(err, result, "%s", refused.text) : FUM_OK;
        // In proportion, and surely fewer.
        int fewer = result ? *rows / 2 : (int)((double)*rows * (double)room / (double)bytes);
        if (fewer >= *rows) fewer = *rows - 1;
        *rows = fewer < least ? least : fewer;
    }
}

enum fum_result fum_bands_measure(fum_pipeline *pipe, int height, int width, uint64_t room,
                                  uint64_t *activations, struct fum_error *err) {
    struct fum_vae_pass passes[FUM_VAE_MAX_PASSES];
    uint64_t one = 0;
    int block = choose_head(pipe, height, width, room, activations), rows;
    int count = fum_vae_passes(&pipe->view->vae, block, passes);
    enum fum_result result = FUM_OK;
    for (int i = 0; i < count && !result; i++) {
        result = choose_rows(pipe, &passes[i], height << passes[i].level, width << passes[i].level,
                             room, &rows, &one, err);
        if (one > *activations) *activations = one;
    }
    return result;
}

enum fum_result fum_bands_probe(fum_pipeline *pipe, int height, int width, struct fum_error *err) {
    struct fum_vae_pass passes[FUM_VAE_MAX_PASSES];
    const struct fum_weight_source *source = &pipe->view->vae_weights;
    struct band b;
    enum fum_result result = build_head(pipe, &b, height, width, -1, err);
    if (!result) result = fum_pipeline_probe(pipe, &b.g, "vae", source, err);
    fum_stage_graph_clear(&b.g);
    int count = fum_vae_passes(&pipe->view->vae, -1, passes);
    for (int i = 0; i < count && !result; i++) {
        int tall = height << passes[i].level;
        result = build_pass(pipe, &b, &passes[i], tall < FUM_BAND_ROWS ? tall : FUM_BAND_ROWS,
                            width << passes[i].level, err);
        if (!result) result = fum_pipeline_probe(pipe, &b.g, "vae", source, err);
        fum_stage_graph_clear(&b.g);
    }
    return result;
}

bool fum_bands_possible(fum_pipeline *pipe, int height, int width, struct fum_error *err) {
    struct band b;
    uint64_t bytes, activations;
    return !measure(pipe, &b, build_head(pipe, &b, height, width, -1, err), &bytes, &activations,
                    err);
}

// ---- running ----

static enum fum_result compile(struct job *job, struct band *b) {
    fum_pipeline *pipe = job->pipe;
    enum fum_result result = fum_pipeline_compile(pipe, &b->g, "vae", &pipe->view->vae_weights,
                                                  &pipe->vae_weights, job->err);
    if (result) return result;
    struct fum_executable_stats s, *sum = &pipe->vae_stats;
    fum_executable_get_stats(b->g.exe, &s);
    if (s.activation_bytes > sum->activation_bytes) sum->activation_bytes = s.activation_bytes;
    if (s.weight_bytes > sum->weight_bytes) sum->weight_bytes = s.weight_bytes;
    fum_free(job->stats);
    job->stats = fum_alloc((size_t)fum_shape_count(&b->stats->desc.shape), sizeof *job->stats);
    return job->stats ? FUM_OK : no_memory(job, "the statistics of a band");
}

// Runs a band whose inputs are written: rows [first, first + count) of its result go to row `to` of
// y, and their statistics to m.
static enum fum_result run_band(struct job *job, struct band *b, struct sheet *y, struct moments *m,
                                int first, int count, int to) {
    int32_t range[2] = {(int32_t)(first * y->width), (int32_t)(count * y->width)};
    struct fum_executable_stats s;
    enum fum_result result = fum_executable_write_i32(b->g.exe, b->range, range, 2, job->err);
    if (!result) result = fum_executable_run(b->g.exe, FUM_STAGE_STEP, job->err);
    if (!result)
        result = fum_executable_read_raw(b->g.exe, b->y, (uint64_t)first * y->row_bytes,
                                         y->data + (size_t)to * y->row_bytes,
                                         (uint64_t)count * y->row_bytes, job->err);
    if (!result)
        result = fum_executable_read(b->g.exe, b->stats, job->stats,
                                     (size_t)fum_shape_count(&b->stats->desc.shape), job->err);
    if (!result) moments_add(m, job->stats, b->stats->desc.shape.dim[0], range[1]);
    fum_executable_get_stats(b->g.exe, &s);
    for (int i = 0; i < FUM_STAGE_COUNT; i++) {
        job->pipe->vae_stats.dispatches[i] += s.dispatches[i];
        job->pipe->vae_stats.barriers[i] += s.barriers[i];
        job->pipe->vae_stats.flops[i] += s.flops[i];
    }
    return result;
}

static enum fum_result write_rows(struct job *job, struct band *b, const fum_tensor *to,
                                  const struct sheet *from, int row) {
    return fum_executable_write_raw(b->g.exe, to, from->data + (size_t)row * from->row_bytes,
                                    (uint64_t)b->rows * from->row_bytes, job->err);
}

// All bands of a pass, from the top. A band's first and last rows of result are kept only at the
// picture's own edges.
static enum fum_result run_pass(struct job *job, const struct fum_vae_pass *pass, struct band *b,
                                struct sheet *y, struct moments *m) {
    int scale = pass->kind == FUM_VAE_UPSAMPLE ? 2 : 1, height = job->x.height, done = 0;
    enum fum_result result = FUM_OK;
    for (int top = 0; done < y->height && !result;) {
        int end = scale * (top + b->rows) - (top + b->rows < height ? FUM_VAE_PASS_EDGE : 0);
        result = write_rows(job, b, b->x, &job->x, top);
        if (!result && b->input) result = write_rows(job, b, b->input, &job->input, top);
        if (!result) result = run_band(job, b, y, m, done - scale * top, end - done, done);
        done = end;
        top = (done - FUM_VAE_PASS_EDGE) / scale;
        if (top > height - b->rows) top = height - b->rows;
    }
    return result;
}

static enum fum_result do_head(struct job *job, const float *latents, int height, int width,
                               int block) {
    struct band b;
    enum fum_result result = build_head(job->pipe, &b, height, width, block, job->err);
    if (!result) result = compile(job, &b);
    if (!result)
        result = fum_executable_write(b.g.exe, b.x, latents,
                                      (size_t)fum_shape_count(&b.x->desc.shape), job->err);
    if (!result) {
        const int64_t *dim = b.y->desc.shape.dim;
        if (!sheet_make(&job->x, (int)dim[1], (int)dim[2], b.y) ||
            !moments_make(&job->moments, (int)dim[3]))
            result = no_memory(job, "the decoder's values");
    }
    if (!result) result = run_band(job, &b, &job->x, &job->moments, 0, job->x.height, 0);
    fum_stage_graph_clear(&b.g);
    return result;
}

// x and the block's input move on to what the pass made of them.
static enum fum_result do_pass(struct job *job, const struct fum_vae_pass *pass) {
    struct band b = {0};
    struct sheet y = {0};
    struct moments m = {0};
    char norm[80];
    float *factors = fum_alloc((size_t)pass->in, 2 * sizeof *factors);
    int rows = 0;
    uint64_t activations = 0;
    enum fum_result result = factors ? FUM_OK : no_memory(job, "a norm");
    if (!result && fum_vae_pass_norm(pass, norm, sizeof norm))
        result = make_factors(job, norm, factors);
    if (!result)
        result = choose_rows(job->pipe, pass, job->x.height, job->x.width, job->room, &rows,
                             &activations, job->err);
    if (!result) result = build_pass(job->pipe, &b, pass, rows, job->x.width, job->err);
    if (!result) result = compile(job, &b);
    if (!result && b.factors)
        result = fum_executable_write(b.g.exe, b.factors, factors, 2 * (size_t)pass->in, job->err);
    int scale = pass->kind == FUM_VAE_UPSAMPLE ? 2 : 1;
    if (!result && (!sheet_make(&y, scale * job->x.height, scale * job->x.width, b.y) ||
                    !moments_make(&m, pass->out)))
        result = no_memory(job, "the decoder's values");
    if (!result) result = run_pass(job, pass, &b, &y, &m);
    fum_stage_graph_clear(&b.g);
    fum_free(factors);
    if (result) {
        sheet_free(&y);
        moments_free(&m);
        return result;
    }
    sheet_free(&job->input);
    if (pass->kind == FUM_VAE_CONV1)
        job->input = job->x;
    else
        sheet_free(&job->x);
    moments_free(&job->moments);
    job->x = y;
    job->moments = m;
    return FUM_OK;
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
                           job->pipe->vae_storage, (size_t)x->channels);
    return FUM_OK;
}

enum fum_result fum_bands_decode(fum_pipeline *pipe, const float *latents, int height, int width,
                                 uint64_t room, float *values, char bad[64],
                                 struct fum_error *err) {
    struct job job = {.pipe = pipe, .room = room, .err = err};
    struct fum_vae_pass passes[FUM_VAE_MAX_PASSES];
    uint64_t activations = 0;
    int block = choose_head(pipe, height, width, room, &activations);
    int count = fum_vae_passes(&pipe->view->vae, block, passes);
    pipe->vae_stats = (struct fum_executable_stats){0};
    bad[0] = 0;
    enum fum_result result = do_head(&job, latents, height, width, block);
    if (!result && !moments_finite(&job.moments))
        snprintf(bad, 64, "%s", "the decoder's first blocks");
    for (int i = 0; i < count && !result && !bad[0]; i++) {
        if (!fum_pipeline_report_decode(pipe, i, count)) {
            result = fum_error_set(err, FUM_ERR_CANCELLED, "vae was cancelled");
            break;
        }
        result = do_pass(&job, &passes[i]);
        if (!result && !moments_finite(&job.moments)) snprintf(bad, 64, "%s", passes[i].module);
        if (!result)
            fum_log(pipe->params.log, FUM_LOG_DEBUG, "vae: pass %d of %d, %s", i + 1, count,
                    passes[i].module);
    }
    size_t factor = (size_t)fum_vae_factor(&pipe->view->vae),
           pixels = factor * (size_t)height * factor * (size_t)width;
    if (!result && !bad[0]) result = to_values(&job, values, 3 * pixels);
    if (!result)
        fum_log(pipe->params.log, FUM_LOG_INFO,
                "vae: %d passes over bands, activations at most %.1f MiB", count + 1,
                (double)pipe->vae_stats.activation_bytes / (1 << 20));
    sheet_free(&job.x);
    sheet_free(&job.input);
    moments_free(&job.moments);
    fum_free(job.stats);
    return result;
}
